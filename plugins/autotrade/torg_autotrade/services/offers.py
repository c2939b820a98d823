"""Offers: their money is held from the moment they are made until they end."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select, text, update

from torg import outbox
from torg.db import database_now, session
from torg.errors import FieldProblem, InvalidError, NotFoundError
from torg.i18n import gettext
from torg.money import Money
from torg_autotrade.errors import OfferEndedError, TooManyOffersError
from torg_autotrade.models.market import Buyer
from torg_autotrade.models.trading import Offer
from torg_autotrade.services import catalogue
from torg_autotrade.services.market_context import SOURCE, ledger, settings
from torg_autotrade.services.money_checks import in_market

_ENSURE = text("""
INSERT INTO autotrade_buyer (identity_id, account_id) VALUES (:identity_id, :account_id)
ON CONFLICT (identity_id) DO NOTHING
""")
_OPEN = text("SELECT count(*) FROM autotrade_offer WHERE buyer_id = :buyer_id AND status = 'open'")
_NEXT = text("SELECT nextval(pg_get_serial_sequence('autotrade_offer', 'id'))")


def buyer(person_id: int) -> Any:
    """Somebody as a buyer (id, account_id, full_name, country, city); made when he is first one."""
    query = select(*Buyer.__table__.columns).where(Buyer.identity_id == person_id)
    found = session.execute(query).one_or_none()
    if found is None:
        account = ledger().open_account("main", settings().currency, owner_id=person_id)
        session.execute(_ENSURE, {"identity_id": person_id, "account_id": account})
        found = session.execute(query).one()
    return found


def set_profile(person_id: int, given: Mapping[str, Any]) -> None:
    """Change what a buyer says of himself."""
    known = buyer(person_id)
    session.execute(
        update(Buyer).where(Buyer.id == known.id).values(**given, updated_at=func.clock_timestamp())
    )


def place(
    person_id: int,
    given: Mapping[str, Any],
    *,
    now: datetime | None = None,
    is_tried: bool = True,
) -> int:
    """Make an offer; its money is held, and it is tried at once by a job.

    Args:
        person_id: who asks; his address has to be confirmed, which the route sees to.
        given: car_model_id or criteria, max_price for one car, quantity, expires_at.
        now: when it is made; the database's clock by default, any moment in simulations.
        is_tried: whether a job tries it at once.

    Raises:
        InsufficientFundsError: he has not so much available.
        CarModelUnknownError: there is no such model, and nobody has one left.
        InvalidError: it would have expired already.
        TooManyOffersError: he has too many open ones.
        WrongMarketCurrencyError: the price is in another currency than the market's.
    """
    price: Money = given["max_price"]
    minor = in_market(price, "max_price")
    quantity: int = given.get("quantity", 1)
    if given.get("car_model_id") is not None:
        catalogue.require(given["car_model_id"], or_in_stock=True, pointer="/car_model_id")
    known = buyer(person_id)
    # One after the other for one buyer, so that the limit holds.
    session.execute(select(Buyer.id).where(Buyer.id == known.id).with_for_update(key_share=True))
    moment = now or database_now()
    expires_at = _expiry(given, moment)
    _require_room(known.id)
    offer_id: int = session.execute(_NEXT).scalar_one()
    held = ledger().hold(
        known.account_id,
        Money(minor * quantity, price.currency),
        source=SOURCE,
        purpose="offer",
        key=f"offer:{offer_id}",
        # In a simulation the ledger's clock is another one: the run lets the hold go.
        expires_at=expires_at if now is None else None,
    )
    asked = {name: given.get(name) for name in ("car_model_id", "criteria")}
    asked |= {"quantity": quantity, "max_price_minor": minor, "currency": price.currency}
    times = {"placed_at": moment, "expires_at": expires_at}
    _insert(offer_id, known.id, held.reference, **asked, **times)
    if is_tried:
        outbox.enqueue("autotrade.try_offer", {"offer_id": offer_id}, key=str(offer_id))
    return offer_id


def _insert(offer_id: int, buyer_id: int, hold_reference: str, **values: Any) -> None:
    columns = {"id": offer_id, "buyer_id": buyer_id, "hold_reference": hold_reference}
    session.execute(insert(Offer).values(**columns, **values))


def _expiry(given: Mapping[str, Any], moment: datetime) -> datetime | None:
    expires_at: datetime | None = given.get("expires_at")
    if expires_at is not None and expires_at <= moment:
        message = gettext("It has to be in the future.")
        raise InvalidError(errors=[FieldProblem("/expires_at", "expiry_passed", message)])
    return expires_at


def _require_room(buyer_id: int) -> None:
    number = session.execute(_OPEN, {"buyer_id": buyer_id}).scalar_one()
    if number >= settings().open_offers:
        raise TooManyOffersError(number=number)


def cancel(person_id: int, offer_id: int) -> None:
    """Take an open offer back; its money is free again.

    Raises:
        NotFoundError: he has no such offer.
        OfferEndedError: it has ended in another way.
    """
    row = session.execute(
        select(Offer.id, Offer.status, Offer.hold_reference)
        .join(Buyer, Buyer.id == Offer.buyer_id)
        .where(Offer.id == offer_id, Buyer.identity_id == person_id)
        .with_for_update(of=Offer)
    ).one_or_none()
    if row is None:
        raise NotFoundError
    if row.status == "cancelled":
        return
    if row.status != "open":
        raise OfferEndedError(state=row.status)
    session.execute(
        update(Offer)
        .where(Offer.id == offer_id)
        .values(
            status="cancelled",
            ended_at=func.clock_timestamp(),
            updated_at=func.clock_timestamp(),
        )
    )
    ledger().void_many([row.hold_reference])
