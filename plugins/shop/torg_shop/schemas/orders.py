"""Carts, orders and coupons: names and bounds."""

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, validates_schema

from torg.i18n import gettext
from torg.schemas import (
    Boolean,
    Enum,
    Id,
    Integer,
    List,
    MoneyField,
    Nested,
    Schema,
    Text,
    Timestamp,
)
from torg_shop.domain import statuses
from torg_shop.domain.pricing import MOST_LINES, MOST_OF_ONE
from torg_shop.schemas.catalogue import MOST_MINOR

_NUMBER: dict[str, Any] = {"maximum": 20, "example": "S9F86D081884C4D65"}
_COUPON: dict[str, Any] = {"maximum": 40, "pattern": "[A-Za-z0-9-]{3,40}", "example": "SPRING-10"}
STATUSES, PAYMENT_STATUSES = tuple(statuses.ORDER), tuple(statuses.PAYMENT)
FULFILMENT_STATUSES = tuple(statuses.FULFILMENT)
_ALL_STATUSES = tuple(dict.fromkeys(STATUSES + PAYMENT_STATUSES + FULFILMENT_STATUSES))


class AddLine(Schema):
    """What is put into the cart."""

    product_id = Id(required=True)
    quantity = Integer(minimum=1, maximum=MOST_OF_ONE, load_default=1, example=2)


class ChangeLine(Schema):
    """How many; this accepts the present price."""

    quantity = Integer(minimum=1, maximum=MOST_OF_ONE, required=True, example=3)


class CartLine(Schema):
    """A product in the cart, and what has changed since it was put there."""

    id = Id()
    product_id = Id()
    name = Text(maximum=100, example="A kettle")
    sku = Text(maximum=64, example="KET-1")
    quantity = Integer(minimum=1, maximum=MOST_OF_ONE)
    price = MoneyField(minor="price_minor", description="What one costs now.")
    seen_price = MoneyField(
        minor="seen_price_minor",
        currency="seen_currency",
        description="What one cost when it was put in or last changed.",
    )
    problems = List(
        Enum(("price_changed", "out_of_stock", "not_for_sale")),
        maximum=3,
        description="Why this line cannot be ordered as it is.",
    )


class Cart(Schema):
    """Your cart at present prices."""

    lines = List(Nested(CartLine), maximum=MOST_LINES)
    total = MoneyField(
        allow_none=True, description="Of all lines; null when empty or in several currencies."
    )
    token = Text(
        maximum=64,
        allow_none=True,
        example="3q2-7wAAAAA",
        description="A new guest's: send it as `Cart-Token` from now on. Else null.",
    )


class PlaceOrder(Schema):
    """How to order what is in the cart; an empty object is enough."""

    coupon = Text(**_COUPON, allow_none=True, load_default=None)
    expected_total = MoneyField(
        maximum_minor=10**18,
        allow_none=True,
        load_default=None,
        description="The cart's total as you saw it: if it is right, changed prices are accepted.",
    )
    points = Integer(
        minimum=0,
        maximum=10**18,
        load_default=0,
        example=150,
        description="Bonus points that pay a part, each one minor unit.",
    )
    payment = Enum(
        ("wallet", "later"),
        allow_none=True,
        load_default=None,
        description="From the wallet at once, or later; by default the wallet where there is one.",
    )


class BeginPayment(Schema):
    """By whom the order is to be paid."""

    provider = Text(maximum=64, pattern="[a-z][a-z0-9_]*", required=True, example="sandbox")


class Payment(Schema):
    """A payment by a provider.

    It is `under_way`; it has paid the order (`applied`); it came when the order no longer waited
    for it, and its money stays in your wallet (`kept`); or it `failed`.
    """

    reference = Text(
        maximum=40,
        example="DP0123456789ABCDEF01234567",
        description="Also that of the deposit in your wallet.",
    )
    provider = Text(maximum=64, example="sandbox")
    status = Enum(("under_way", "applied", "kept", "failed"))
    amount = MoneyField(minor="total_minor")
    next_step = Text(
        maximum=2000, minimum=0, description="What to do now; empty when it waits no more."
    )
    reason = Text(maximum=500, minimum=0, description="Why it failed.")
    created_at = Timestamp()
    updated_at = Timestamp()


