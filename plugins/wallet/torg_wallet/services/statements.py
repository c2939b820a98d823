"""Statements as files: CSV of any length, streamed; XLSX in constant memory, of bounded length.

Rows are read in pages, each in a unit of work of its own, so no transaction lasts as long as a slow
client. The entries of an account never change, so the pages fit together.
"""

import csv
import io
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import flask
import xlsxwriter
from werkzeug.wsgi import FileWrapper

from torg import clock, config
from torg.db import unit_of_work
from torg.money import Money, format_amount, scale
from torg_wallet.domain.cells import harmless
from torg_wallet.errors import StatementTooLongError
from torg_wallet.queries import lists
from torg_wallet.settings import WalletSettings

HEADER = (
    *("number", "created_at", "amount", "balance_after", "currency"),
    *("purpose", "source", "description", "transfer"),
)
_PAGE = 1000
_CHUNK_BYTES = 65536
# A number of a spreadsheet is exact to 15 digits; longer ones stay text.
_EXACT_MINOR = 10**15


def as_csv(app: flask.Flask, account_id: int, wanted: Mapping[str, Any]) -> Iterator[bytes]:
    """The lines of a statement as CSV (RFC 4180, UTF-8), oldest first."""
    yield _line(HEADER)
    for page in _pages(app, account_id, wanted):
        yield b"".join(_line(_cells(row)) for row in page)


def as_xlsx(app: flask.Flask, account_id: int, wanted: Mapping[str, Any]) -> Iterable[bytes]:
    """The lines of a statement as a spreadsheet; it is written whole before the first byte.

    Returns:
        The bytes; whoever sends them closes it (werkzeug does).

    Raises:
        StatementTooLongError: it has more rows than the setting `statement_rows`.
    """
    most = config.plugin_settings("wallet", WalletSettings).statement_rows
    if lists.statement_is_longer(account_id, most, wanted):
        raise StatementTooLongError(most=most)
    rows = (row for page in _pages(app, account_id, wanted) for row in page)
    file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives until the last byte is sent
    try:
        # Entries may have come since they were counted.
        _write_workbook(file, islice(rows, most))
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return FileWrapper(file, _CHUNK_BYTES)


def _write_workbook(file: Any, rows: Iterable[Any]) -> None:
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    workbook = xlsxwriter.Workbook(file, options)
    try:
        _write_sheet(workbook, rows)
    finally:
        # Also after an error: it keeps a file of its own until it is closed.
        workbook.close()


def _write_sheet(workbook: Any, rows: Iterable[Any]) -> None:
    sheet = workbook.add_worksheet("statement")
    formats: dict[int, Any] = {}
    for column, title in enumerate(HEADER):
        sheet.write_string(0, column, title)
    for number, row in enumerate(rows, start=1):
        digits = scale(row.currency)
        if digits not in formats:
            pattern = "0" + ("." + "0" * digits if digits else "")
            formats[digits] = workbook.add_format({"num_format": pattern})
        sheet.write_number(number, 0, row.account_version)
        sheet.write_string(number, 1, clock.format_moment(row.created_at))
        for column, minor in ((2, row.amount_minor), (3, row.balance_after_minor)):
            if abs(minor) < _EXACT_MINOR:
                sheet.write_number(number, column, minor / 10**digits, formats[digits])
            else:
                sheet.write_string(number, column, format_amount(minor, row.currency))
        for column, text in enumerate(_texts(row), start=4):
            sheet.write_string(number, column, text)


def _pages(app: flask.Flask, account_id: int, wanted: Mapping[str, Any]) -> Iterator[list[Any]]:
    version = 0
    while True:
        with unit_of_work("read", app):
            page = lists.statement_page(account_id, version, _PAGE, wanted)
        if page:
            yield page
            version = page[-1].account_version
        if len(page) < _PAGE:
            return


def _cells(row: Any) -> tuple[str, ...]:
    return (
        str(row.account_version),
        clock.format_moment(row.created_at),
        Money(row.amount_minor, row.currency).format(),
        Money(row.balance_after_minor, row.currency).format(),
        *_texts(row),
    )


def _texts(row: Any) -> tuple[str, ...]:
    texts = (row.currency, row.purpose, row.source, row.description, row.reference)
    return tuple(harmless(each) for each in texts)


def _line(cells: tuple[str, ...]) -> bytes:
    written = io.StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue().encode()
