"""Coupons, for staff."""

from typing import Any

from torg.errors import NotFoundError
from torg.listing import Listing
from torg.money import Money
from torg_shop.errors.orders import CouponTakenError
from torg_shop.models.coupons import Coupon
from torg_shop.routes.blueprint import COUPONS, blueprint
from torg_shop.schemas import orders as shapes
from torg_shop.services import coupons


class CouponListing(Listing):
    """Coupons; the newest first."""

    key = Coupon.id
    sorts = {"created_at": Coupon.created_at}  # noqa: RUF012 - declared so by the host
    default_sort = "-id"


@blueprint.route("/admin/coupons", methods=["GET"])
@blueprint.requires(COUPONS)
@blueprint.arguments(CouponListing.arguments(), location="query")
@blueprint.response(200, CouponListing.envelope(shapes.Coupon))
def list_coupons(arguments: dict[str, Any]) -> Any:
    """List coupons and how often they were used."""
    found = CouponListing.page(coupons.COLUMNS, arguments)
    return {**found, "items": [_shown(row) for row in found["items"]]}


@blueprint.route("/admin/coupons", methods=["POST"])
@blueprint.requires(COUPONS)
@blueprint.idempotent
@blueprint.arguments(shapes.CreateCoupon, example={"code": "SPRING-10", "percent": 10})
@blueprint.response(201, shapes.Coupon)
@blueprint.fails(CouponTakenError)
def create_coupon(arguments: dict[str, Any]) -> Any:
    """Make a coupon."""
    return _shown(coupons.create(arguments))


@blueprint.route("/admin/coupons/<int:coupon_id>", methods=["DELETE"])
@blueprint.requires(COUPONS)
@blueprint.response(204)
@blueprint.fails(NotFoundError)
def remove_coupon(coupon_id: int) -> None:
    """Let nobody use a coupon any more."""
    coupons.remove(coupon_id)


def _shown(row: Any) -> dict[str, Any]:
    facts = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
    currency, amount, minimum = row.currency, row.amount_minor, row.minimum_minor
    facts["amount"] = None if amount is None else Money(amount, currency)
    facts["minimum"] = None if currency is None else Money(minimum, currency)
    return facts
