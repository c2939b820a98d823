"""What of facts is worth keeping: which sums, by which dimensions. Pure.

A metric with a name is for people; a measure is what its facts are made into, and several metrics
may share one.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from torg_metrics import Aggregate, Facts, Metric, Ratio

Countable = Metric | Ratio


@dataclass(frozen=True, slots=True)
class Measure:
    """What one column of facts is made into; several metrics may share it.

    Attributes:
        value: the column; None counts rows.
        where: the boolean column that says which rows count; None is all.
        is_distinct: different values are counted, not added up.
    """

    value: str | None
    where: str | None
    is_distinct: bool

    @property
    def key(self) -> str:
        """The name under which its sums are kept."""
        kind = "distinct" if self.is_distinct else "sum"
        return f"{kind}:{self.value or ''}:{self.where or ''}"


def measure(metric: Metric) -> Measure:
    """What a metric is made of."""
    return Measure(metric.value, metric.where, metric.aggregate is Aggregate.DISTINCT)


def groupings(facts: Facts) -> list[tuple[str, ...]]:
    """Combinations of dimensions whose sums are kept: none, each alone, those named together."""
    single = [(each.name,) for each in facts.dimensions]
    return list(dict.fromkeys([(), *single, *map(tuple, facts.together)]))


def shape(facts: Facts, measures: Iterable[Measure], zones: Iterable[str]) -> str:
    """A text that changes when other sums would have to be kept."""
    kept = [",".join(each) for each in groupings(facts)]
    return "|".join([*sorted(kept), "/", *(each.key for each in measures), "/", *sorted(zones)])
