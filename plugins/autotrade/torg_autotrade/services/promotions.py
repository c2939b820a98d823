"""Promotions: what is broken is refused at the door, field by field."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, or_, select, update

from torg.db import session
from torg.errors import FieldProblem, InvalidError, NotFoundError
from torg.i18n import gettext
from torg.identity import Identity
from torg_autotrade.models.market import CarModel, Dealer, Promotion, Supplier
from torg_autotrade.services.market_context import settings
from torg_autotrade.services.money_checks import in_market
from torg_autotrade.services.participants import own

_AMOUNTS = ("amount", "cap")


def create(owner: Identity, given: Mapping[str, Any]) -> int:
    """Promote one's own dealer or supplier.

    Args:
        owner: who asks.
        given: title, dealer_id or supplier_id, percent or amount, cap, car_model_ids, starts_at,
            ends_at.

    Raises:
        InvalidError: it makes no sense, each problem with its place.
        NotFoundError: he has no such dealer or supplier.
        WrongMarketCurrencyError: an amount is in another currency than the market's.
    """
    values = _columns(given)
    _check(values)
    kind = "dealer" if values.get("dealer_id") is not None else "supplier"
    own(kind, owner, values[f"{kind}_id"])
    made: int = session.execute(
        insert(Promotion).values(currency=settings().currency, **values).returning(Promotion.id)
    ).scalar_one()
    return made


def change(owner: Identity, promotion_id: int, given: Mapping[str, Any]) -> None:
    """Change one's own promotion; `is_active` false ends it.

    Raises:
        InvalidError, WrongMarketCurrencyError: as `create`.
        NotFoundError: he has no such promotion.
    """
    row = locked(owner, promotion_id)
    values = _columns(given)
    names = ("percent", "amount_minor", "starts_at", "ends_at", "dealer_id", "supplier_id")
    _check({**{each: getattr(row, each) for each in names}, **values})
    if values:
        session.execute(
            update(Promotion)
            .where(Promotion.id == promotion_id)
            .values(
                **values, last_error=None, last_error_at=None, updated_at=func.clock_timestamp()
            )
        )


def locked(owner: Identity, promotion_id: int) -> Any:
    """One's own promotion, kept from others until the end of the transaction.

    Raises:
        NotFoundError: he has no such promotion.
    """
    row = session.execute(
        select(*Promotion.__table__.columns)
        .where(Promotion.id == promotion_id, Promotion.is_active, _is_of(owner))
        .with_for_update()
    ).one_or_none()
    if row is None:
        raise NotFoundError
    return row


def _is_of(owner: Identity) -> Any:
    return or_(
        Promotion.dealer_id.in_(
            select(Dealer.id).where(Dealer.owner_id == owner.id, Dealer.is_active)
        ),
        Promotion.supplier_id.in_(
            select(Supplier.id).where(Supplier.owner_id == owner.id, Supplier.is_active)
        ),
    )


def _columns(given: Mapping[str, Any]) -> dict[str, Any]:
    values = dict(given)
    for name in _AMOUNTS:
        if name in values:
            amount = values.pop(name)
            values[f"{name}_minor"] = None if amount is None else in_market(amount, name)
    return values


def _check(values: Mapping[str, Any]) -> None:
    found: list[tuple[str, str, str]] = []
    if (values.get("percent") is None) == (values.get("amount_minor") is None):
        found.append(("/percent", "one_discount", gettext("Give either percent or amount.")))
    if (values.get("dealer_id") is None) == (values.get("supplier_id") is None):
        found.append(("/dealer_id", "of_one", gettext("Give either dealer_id or supplier_id.")))
    starts: datetime = values["starts_at"]
    if values["ends_at"] <= starts:
        found.append(("/ends_at", "ends_first", gettext("It has to end after its start.")))
    models = values.get("car_model_ids") or []
    known = set(session.execute(select(CarModel.id).where(CarModel.id.in_(models))).scalars())
    found += [
        (f"/car_model_ids/{place}", "car_model_unknown", gettext("There is no such car model."))
        for place, each in enumerate(models)
        if each not in known
    ]
    if found:
        raise InvalidError(errors=[FieldProblem(*each) for each in found])
