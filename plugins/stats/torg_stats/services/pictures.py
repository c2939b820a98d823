"""Answers as pictures: SVG or PNG, drawn by matplotlib, which is loaded when it is first needed."""

import io
import threading
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Literal

from torg.i18n import gettext
from torg.money import scale
from torg_metrics import Unit
from torg_stats.services.answering import Answer, Series

MOST_PANELS, MOST_SERIES, MOST_BARS = 4, 8, 30
_WIDTH, _HEIGHT, _PANEL_HEIGHT, _DOTS = 9.0, 4.8, 2.9, 110
_LONGEST = 40
# As many buckets have a date each below the picture.
_DATED_BUCKETS = 14
_DRAWING = threading.Lock()
# Told apart by people who see colours differently (Okabe and Ito, 2008).
_COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
    "#999999",
)


def drawn(answer: Answer, form: Literal["svg", "png"]) -> bytes:
    """The picture of an answer: lines over time, or bars of totals.

    Each unit and each currency has a panel with a scale of its own. Shows the largest series, and
    says so when there are more.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    # Texts stay texts in SVG: small, searchable, and drawn with the reader's fonts. A fixed salt
    # makes equal answers equal bytes. These settings belong to the process, so one at a time draws.
    with (
        _DRAWING,
        rc_context({"svg.fonttype": "none", "svg.hashsalt": "torg", "path.simplify": True}),
    ):
        panels = _panels(answer)
        height = max(_HEIGHT, _PANEL_HEIGHT * len(panels))
        figure = Figure(figsize=(_WIDTH, height), dpi=_DOTS, layout="constrained")
        every: list[Any] = list(figure.subplots(max(1, len(panels)), 1, squeeze=False)[:, 0])
        for axes, series in zip(every, panels, strict=False):
            _draw(axes, answer, series)
        _titles(every, answer, hidden=len(answer.series) - sum(map(len, panels)) + answer.left_out)
        if not panels:
            every[0].annotate(gettext("Nothing happened"), (0.5, 0.5), xycoords="axes fraction")
        file = io.BytesIO()
        figure.savefig(file, format=form, metadata={"Date": None} if form == "svg" else {})
    return file.getvalue()


def _panels(answer: Answer) -> list[list[Series]]:
    """What is drawn together, the first of each: series that one scale can measure."""
    by_scale: dict[tuple[Unit, str | None], list[Series]] = {}
    for each in answer.series:
        unit = each.metric.unit
        by_scale.setdefault((unit, each.currency if unit is Unit.MONEY else None), []).append(each)
    panels = list(by_scale.values())[:MOST_PANELS]
    most = MOST_SERIES if answer.question.interval else MOST_BARS // max(1, len(panels))
    return [each[:most] for each in panels]


def _draw(axes: Any, answer: Answer, series: Sequence[Series]) -> None:
    first = series[0]
    words = {Unit.PERCENT: "%", Unit.SECONDS: "s", Unit.MONEY: first.currency or ""}
    measured = words.get(first.metric.unit, "")
    axes.spines[["top", "right"]].set_visible(False)
    axes.ticklabel_format(style="plain", useOffset=False)
    many = len({each.metric.name for each in answer.series}) > 1
    if answer.question.interval:
        axes.grid(axis="y", alpha=0.3)
        axes.set_ylabel(measured, fontsize=8)
        _lines(axes, series, with_metric=many)
    else:
        axes.grid(axis="x", alpha=0.3)
        axes.set_xlabel(measured, fontsize=8, loc="right")
        _bars(axes, series, with_metric=many)


def _titles(every: Sequence[Any], answer: Answer, hidden: int) -> None:
    question = answer.question
    names = ", ".join(gettext(each.title) for each in question.metrics)
    every[0].set_title(_plain(names), loc="left", fontsize=11)
    last = question.period.end.fromordinal(question.period.end.toordinal() - 1)
    days = f"{question.period.first} – {last}, {question.period.zone}"
    every[0].set_title(_plain(days), loc="right", fontsize=8)
    if hidden:
        note = gettext("{number} more are not shown", number=hidden)
        every[-1].annotate(note, (1, 0), (0, -34), "axes fraction", "offset points", ha="right",
            fontsize=8)  # fmt: skip


def _lines(axes: Any, series: Sequence[Series], *, with_metric: bool) -> None:
    for each, colour in zip(series, _COLOURS, strict=False):
        days = [day for day, _ in each.points]
        numbers = [_number(value, each) for _, value in each.points]
        label = _label(each, with_metric=with_metric)
        axes.plot(days, numbers, color=colour, label=label, marker="o", ms=2.5)
    if axes.get_ylim()[0] >= 0:
        # A scale that begins elsewhere makes small changes look large.
        axes.set_ylim(bottom=0)
    days = [day for day, _ in series[0].points]
    if len(days) <= _DATED_BUCKETS:
        axes.set_xticks(days, [day.isoformat() for day in days])
    axes.tick_params(axis="x", labelrotation=30, labelsize=8)
    axes.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    axes.margins(x=0.01)


def _bars(axes: Any, series: Sequence[Series], *, with_metric: bool) -> None:
    labels = [_label(each, with_metric=with_metric) for each in series]
    numbers = [_number(each.total, each) or 0 for each in series]
    places = range(len(series))
    axes.barh(list(places), numbers, color=_COLOURS[0])
    axes.set_yticks(list(places), labels, fontsize=7 if len(series) > 12 else 9)
    axes.invert_yaxis()


def _label(series: Series, *, with_metric: bool) -> str:
    parts = [gettext(series.metric.title)] if with_metric else []
    parts += [name or "–" for name in series.names]
    # Money has its currency on the scale; a share of money is told apart by it.
    if series.currency is not None and series.metric.unit is not Unit.MONEY:
        parts.append(series.currency)
    return _plain(" · ".join(parts) or gettext(series.metric.title))


def _plain(words: str) -> str:
    """A text that is drawn as it is: the dollar sign begins a formula otherwise."""
    short = words if len(words) <= 3 * _LONGEST else f"{words[: 3 * _LONGEST]}…"
    # A leading underscore hides a line from the legend.
    return short.replace("$", r"\$").replace("_", "\u2009_", 1 if short.startswith("_") else 0)


def _number(value: Decimal | None, series: Series) -> float | None:
    if value is None:
        return None
    if series.metric.unit is Unit.MONEY and series.currency is not None:
        return float(value.scaleb(-scale(series.currency)))
    return float(value)
