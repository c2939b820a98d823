"""What carts, orders and coupons refuse. Each class docstring is the page behind `type`."""

from torg.errors import ConflictError, FieldProblem, InvalidError
from torg.i18n import gettext


class ProductUnknownError(InvalidError):
    """There is no such product, or it is no longer for sale."""

    code = "product_unknown"
    title = "No such product"
    detail = "There is no product {product_id} for sale."
    public = ("product_id",)

    def __init__(self, *, product_id: int, pointer: str = "/product_id") -> None:
        """Point at the field."""
        problem = FieldProblem(pointer, "product_unknown", gettext("It is not for sale."))
        super().__init__(errors=[problem], product_id=product_id)


class CartFullError(ConflictError):
    """The cart holds as many different products as it may."""

    code = "cart_full"
    title = "The cart is full"
    detail = "A cart holds at most {most} different products."
    public = ("most",)


class CartEmptyError(InvalidError):
    """There is nothing in the cart to be ordered."""

    code = "cart_empty"
    title = "The cart is empty"
    detail = "Put something into the cart first."


class CartCurrencyError(InvalidError):
    """One order is in one currency: order the rest apart."""

    code = "cart_currency"
    title = "Several currencies"
    detail = "The products of one order have prices in one currency."


class CartChangedError(ConflictError):
    """A price has changed since it was put into the cart, or a product is no longer for sale.

    Nothing was ordered. Look at the cart; changing a line's quantity accepts its present price, and
    `expected_total` equal to the cart's total accepts all of them.
    """

    code = "cart_changed"
    title = "The cart has changed"
    detail = "Prices or products of the cart have changed: look at it again."


class OutOfStockError(ConflictError):
    """There are not so many left. Nothing was ordered and the cart is as it was."""

    code = "out_of_stock"
    title = "Out of stock"
    detail = "There are not so many left."


class CouponInvalidError(InvalidError):
    """There is no such coupon, its time is over or has not begun, or it is not for this order."""

    code = "coupon_invalid"
    title = "The coupon is not valid"
    detail = "The coupon is not valid for this order."


class CouponUsedUpError(ConflictError):
    """The coupon was used as often as it may be, by everybody or by you."""

    code = "coupon_used_up"
    title = "The coupon is used up"
    detail = "The coupon was used as often as it may be."


class CouponTakenError(ConflictError):
    """There is a coupon of this code already."""

    code = "coupon_taken"
    title = "Taken already"
    detail = "There is a coupon {coupon_code} already."
    public = ("coupon_code",)


class PointsRefusedError(InvalidError):
    """So many points cannot pay a part of this order: there are none here, or it costs less."""

    code = "points_refused"
    title = "Points are not accepted"
    detail = "These points cannot pay a part of this order."


class PaymentUnderWayError(ConflictError):
    """The order is being paid by this provider already: finish that payment, or choose another one.

    `reference` names it.
    """

    code = "payment_under_way"
    title = "Being paid already"
    detail = "The payment {reference} of this order is under way."
    public = ("reference",)


class TooManyPaymentsError(ConflictError):
    """The order was tried to be paid by providers as often as it may be: pay from the wallet."""

    code = "too_many_payments"
    title = "Tried too often"
    detail = "An order can be tried to be paid by providers at most {most} times."
    public = ("most",)


class OrderStepError(ConflictError):
    """The order's statuses do not allow this now."""

    code = "order_step"
    title = "Not possible now"
    detail = "The order is {order_status}, {payment_status}, {fulfilment_status}."
    public = ("order_status", "payment_status", "fulfilment_status")
