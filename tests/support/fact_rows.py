"""Facts of a plugin as plain rows, and metrics added up from them one by one.

Owns no SQL of its own but the facts' select, so that what the database adds up is not trusted.
"""

from collections import Counter, defaultdict
from decimal import Decimal
from typing import Any

from torg.db import session, unit_of_work
from torg_metrics import Aggregate, Facts, Metric, Ratio


class FactRows:
    """Reads the facts of an application."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def of(self, facts: Facts) -> list[dict[str, Any]]:
        """All rows, by column."""
        with unit_of_work("read", self.app):
            return [dict(row) for row in session.execute(facts.select()).mappings()]

    def taken(self, *many: Facts) -> Counter[Any]:
        """Every row of some facts, to be held against later ones."""
        return Counter(
            (facts.name, tuple(sorted(row.items()))) for facts in many for row in self.of(facts)
        )

    def total(self, metric: Metric | Ratio, by: str | None = None, **only: Any) -> Any:
        """A metric over all time: a number, or one by value of `by`.

        Args:
            metric: which.
            by: a column of its facts.
            **only: values that columns have to have.
        """
        if isinstance(metric, Ratio):
            top, bottom = self.total(metric.top, by, **only), self.total(metric.bottom, by, **only)
            if by is None:
                return Decimal(top) / bottom if bottom else None
            return {key: Decimal(top.get(key, 0)) / bottom[key] for key in bottom if bottom[key]}
        found: dict[Any, list[Any]] = defaultdict(list)
        for row in self.of(metric.facts):
            if any(row[name] != value for name, value in only.items()):
                continue
            if metric.where is not None and not row[metric.where]:
                continue
            value = 1 if metric.value is None else row[metric.value]
            if value is not None:
                found[None if by is None else row[by]].append(value)
        added = {
            key: len(set(values)) if metric.aggregate is Aggregate.DISTINCT else sum(values)
            for key, values in found.items()
        }
        return added if by is not None else added.get(None, 0)
