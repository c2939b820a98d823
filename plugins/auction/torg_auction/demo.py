"""Auctions to look at in the demo, and a bot that keeps one of them moving.

Everything is made through the plugin's own services. People come from whatever accounts plugin the
demo has filled before this one.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

from sqlalchemy import func, select

from torg import contracts
from torg.db import database_now, session, unit_of_work
from torg.demo import Demo
from torg.errors import TorgError
from torg.identity import Contact, Identity
from torg.money import Money
from torg_auction.models import Auction, AuctionState
from torg_auction.queries import auctions
from torg_auction.services.auctions import create_auction
from torg_auction.services.bids import buy_now, place_bid

_LIGHTNING = " (lightning sale)"
_LIGHTNING_SECONDS = 90
_SHORT_SECONDS = 5
_GOODS = (
    ("clocks", "Mantel clock, walnut, 1924", "Strikes every half hour. Runs four minutes slow."),
    ("clocks", "Карманные часы «Павел Буре»", "Серебро, 84 проба. На ходу, стекло родное."),
    ("books", "Brockhaus atlas, 12 sheets", "Complete, foxed, with the sheet of the Caucasus."),
    ("books", "«Мастер и Маргарита», 1967", "Журнал «Москва», оба номера, в хорошем состоянии."),
    ("art", "Seascape, oil on board", "Unsigned; from an estate in Odessa. Frame included."),
    ("art", "Палехская шкатулка «Три коня»", "Папье-маше, роспись темперой, 1958 год."),
    ("music", "Violin, Markneukirchen", "Set up last year. Bow and case included."),
    ("music", "Гитара «Урал», винтаж", "Электрогитара, 1979. Работает всё, кроме рычага."),
    ("cameras", "Zorki 4 with Jupiter 8", "Shutter checked, all speeds fire, light seals new."),
    ("cameras", "Фотоаппарат «Смена-8М»", "Новый, в коробке, с паспортом и ремешком."),
    ("bicycles", "Steel touring bicycle, 58 cm", "Repainted, new chain, ready for the road."),
    ("furniture", "Венский стул, пара", "Гнутый бук, реставрация в 2024 году, крепкие."),
)
_SOFT_CLOSE = {
    "window_seconds": 20,
    "extension_seconds": 20,
    "max_extensions": 3,
    "hard_ends_at": None,
}


def fill(demo: Demo) -> None:
    """Thirty auctions: active, upcoming, bought, closing soon, and one that closes in 90 s."""
    people = contracts.require("users").page(0, 20)
    if len(people) < 3:
        return
    lightning = _lightning(people, demo.random)
    for number in range(29):
        _fill_one(demo, people, number)
    demo.background(keep_bidding)
    demo.show("List active auctions", "curl '{base_url}/api/v1/auctions?status=active&limit=5'")
    demo.show(
        "Follow one that closes soon, live",
        f"curl -N '{{base_url}}/api/v1/auctions/{lightning}/stream?after=0'",
    )


def keep_bidding(demo: Demo) -> None:
    """Bid on the auction that closes soon; when it is over, open another one."""
    with unit_of_work("read"):
        people = contracts.require("users").page(0, 20)
    if len(people) < 3:
        return
    while not demo.wait(demo.random.uniform(2.0, 6.0)):
        with unit_of_work():
            lot = _open_lightning()
            row = None if lot is None else auctions.find(lot)
            if row is None:
                _lightning(people, demo.random)
            else:
                others = [each for each in people if each.id != row.owner_id]
                _bid(row.id, demo.random.choice(others[:4]), demo.random)


def _open_lightning() -> int | None:
    """The auction that closes soon, while it is open."""
    found: int | None = session.execute(
        select(Auction.id)
        .join(AuctionState, AuctionState.auction_id == Auction.id)
        .where(
            Auction.title.endswith(_LIGHTNING),
            AuctionState.closed_at.is_(None),
            AuctionState.ends_at > func.clock_timestamp(),
        )
        .order_by(Auction.id.desc())
        .limit(1)
    ).scalar()
    return found


def _lightning(people: Sequence[Contact], chance: Random) -> int:
    category, title, description = chance.choice(_GOODS)
    now = database_now()
    return create_auction(
        chance.choice(people).id,
        {
            **_terms(1000, 100, now + timedelta(seconds=_LIGHTNING_SECONDS)),
            "title": f"{title}{_LIGHTNING}",
            "description": description,
            "category": category,
            "soft_close": _SOFT_CLOSE,
        },
        is_announced=False,
    )


def _fill_one(demo: Demo, people: Sequence[Contact], number: int) -> None:
    chance = demo.random
    category, title, description = _GOODS[number % len(_GOODS)]
    price = 100 * chance.randint(5, 400)
    given = {
        **_terms(price, max(100, price // 20 // 100 * 100), _end(demo.now, number, chance)),
        "title": title,
        "description": description,
        "category": category,
    }
    if number % 5 == 1:
        given["reserve_price"] = Money(price * 2, "EUR")
    if number % 6 == 2:
        given["buy_now_price"] = Money(price * 4, "EUR")
    if number % 9 == 3:
        given["starts_at"] = demo.now + timedelta(hours=chance.randint(2, 30))
    owner, *others = chance.sample(list(people), len(people))
    # One announcement shows what a new auction sends; thirty would bury the other mails.
    lot = create_auction(owner.id, given, is_announced=number == 0)
    if number in (8, 20):
        buy_now(lot, _identity(others[0]))
    elif "starts_at" not in given:
        # Few bidders, few bids: each new price is told by mail to all who bid before.
        for _ in range(chance.randint(0, 5)):
            _bid(lot, chance.choice(others[:3]), chance)


def _end(now: datetime, number: int, chance: Random) -> datetime:
    if number % 6 == 5:
        # Over moments after the demo has started, so that there are winners to look at.
        return database_now() + timedelta(seconds=_SHORT_SECONDS)
    return now + timedelta(days=2, minutes=chance.randint(30, 10_000))


def _terms(price_minor: int, increment_minor: int, ends_at: datetime) -> dict[str, Any]:
    return {
        "starting_price": Money(price_minor, "EUR"),
        "bid_increment": Money(increment_minor, "EUR"),
        "ends_at": ends_at,
    }


def _bid(auction_id: int, bidder: Contact, chance: Random) -> None:
    row = auctions.find(auction_id)
    assert row is not None
    least = row.current_price_minor + (row.bid_increment_minor if row.leader_id else 0)
    offer = Money(least + row.bid_increment_minor * chance.choice([0, 0, 1, 3]), row.currency)
    kind = chance.choice(["amount", "amount", "max_amount"])
    try:
        place_bid(auction_id, _identity(bidder), **{kind: offer})
    except TorgError:
        # A bid that loses its race is refused, in a demo as anywhere.
        return


def _identity(contact: Contact) -> Identity:
    return Identity(contact.id, contact.username, frozenset(), contact.email_verified)
