"""The money of orders: set aside and taken through the contract `ledger`, when there is one."""

from typing import Any

from torg import contracts
from torg.money import Money
from torg_ledger import AccountKind, Entry

SOURCE, PURPOSE = "shop", "order"
# The ledger that can have a provider bring money in.
COLLECTING = ">=1.2,<2"
SALES = "shop:sales"


def pays_at_once(asked: str | None, total_minor: int) -> bool:
    """Whether an order is paid when it is placed: what is free always is."""
    if total_minor == 0 or asked == "wallet":
        return True
    return asked is None and contracts.find("ledger", ">=1,<2") is not None


def take(order: Any) -> str | None:
    """Take what an order costs from its buyer; returns the transfer, None when it is free.

    Raises:
        InsufficientFundsError: he does not have it.
        ContractMissingError: nobody keeps accounts here.
    """
    if order.total_minor == 0:
        return None
    ledger = contracts.require("ledger", ">=1,<2")
    total = Money(order.total_minor, order.currency)
    main = ledger.open_account("main", order.currency, owner_id=order.buyer_id)
    sales = ledger.open_account(SALES, order.currency, kind=AccountKind.INCOME)
    named = {"source": SOURCE, "purpose": PURPOSE, "description": order.number}
    held = ledger.hold(main, total, key=f"{order.number}:hold", expires_at=None, **named)
    posted = ledger.capture(
        held.reference,
        [Entry(sales, total)],
        key=f"{order.number}:pay",
        external_reference=order.number,
        actor_id=order.buyer_id,
        **named,
    )
    transfer: str = posted.reference
    return transfer


def take_held(order: Any, hold: str) -> str:
    """Take what a provider brought in for an order; returns the transfer.

    Args:
        order: its row.
        hold: what is set aside for it, all of its total.

    Raises:
        HoldClosedError: its time is over.
    """
    total = Money(order.total_minor, order.currency)
    ledger = contracts.require("ledger", COLLECTING)
    sales = ledger.open_account(SALES, order.currency, kind=AccountKind.INCOME)
    transfer: str = ledger.capture(
        hold,
        [Entry(sales, total)],
        source=SOURCE,
        purpose=PURPOSE,
        # As when it is taken from the wallet: an order is never paid by both.
        key=f"{order.number}:pay",
        external_reference=order.number,
        description=order.number,
        actor_id=order.buyer_id,
    ).reference
    return transfer


def give_back(order: Any) -> None:
    """Give the buyer back what an order took from his wallet; other money is the staff's matter."""
    if order.transfer is None:
        return
    contracts.require("ledger", ">=1,<2").reverse(
        order.transfer,
        source=SOURCE,
        key=f"{order.number}:refund",
        purpose="order_refund",
        description=order.number,
    )
