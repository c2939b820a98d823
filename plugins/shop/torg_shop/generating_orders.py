"""A year of orders out of nothing, back-dated: for demonstrations, statistics and measurements.

Owns the drawing. Each order is written as the services would have left it by now: lines at the
product's price, three statuses, every step in the history at the moment it would have been taken.
Nobody's wallet paid for it (as orders whose money staff saw arrive), and its goods were sold from
stock that is gone already, so present stock, books and reservations stay as they are.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from random import Random
from typing import Any

from sqlalchemy import func, insert, select

from torg.db import session
from torg_shop.models.carts import CartStart
from torg_shop.models.catalogue import Product
from torg_shop.models.orders import Order, OrderEvent, OrderLine
from torg_shop.services import popularity, recommendations

_DAYS = 365
_AT_ONCE = 2000
_FIRST = {"order": "placed", "payment": "awaiting_payment", "fulfilment": "unfulfilled"}
# How orders end: of a hundred, eight are never paid, three sent and refunded; the rest is paid.
_NEVER_PAID, _REFUNDED = 0.08, 0.11
# How often who buys a thing takes what stands beside it in the catalogue, too.
_TAKES_ITS_NEIGHBOUR = 0.3
# The number of a cart that is no more.
_GONE_CART = func.nextval(func.pg_get_serial_sequence("shop_cart", "id"))


@dataclass(frozen=True, slots=True)
class _Step:
    """One step of a status, as the history holds it."""

    kind: str
    before: str | None
    after: str
    at: datetime


def generate_orders(random: Random, number: int, now: datetime, buyers: list[int]) -> int:
    """Enter so many orders of the last twelve months; returns how many.

    Args:
        random: where every chance comes from.
        number: how many.
        now: the latest moment; more orders are near it than a year before.
        buyers: identities of whom they are.

    Raises:
        ValueError: there is nothing for sale, or nobody to buy it.
    """
    products = _for_sale()
    if not products or not buyers:
        raise ValueError("orders need products and buyers")
    # A few things sell well, most of them hardly.
    weights = list(accumulate(random.paretovariate(1.2) for _ in products))
    moments = sorted(now - timedelta(days=_DAYS) * _age(random) for _ in range(number))
    for start in range(0, number, _AT_ONCE):
        part = moments[start : start + _AT_ONCE]
        drawn = [_drawn(random, products, weights) for _ in part]
        _insert(random, part, now, buyers, products, drawn)
    popularity.rebuild()
    recommendations.rebuild()
    return number


def _for_sale() -> list[Any]:
    """What is for sale in the currency that most of it has."""
    currency = session.scalar(
        select(Product.currency)
        .where(Product.is_active)
        .group_by(Product.currency)
        .order_by(func.count().desc(), Product.currency)
        .limit(1)
    )
    return list(
        session.execute(
            select(Product.id, Product.name, Product.sku, Product.price_minor, Product.currency)
            .where(Product.is_active, Product.currency == currency)
            .order_by(Product.id)
        )
    )


def _age(random: Random) -> float:
    """How old an order is, as a part of the year: the shop grows, so the young are more."""
    age: float = random.random() ** 1.5
    return age


def _drawn(random: Random, products: list[Any], weights: list[float]) -> dict[int, int]:
    """Places of products and how many of each."""
    places = random.choices(
        range(len(products)), cum_weights=weights, k=random.choice((1, 1, 1, 2, 2, 3))
    )
    if random.random() < _TAKES_ITS_NEIGHBOUR:
        places.append((places[0] ^ 1) % len(products))
    return {place: random.choice((1, 1, 1, 2, 3)) for place in dict.fromkeys(places)}


def _history(random: Random, at: datetime, now: datetime) -> list[_Step]:
    """Every step an order has taken by now."""
    steps = [_Step(kind, None, first, at) for kind, first in _FIRST.items()]
    chance = random.random()
    over, paid = at + timedelta(minutes=30), at + timedelta(minutes=random.randint(1, 20))
    sent = paid + timedelta(hours=random.randint(6, 96))
    back = sent + timedelta(days=random.randint(3, 14))
    if chance < _NEVER_PAID:
        steps += [
            _Step("order", "placed", "cancelled", over),
            _Step("payment", "awaiting_payment", "voided", over),
            _Step("fulfilment", "unfulfilled", "cancelled", over),
        ]
    else:
        steps += [
            _Step("payment", "awaiting_payment", "paid", paid),
            _Step("order", "placed", "completed", sent),
            _Step("fulfilment", "unfulfilled", "shipped", sent),
        ]
        if chance < _REFUNDED:
            steps.append(_Step("payment", "paid", "refunded", back))
    return [step for step in steps if step.at <= now]


def _insert(
    random: Random,
    moments: list[datetime],
    now: datetime,
    buyers: list[int],
    products: list[Any],
    drawn: list[dict[int, int]],
) -> None:
    # Nothing is left waiting for its payment: goods would have to be set aside for it.
    moments = [min(each, now - timedelta(minutes=31)) for each in moments]
    histories = [_history(random, at, now) for at in moments]
    orders = [
        _order(random.choice(buyers), products, wanted, steps)
        for wanted, steps in zip(drawn, histories, strict=True)
    ]
    made = insert(Order).returning(Order.id, sort_by_parameter_order=True)
    ids = list(session.scalars(made, orders))
    session.execute(
        insert(OrderLine),
        [
            _line(order_id, products[place], quantity)
            for order_id, wanted in zip(ids, drawn, strict=True)
            for place, quantity in wanted.items()
        ],
    )
    # Two of three carts become orders.
    begun = [at for place, at in enumerate(moments) for _ in range(1 + place % 2)]
    started = insert(CartStart).values(cart_id=_GONE_CART)
    session.execute(started, [{"begun_at": each} for each in begun])
    session.execute(
        insert(OrderEvent),
        [
            _event(order_id, order["buyer_id"], step)
            for order_id, order, steps in zip(ids, orders, histories, strict=True)
            for step in steps
        ],
    )


def _order(
    buyer_id: int, products: list[Any], wanted: dict[int, int], steps: list[_Step]
) -> dict[str, Any]:
    present = {step.kind: step.after for step in steps}
    cost = sum(products[place].price_minor * quantity for place, quantity in wanted.items())
    return {
        "buyer_id": buyer_id,
        "currency": products[0].currency,
        "subtotal_minor": cost,
        "total_minor": cost,
        "status": present["order"],
        "payment_status": present["payment"],
        "fulfilment_status": present["fulfilment"],
        "expires_at": steps[0].at + timedelta(minutes=30),
        "created_at": steps[0].at,
        "updated_at": steps[-1].at,
    }


def _line(order_id: int, product: Any, quantity: int) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "product_id": product.id,
        "name": product.name,
        "sku": product.sku,
        "price_minor": product.price_minor,
        "quantity": quantity,
    }


def _event(order_id: int, buyer_id: int, step: _Step) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "kind": step.kind,
        "from_status": step.before,
        "to_status": step.after,
        "actor_id": buyer_id if step.before is None else None,
        "created_at": step.at,
    }
