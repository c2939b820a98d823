"""Tables that people bring: CSV or XLSX as rows of texts, bounded in every way."""

import csv
import io
import zipfile
from itertools import zip_longest
from typing import Any

from torg.i18n import gettext
from torg_shop.domain.cells import original
from torg_shop.errors.catalogue import TableUnreadableError

# A workbook unpacks to many times its size; past this it is no list of products.
_MOST_UNPACKED = 200 * 1024 * 1024
_MOST_COLUMNS = 100
Row = dict[str, str]
_Line = tuple[int, list[str]]


def rows_of(content: bytes, most: int) -> list[tuple[int, Row]]:
    """The rows by column name, with their place in the table; the first row holds the names.

    Empty rows are left out. Cells are stripped, but for descriptions.

    Raises:
        TableUnreadableError: neither kind of file, no `sku`, or more than `most` rows.
    """
    lines = _workbook(content, most) if content[:2] == b"PK" else _csv(content, most)
    names = [each.strip().lower() for each in lines[0][1]] if lines else []
    if "sku" not in names or len(names) > _MOST_COLUMNS:
        raise TableUnreadableError(reason=gettext("there is no column sku"))
    if len({each for each in names if each}) != len([each for each in names if each]):
        raise TableUnreadableError(reason=gettext("a column is there twice"))
    if len(lines) - 1 > most:
        raise TableUnreadableError(reason=gettext("there are more than {most} rows", most=most))
    return [(number, _row(names, line)) for number, line in lines[1:]]


def _row(names: list[str], line: list[str]) -> Row:
    # A line that is too short has empty cells at its end.
    cells = zip_longest(names, line, fillvalue="")
    return {name: _said(name, cell) for name, cell in cells if name}


def _said(name: str, cell: str) -> str:
    # A description may well begin or end with an empty line.
    return original(cell if name == "description" else cell.strip())


def _csv(content: bytes, most: int) -> list[_Line]:
    try:
        lines: list[_Line] = []
        table = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        for number, line in enumerate(table, start=1):
            if any(line) or not lines:
                lines.append((number, line))
            if len(lines) > most + 1:
                break
    except (UnicodeDecodeError, csv.Error) as error:
        raise TableUnreadableError(reason=gettext("it is no CSV in UTF-8")) from error
    return lines


def _workbook(content: bytes, most: int) -> list[_Line]:
    import python_calamine

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(each.file_size for each in archive.infolist())
        if unpacked > _MOST_UNPACKED:
            raise TableUnreadableError(reason=gettext("it is too large"))
        workbook = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
        cells = workbook.get_sheet_by_index(0).to_python(nrows=most + 2)
    except (python_calamine.CalamineError, zipfile.BadZipFile, OSError, ValueError) as error:
        raise TableUnreadableError(reason=gettext("it is no XLSX workbook")) from error
    return [
        (number, [_text(each) for each in line])
        for number, line in enumerate(cells, start=1)
        if any(line)
    ]


def _text(cell: Any) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else repr(cell)
    return str(cell)
