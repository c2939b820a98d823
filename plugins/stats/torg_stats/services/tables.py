"""Answers as tables: CSV and XLSX, a line for each number."""

import csv
import io
from collections.abc import Iterator
from decimal import Decimal

import xlsxwriter

from torg.i18n import gettext
from torg_metrics import Unit
from torg_stats.domain.cells import harmless
from torg_stats.domain.figures import written
from torg_stats.services.answering import Answer, Series

Row = tuple[str, ...]
# A number of a spreadsheet is exact to 15 digits.
_EXACT_DIGITS = 15


def csv_of(answer: Answer) -> bytes:
    """Comma-separated, UTF-8, with a header; numbers with a point, whatever the language."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(header(answer))
    for row in rows(answer):
        writer.writerow(map(harmless, row))
    return file.getvalue().encode("utf-8", "replace")


def xlsx_of(answer: Answer) -> bytes:
    """A workbook with one sheet; numbers are numbers as far as a spreadsheet has them exactly."""
    file = io.BytesIO()
    # Row by row through a file: the largest answers would need hundreds of megabytes otherwise.
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(file, options) as book:
        sheet = book.add_worksheet("statistics")
        sheet.write_row(0, 0, header(answer), book.add_format({"bold": True}))
        for at, row in enumerate(rows(answer), start=1):
            for column, text in enumerate(row[:-1]):
                sheet.write_string(at, column, text)
            value = row[-1]
            if value and len(value.lstrip("-0.").replace(".", "")) <= _EXACT_DIGITS:
                sheet.write_number(at, len(row) - 1, float(value))
            else:
                sheet.write_string(at, len(row) - 1, value)
        sheet.freeze_panes(1, 0)
    return file.getvalue()


def header(answer: Answer) -> Row:
    """The names of the columns; those of dimensions twice, the value and how people call it."""
    by = [column for name in answer.question.by for column in (name, f"{name}_name")]
    return ("metric", "title", "unit", *by, "currency", "bucket", "value")


def rows(answer: Answer) -> Iterator[Row]:
    """All numbers: those of buckets where buckets were asked for, else totals."""
    for series in answer.series:
        named: tuple[str, ...] = tuple(
            text
            for value, name in zip(series.key, series.names, strict=True)
            for text in (value or "", name)
        )
        begin = (
            series.metric.name,
            gettext(series.metric.title),
            series.metric.unit.value,
            *named,
            series.currency or "",
        )
        if answer.question.interval is None:
            yield (*begin, "", _text(series, series.total))
        for day, value in series.points:
            yield (*begin, day.isoformat(), _text(series, value))


def _text(series: Series, value: Decimal | None) -> str:
    return written(value, money_of(series)) or ""


def money_of(series: Series) -> str | None:
    """The currency in whose scale the numbers are written; None where they are no money."""
    return series.currency if series.metric.unit is Unit.MONEY else None
