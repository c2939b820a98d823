"""Creating an auction. There is no update and no delete: the database refuses both."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert

from torg import cache, config, events, outbox
from torg.db import database_now, session
from torg.errors import FieldProblem, InvalidError
from torg.i18n import gettext
from torg.money import Money
from torg_auction import domain
from torg_auction.models import Auction
from torg_auction.settings import AuctionSettings

_PRICES = ("starting_price", "bid_increment", "reserve_price", "buy_now_price")


def create_auction(owner_id: int, given: Mapping[str, Any], *, is_announced: bool = True) -> int:
    """Create an auction; its announcement and its closing are put into the outbox with it.

    Args:
        owner_id: who creates it.
        given: title, description, starting_price, bid_increment (`Money`), ends_at, and optionally
            starts_at, category, pictures, reserve_price, buy_now_price, soft_close.
        is_announced: whether everybody registered is told by mail, if the deployment does that.

    Returns:
        Its id.

    Raises:
        InvalidError: the terms make no sense, each problem with its place.
    """
    settings = config.plugin_settings("auction", AuctionSettings)
    now = database_now()
    terms = _terms(owner_id, given, now)
    longest = timedelta(days=settings.max_duration_days)
    problems = [
        FieldProblem(f"/{place}", code, gettext(message))
        for place, code, message in domain.term_problems(terms, now, longest)
    ]
    if problems:
        raise InvalidError(errors=problems)
    auction_id: int = session.execute(_insertion(given, terms)).scalar_one()
    if settings.announce and is_announced:
        announcement = {"auction_id": auction_id, "after_id": 0}
        outbox.enqueue("auction.announce", announcement, key=f"{auction_id}:0")
    outbox.enqueue(
        "auction.close",
        {"auction_id": auction_id},
        key=closing_key(auction_id, terms.scheduled_ends_at),
        run_at=terms.scheduled_ends_at,
    )
    events.publish(
        "auction.created",
        {
            "auction_id": auction_id,
            "owner_id": owner_id,
            "title": given["title"],
            "starting_price": given["starting_price"],
            "ends_at": terms.scheduled_ends_at,
        },
    )
    cache.invalidate("auctions")
    return auction_id


def closing_key(auction_id: int, ends_at: datetime) -> str:
    """The business key of the job that closes an auction at that end."""
    return f"{auction_id}:{ends_at.timestamp():.6f}"


def _terms(owner_id: int, given: Mapping[str, Any], now: datetime) -> domain.Terms:
    start: Money = given["starting_price"]
    prices: dict[str, Money] = {
        name: given[name] for name in _PRICES if given.get(name) is not None
    }
    foreign = [name for name, price in prices.items() if price.currency != start.currency]
    if foreign:
        message = gettext("All amounts of an auction are in one currency.")
        raise InvalidError(
            errors=[
                FieldProblem(f"/{name}/currency", "wrong_currency", message) for name in foreign
            ]
        )
    soft = given.get("soft_close")
    return domain.Terms(
        owner_id=owner_id,
        starts_at=given.get("starts_at") or now,
        scheduled_ends_at=given["ends_at"],
        soft_close=domain.SoftClose(**soft) if soft else None,
        **{
            name: prices[name].minor if name in prices else None  # type: ignore[arg-type]
            for name in _PRICES
        },
    )


def _insertion(given: Mapping[str, Any], terms: domain.Terms) -> Any:
    soft = terms.soft_close
    return (
        insert(Auction)
        .values(
            owner_id=terms.owner_id,
            title=given["title"],
            description=given["description"],
            category=given.get("category"),
            pictures=given.get("pictures") or [],
            currency=given["starting_price"].currency,
            starting_price_minor=terms.starting_price,
            bid_increment_minor=terms.bid_increment,
            reserve_price_minor=terms.reserve_price,
            buy_now_price_minor=terms.buy_now_price,
            starts_at=terms.starts_at,
            scheduled_ends_at=terms.scheduled_ends_at,
            soft_window_seconds=soft and soft.window_seconds,
            soft_extension_seconds=soft and soft.extension_seconds,
            soft_max_extensions=soft and soft.max_extensions,
            soft_hard_ends_at=soft and soft.hard_ends_at,
        )
        .returning(Auction.id)
    )
