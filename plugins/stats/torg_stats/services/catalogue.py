"""What can be counted now: the metrics of the plugins that are active.

Owns the look-up by name. Nothing here is stored, so a plugin that is switched off takes its metrics
along and nothing else.
"""

import logging
from collections.abc import Iterator
from typing import Any

from torg import plugins
from torg.errors import FieldProblem
from torg.i18n import gettext
from torg_metrics import Facts, Metric, Ratio
from torg_stats.domain.measures import Countable, Measure, measure
from torg_stats.errors import QuestionRefusedError

_log = logging.getLogger(__name__)


def metrics() -> dict[str, Countable]:
    """Everything that can be counted, by name, in the order of plugins."""
    found: dict[str, Countable] = {}
    for plugin, offered in plugins.call("stats_metrics"):
        for each in _listed(plugin, offered):
            found.setdefault(each.name, each)
    return found


def find(name: str, place: int = 0) -> Countable:
    """The metric of that name.

    Args:
        name: as the catalogue has it.
        place: where the name stood in the query, for the pointer.

    Raises:
        QuestionRefusedError: there is none, or its plugin is off.
    """
    present = metrics()
    if name not in present:
        raise QuestionRefusedError(
            errors=[
                FieldProblem(
                    f"/metric/{place}",
                    "unknown",
                    gettext("One of: {allowed}.", allowed=", ".join(present) or gettext("none")),
                )
            ]
        )
    return present[name]


def parts(countable: Countable) -> tuple[Metric, ...]:
    """The metrics that have to be read for it."""
    return (countable.top, countable.bottom) if isinstance(countable, Ratio) else (countable,)


def sources() -> dict[str, tuple[Facts, tuple[Measure, ...]]]:
    """All facts that metrics come from, with what is counted of them, by the facts' name."""
    facts: dict[str, Facts] = {}
    wanted: dict[str, set[Measure]] = {}
    for countable in metrics().values():
        for each in parts(countable):
            facts.setdefault(each.facts.name, each.facts)
            wanted.setdefault(each.facts.name, set()).add(measure(each))
    # None sorts with nothing, so the names decide.
    return {
        name: (facts[name], tuple(sorted(wanted[name], key=lambda one: one.key))) for name in facts
    }


def _listed(plugin: str, offered: Any) -> Iterator[Countable]:
    try:
        yield from offered
    except Exception:
        # As with hooks themselves: one plugin's fault takes away its own metrics alone.
        _log.exception("metrics of %s cannot be read", plugin)
