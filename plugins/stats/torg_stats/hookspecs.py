"""The extension point of statistics."""

from collections.abc import Iterable

from torg import hookspec
from torg_metrics import Metric, Ratio


@hookspec
def stats_metrics() -> "Iterable[Metric | Ratio]":
    """Return what can be counted of the plugin; types: `torg_metrics`.

    Called for every question, so return objects that are made already. A name that two plugins
    return belongs to the first in plugin order.
    """