class OrderLine(Schema):
    """What was ordered, as it was called and priced then."""

    product_id = Id()
    name = Text(maximum=100, example="A kettle")
    sku = Text(maximum=64, example="KET-1")
    price = MoneyField(minor="price_minor")
    quantity = Integer(minimum=1, maximum=MOST_OF_ONE)


class OrderEvent(Schema):
    """A step of one of the statuses."""

    kind = Enum(("order", "payment", "fulfilment"))
    from_status = Enum(_ALL_STATUSES, allow_none=True)
    to_status = Enum(_ALL_STATUSES)
    created_at = Timestamp()


class OrderSummary(Schema):
    """An order in a list."""

    number = Text(**_NUMBER)
    status = Enum(STATUSES)
    payment_status = Enum(PAYMENT_STATUSES)
    fulfilment_status = Enum(FULFILMENT_STATUSES)
    total = MoneyField(minor="total_minor")
    created_at = Timestamp()


class Order(OrderSummary):
    """An order with its lines and its history."""

    subtotal = MoneyField(minor="subtotal_minor")
    discount = MoneyField(minor="discount_minor")
    points = Integer(minimum=0, description="Bonus points that paid a part.", example=150)
    coupon = Text(maximum=40, allow_none=True, example="SPRING-10")
    expires_at = Timestamp(description="Until when it waits for payment.")
    lines = List(Nested(OrderLine), maximum=MOST_LINES)
    events = List(Nested(OrderEvent), maximum=20)


class CreateCoupon(Schema):
    """A new coupon: either a share or an amount."""

    code = Text(maximum=40, pattern="[A-Z0-9-]{3,40}", required=True, example="SPRING-10")
    percent = Integer(minimum=1, maximum=100, allow_none=True, load_default=None, example=10)
    amount = MoneyField(
        minimum_minor=1, maximum_minor=MOST_MINOR, allow_none=True, load_default=None
    )
    minimum = MoneyField(
        maximum_minor=MOST_MINOR,
        allow_none=True,
        load_default=None,
        description="What the goods have to cost at least.",
    )
    valid_from = Timestamp(allow_none=True, load_default=None)
    valid_until = Timestamp(allow_none=True, load_default=None)
    total_limit = Integer(minimum=1, maximum=10**9, allow_none=True, load_default=None)
    per_user_limit = Integer(minimum=1, maximum=10**9, allow_none=True, load_default=None)

    @validates_schema
    def _check(self, data: Mapping[str, Any], **_keywords: Any) -> None:
        amount, minimum = data.get("amount"), data.get("minimum")
        if (data.get("percent") is None) == (amount is None):
            raise ValidationError(gettext("Give either percent or amount."), "percent")
        if amount is not None and minimum is not None and amount.currency != minimum.currency:
            raise ValidationError(gettext("Has to be in the currency of amount."), "minimum")
        begin, end = data.get("valid_from"), data.get("valid_until")
        if begin is not None and end is not None and end <= begin:
            raise ValidationError(gettext("Has to be after valid_from."), "valid_until")


class Coupon(Schema):
    """A coupon as staff see it."""

    id = Id()
    code = Text(maximum=40, example="SPRING-10")
    percent = Integer(minimum=1, maximum=100, allow_none=True)
    amount = MoneyField(allow_none=True)
    minimum = MoneyField(allow_none=True)
    valid_from = Timestamp(allow_none=True)
    valid_until = Timestamp(allow_none=True)
    total_limit = Integer(minimum=1, allow_none=True)
    per_user_limit = Integer(minimum=1, allow_none=True)
    used_count = Integer(minimum=0)
    is_active = Boolean()
    created_at = Timestamp()


class OrderHappened(Schema):
    """The domain events `shop.order_placed`, `shop.order_paid` and `shop.order_cancelled` 1.0."""

    number = Text(**_NUMBER, required=True)
    buyer_id = Id(required=True)
    total = MoneyField(required=True)
