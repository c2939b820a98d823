"""Who hears of an order's steps: the buyer by mail, other plugins by events."""

from typing import Any

from torg import events
from torg.money import Money
from torg_shop import emails


def placed(order: Any) -> None:
    """It was ordered."""
    _publish("shop.order_placed", order)
    emails.tell("shop.order_placed", order)


def paid(order: Any) -> None:
    """It is paid."""
    _publish("shop.order_paid", order)
    emails.tell("shop.order_paid", order)


def shipped(order: Any) -> None:
    """It was sent."""
    emails.tell("shop.order_shipped", order)


def cancelled(order: Any) -> None:
    """It was given up."""
    _publish("shop.order_cancelled", order)
    emails.tell("shop.order_cancelled", order)


def _publish(name: str, order: Any) -> None:
    total = Money(order.total_minor, order.currency)
    events.publish(name, {"number": order.number, "buyer_id": order.buyer_id, "total": total})
