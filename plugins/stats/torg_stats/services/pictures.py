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

MOST_SERIES, MOST_BARS = 8, 30
_WIDTH, _HEIGHT, _DOTS = 9.0, 4.8, 110
_LONGEST = 40
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

    Shows the largest `MOST_SERIES` lines or `MOST_BARS` bars, and says so when there are more.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    # Texts stay texts in SVG: small, searchable, and drawn with the reader's fonts. A fixed salt
    # makes equal answers equal bytes. These settings belong to the process, so one at a time draws.
    with (
        _DRAWING,
        rc_context({"svg.fonttype": "none", "svg.hashsalt": "torg", "path.simplify": True}),
    ):
        figure = Figure(figsize=(_WIDTH, _HEIGHT), dpi=_DOTS, layout="constrained")
        axes = figure.subplots()
        _titles(axes, answer)
        most = MOST_SERIES if answer.question.interval else MOST_BARS
        shown = answer.series[:most]
        (_lines if answer.question.interval else _bars)(axes, shown)
        hidden = len(answer.series) - len(shown) + answer.left_out
        if hidden:
            note = gettext("{number} more are not shown", number=hidden)
            axes.annotate(note, (1, -0.14), xycoords="axes fraction", ha="right", fontsize=8)
        if not shown:
            axes.annotate(gettext("Nothing happened"), (0.5, 0.5), xycoords="axes fraction")
        file = io.BytesIO()
        figure.savefig(file, format=form, metadata={"Date": None} if form == "svg" else {})
    return file.getvalue()


def _titles(axes: Any, answer: Answer) -> None:
    question = answer.question
    names = ", ".join(gettext(each.title) for each in question.metrics)
    axes.set_title(_plain(names), loc="left", fontsize=11)
    last = question.period.end.fromordinal(question.period.end.toordinal() - 1)
    days = f"{question.period.first} – {last}, {question.period.zone}"
    axes.set_xlabel(days, fontsize=8, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y" if question.interval else "x", alpha=0.3)


def _lines(axes: Any, series: Sequence[Series]) -> None:
    many = len({each.metric.name for each in series}) > 1
    for each, colour in zip(series, _COLOURS, strict=False):
        days = [day for day, _ in each.points]
        numbers = [_number(value, each) for _, value in each.points]
        axes.plot(
            days, numbers, color=colour, label=_label(each, with_metric=many), marker="o", ms=2.5
        )
    if series:
        axes.legend(fontsize=8, frameon=False, loc="best")
        axes.margins(x=0.01)
        axes.figure.autofmt_xdate(rotation=30)


def _bars(axes: Any, series: Sequence[Series]) -> None:
    many = len({each.metric.name for each in series}) > 1
    labels = [_label(each, with_metric=many) for each in series]
    numbers = [_number(each.total, each) or 0 for each in series]
    places = range(len(series))
    axes.barh(list(places), numbers, color=_COLOURS[0])
    axes.set_yticks(list(places), labels, fontsize=7 if len(series) > 12 else 9)
    axes.invert_yaxis()


def _label(series: Series, *, with_metric: bool) -> str:
    parts = [gettext(series.metric.title)] if with_metric else []
    parts += [name or "–" for name in series.names]
    parts += [series.currency] if series.currency else []
    if series.metric.unit is Unit.PERCENT:
        parts.append("%")
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
