"""Sums over what somebody has traded."""

from typing import Any

from torg.money import Money
from torg_autotrade.queries import single
from torg_autotrade.services.market_context import settings


def of(kind: str, number: int) -> dict[str, Any]:
    """What a dealer, a supplier or a buyer has traded up to now."""
    row = single.sums(kind, number)
    currency = settings().currency
    return {
        "cars": row.cars,
        "turnover": Money(row.turnover, currency),
        "profit": None if row.profit is None else Money(row.profit, currency),
        "partners": row.partners,
        "days_in_stock": row.days_in_stock,
    }
