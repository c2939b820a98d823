"""The three statuses of an order and the steps each may take. The database holds the same table."""

from collections.abc import Mapping

ORDER: Mapping[str, frozenset[str]] = {
    "placed": frozenset({"completed", "cancelled"}),
    "completed": frozenset(),
    "cancelled": frozenset(),
}
PAYMENT: Mapping[str, frozenset[str]] = {
    "awaiting_payment": frozenset({"paid", "voided"}),
    "paid": frozenset({"refunded"}),
    "refunded": frozenset(),
    "voided": frozenset(),
}
FULFILMENT: Mapping[str, frozenset[str]] = {
    "unfulfilled": frozenset({"shipped", "cancelled"}),
    "shipped": frozenset(),
    "cancelled": frozenset(),
}
MACHINES: Mapping[str, Mapping[str, frozenset[str]]] = {
    "order": ORDER,
    "payment": PAYMENT,
    "fulfilment": FULFILMENT,
}


def may_step(machine: str, present: str, following: str) -> bool:
    """Whether a status may become another one."""
    return following in MACHINES[machine][present]
