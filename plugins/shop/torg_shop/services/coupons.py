"""Coupons: made by staff, used by orders. A coupon's row is locked while it is used.

So its total limit, also a CHECK, and its limit for a person hold however many use it at once.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from torg.db import session
from torg.errors import NotFoundError
from torg.money import Money
from torg_shop.domain.pricing import Reduction, discount
from torg_shop.errors.orders import CouponInvalidError, CouponTakenError, CouponUsedUpError
from torg_shop.models.coupons import Coupon, CouponUse

COLUMNS: Select[*tuple[Any, ...]] = select(
    Coupon.id,
    Coupon.code,
    Coupon.percent,
    Coupon.amount_minor,
    Coupon.minimum_minor,
    Coupon.currency,
    Coupon.valid_from,
    Coupon.valid_until,
    Coupon.total_limit,
    Coupon.per_user_limit,
    Coupon.used_count,
    Coupon.is_active,
    Coupon.created_at,
)


def create(given: Mapping[str, Any]) -> Any:
    """Make a coupon; the row.

    Raises:
        CouponTakenError: there is one of this code.
    """
    amount: Money | None = given.get("amount")
    minimum: Money | None = given.get("minimum")
    currency = next((each.currency for each in (amount, minimum) if each is not None), None)
    plain = ("code", "percent", "valid_from", "valid_until", "total_limit", "per_user_limit")
    values = {name: given.get(name) for name in plain}
    values |= {
        "amount_minor": None if amount is None else amount.minor,
        "minimum_minor": 0 if minimum is None else minimum.minor,
        "currency": currency,
    }
    made = session.scalar(
        insert(Coupon).values(**values).on_conflict_do_nothing().returning(Coupon.id)
    )
    if made is None:
        raise CouponTakenError(coupon_code=given["code"])
    return session.execute(COLUMNS.where(Coupon.id == made)).one()


def remove(coupon_id: int) -> None:
    """Let nobody use a coupon any more.

    Raises:
        NotFoundError: there is none.
    """
    done = session.scalar(
        update(Coupon)
        .where(Coupon.id == coupon_id, Coupon.is_active)
        .values(is_active=False, updated_at=func.clock_timestamp())
        .returning(Coupon.id)
    )
    if done is None:
        raise NotFoundError


def use(code: str, identity_id: int, cost: Money) -> tuple[int, int]:
    """Use a coupon once; returns its id and the minor units that come off.

    Raises:
        CouponInvalidError: there is none, or it is not for now or for this order.
        CouponUsedUpError: it was used as often as it may be.
    """
    row = session.execute(
        COLUMNS.where(
            Coupon.code == code.upper(),
            Coupon.is_active,
            or_(Coupon.valid_from.is_(None), Coupon.valid_from <= func.clock_timestamp()),
            or_(Coupon.valid_until.is_(None), Coupon.valid_until > func.clock_timestamp()),
        ).with_for_update()
    ).one_or_none()
    if row is None or (row.currency is not None and row.currency != cost.currency):
        raise CouponInvalidError
    off = discount(cost.minor, Reduction(row.percent, row.amount_minor, row.minimum_minor))
    if off is None:
        raise CouponInvalidError
    is_used_up = row.total_limit is not None and row.used_count >= row.total_limit
    if is_used_up or _is_used_up_by(identity_id, row):
        raise CouponUsedUpError
    session.execute(
        update(Coupon).where(Coupon.id == row.id).values(used_count=Coupon.used_count + 1)
    )
    return row.id, off


def note(coupon_id: int, identity_id: int, order_id: int) -> None:
    """Write down on which order a coupon was used."""
    session.execute(
        insert(CouponUse).values(coupon_id=coupon_id, identity_id=identity_id, order_id=order_id)
    )


def give_back(coupon_id: int, order_id: int) -> None:
    """An order is cancelled: its coupon may be used again."""
    session.execute(
        update(Coupon).where(Coupon.id == coupon_id).values(used_count=Coupon.used_count - 1)
    )
    session.execute(delete(CouponUse).where(CouponUse.order_id == order_id))


def _is_used_up_by(identity_id: int, row: Any) -> bool:
    if row.per_user_limit is None:
        return False
    # A statement of its own, after the lock: it sees what others have used meanwhile.
    uses = session.scalar(
        select(func.count()).where(
            CouponUse.coupon_id == row.id, CouponUse.identity_id == identity_id
        )
    )
    return bool(uses is not None and uses >= row.per_user_limit)
