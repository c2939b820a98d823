"""Orders paid by a payment provider: begun by the buyer, ended by what the provider tells.

The money comes into the buyer's wallet and is set aside there for the order in the same moment; the
order takes it from there. So whatever comes too late, twice or for an order that is given up stays
with the buyer. Locks as everywhere: order, stock by product id, accounts by id.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import func, insert, select, update

from torg import contracts
from torg.db import session
from torg.errors import NotFoundError
from torg.money import Money
from torg_ledger import Collection, CollectionStatus
from torg_shop.domain import statuses
from torg_shop.errors.orders import PaymentUnderWayError, TooManyPaymentsError
from torg_shop.models.orders import Order
from torg_shop.models.payments import Payment
from torg_shop.queries import payments as queries
from torg_shop.services import orders, stock
from torg_shop.services.payments import COLLECTING, PURPOSE, SOURCE, take_held

MOST_PAYMENTS = 20
# The order takes the money within seconds; were the shop away for longer, it is the buyer's again.
_HELD_FOR = timedelta(days=7)


def begin(number: str, buyer_id: int, provider: str) -> str:
    """Begin to pay one's order by a provider; returns the payment's reference.

    Raises:
        NotFoundError: the buyer has no such order.
        OrderStepError: it does not await payment.
        PaymentUnderWayError: one by this provider is under way.
        TooManyPaymentsError: it was tried too often.
        ProviderUnknownError, CurrencyNotOfferedError, PaymentTooLargeError: it cannot be paid so.
        ContractMissingError: nobody keeps accounts here.
    """
    order = orders.locked(number, buyer_id)
    orders.require(order, {"payment": "paid"})
    begun = session.execute(
        select(Payment.reference, Payment.provider, Payment.status).where(
            Payment.order_id == order.id
        )
    ).all()
    for each in begun:
        if (each.provider, each.status) == (provider, "under_way"):
            raise PaymentUnderWayError(reference=each.reference)
    if len(begun) >= MOST_PAYMENTS:
        raise TooManyPaymentsError(most=MOST_PAYMENTS)
    made = contracts.require("ledger", COLLECTING).collect(
        buyer_id,
        Money(order.total_minor, order.currency),
        provider,
        source=SOURCE,
        purpose=PURPOSE,
        key=f"{number}:provider:{len(begun) + 1}",
        held_for=_HELD_FOR,
        description=number,
    )
    session.execute(
        insert(Payment).values(order_id=order.id, reference=made.reference, provider=provider)
    )
    reference: str = made.reference
    return reference


def listed(arguments: Mapping[str, Any], number: str, buyer_id: int) -> Any:
    """A page of the payments of one's order.

    Raises:
        NotFoundError: the buyer has no such order.
    """
    if not queries.is_own(number, buyer_id):
        raise NotFoundError
    page = queries.PaymentListing.page(queries.of_order(number, buyer_id), arguments)
    return {**page, "items": _shown(page["items"])}


def show(number: str, reference: str, buyer_id: int) -> dict[str, Any]:
    """One of them.

    Raises:
        NotFoundError: the buyer has no such order, or it no such payment.
    """
    asked = queries.of_order(number, buyer_id).where(Payment.reference == reference)
    found = session.execute(asked).all()
    if not found:
        raise NotFoundError
    return _shown(found)[0]


def _shown(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Payments with what their provider says to the buyer."""
    ledger = contracts.find("ledger", COLLECTING)
    said = {} if ledger is None else ledger.collections([row.reference for row in rows])
    return [{**row._asdict(), **_words(row, said.get(row.reference))} for row in rows]


def _words(row: Any, said: Collection | None) -> dict[str, str]:
    if said is None:
        return {"next_step": "", "reason": ""}
    # Nobody is asked for money any more that has come, or that nothing waits for.
    waits = row.status == "under_way" and row.payment_status == "awaiting_payment"
    return {"next_step": said.next_step if waits else "", "reason": said.reason}


def heard(payload: Mapping[str, Any]) -> None:
    """A deposit has ended, perhaps one for an order; told twice, it has one effect.

    Raises:
        HoldClosedError: the time of what was set aside ended while it was to be taken; the event
            comes again, and finds it so.
    """
    reference = payload["reference"]
    asked = (
        select(Order.number)
        .join(Payment, Payment.order_id == Order.id)
        .where(Payment.reference == reference, Payment.status == "under_way")
    )
    number = session.scalar(asked)
    if number is None:
        return
    order = orders.locked(number)
    # Under the lock, by a statement of its own: somebody else may have heard it, too.
    if session.scalar(asked) is None:
        return
    ledger = contracts.require("ledger", COLLECTING)
    found = ledger.collections([reference])[reference]
    if found.status is CollectionStatus.UNDER_WAY:
        return
    status = "failed"
    if found.status is CollectionStatus.COLLECTED:
        status = _arrived(order, found.hold if found.is_held else None)
    session.execute(
        update(Payment)
        .where(Payment.reference == reference)
        .values(status=status, updated_at=func.clock_timestamp())
    )


def hear_of(number: str) -> None:
    """Take note of what has ended for an order and nobody has told yet, because jobs are late."""
    if contracts.find("ledger", COLLECTING) is None:
        return
    waiting = select(Payment.reference).join(Order, Order.id == Payment.order_id)
    for reference in session.scalars(
        waiting.where(Order.number == number, Payment.status == "under_way")
    ).all():
        heard({"reference": reference})


def _arrived(order: Any, hold: str | None) -> str:
    """Pay the order with what is held for it, if it still waits; else let the buyer have it."""
    if hold is None:
        return "kept"
    if not statuses.may_step("payment", order.payment_status, "paid"):
        contracts.require("ledger", COLLECTING).void(hold)
        return "kept"
    # Before the money: stock is locked before accounts.
    stock.close_reservation(order.id, "taken")
    orders.settle(order, take_held(order, hold), order.buyer_id)
    return "applied"
