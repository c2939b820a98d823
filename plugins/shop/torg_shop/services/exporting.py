"""The catalogue as a file: XLSX or CSV, written row by row, so its length costs no memory.

The workbook is written directly: a library that keeps styles and shared texts takes several times
as long for a table that needs neither. Texts stand in the cells themselves and are never formulas.
"""

import csv
import io
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from typing import IO, Any

from torg import config, outbox, storage
from torg.money import format_amount
from torg_shop.domain.cells import harmless, xml
from torg_shop.domain.formats import CONTENT_TYPES, Format
from torg_shop.queries import export
from torg_shop.settings import ShopSettings

_PRICE = export.HEADER.index("price")
# A number of a spreadsheet is exact to 15 digits.
_EXACT = 10**15
_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PARTS = {
    "[Content_Types].xml": (
        f'{_XML}<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels"'
        ' ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_KIND}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_KIND}.worksheet+xml"/>'
        "</Types>"
    ),
    "_rels/.rels": (
        f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1"'
        f' Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/workbook.xml": (
        f'{_XML}<workbook xmlns="{_SHEET}" xmlns:r="{_OFFICE}"><sheets>'
        '<sheet name="products" sheetId="1" r:id="rId1"/></sheets></workbook>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1"'
        f' Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'
    ),
}


def write(file: IO[bytes], wanted: Format, told: Callable[[int], object] | None = None) -> int:
    """Write the whole catalogue; returns how many products.

    Args:
        file: open for writing; it may be a pipe.
        wanted: which form.
        told: called with how many are written, once for a page.
    """
    return (_write_xlsx if wanted == "xlsx" else _write_csv)(file, told or (lambda _done: None))


def left_to_a_job(wanted: Format, identity_id: int) -> int | None:
    """The job that writes the catalogue, when it is above the setting `export_rows`; else None."""
    if export.count() <= config.plugin_settings("shop", ShopSettings).export_rows:
        return None
    job_id = outbox.enqueue("shop.export", {"format": wanted}, identity_id=identity_id)
    assert job_id is not None, "it has no business key that could be taken"
    return job_id


def spooled(wanted: Format) -> IO[bytes]:
    """The catalogue in a temporary file, at its beginning; whoever sends it closes it."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives until the last byte is sent
    try:
        write(file, wanted)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def stored(wanted: Format, told: Callable[[int], object]) -> tuple[str, int]:
    """The key of the catalogue in the storage, and how many products it has."""
    with tempfile.TemporaryFile() as file:
        number = write(file, wanted, told)
        file.seek(0)
        return storage.put(file.read(), CONTENT_TYPES[wanted], "shop.export"), number


def _write_csv(file: IO[bytes], told: Callable[[int], object]) -> int:
    done = 0
    file.write(_lines([export.HEADER]))
    for page in export.pages():
        file.write(_lines(_texts(row) for row in page))
        done += len(page)
        told(done)
    return done


def _lines(rows: Iterable[Iterable[Any]]) -> bytes:
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue().encode("utf-8", "replace")


def _texts(row: tuple[Any, ...]) -> list[Any]:
    cells = [harmless(each) if isinstance(each, str) else each for each in row]
    cells[_PRICE] = format_amount(row[_PRICE], row[_PRICE + 1])
    return cells


def _write_xlsx(file: IO[bytes], told: Callable[[int], object]) -> int:
    done = 0
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in _PARTS.items():
            archive.writestr(name, content)
        with archive.open("xl/worksheets/sheet1.xml", "w") as sheet:
            sheet.write(f'{_XML}<worksheet xmlns="{_SHEET}"><sheetData>'.encode())
            sheet.write(_row(export.HEADER).encode())
            for page in export.pages():
                sheet.write("".join(_row(_typed(row)) for row in page).encode())
                done += len(page)
                told(done)
            sheet.write(b"</sheetData></worksheet>")
    return done


def _typed(row: tuple[Any, ...]) -> list[Any]:
    cells = list(row)
    amount = format_amount(row[_PRICE], row[_PRICE + 1])
    # As a number, written with the currency's digits; longer than a number holds, as text.
    cells[_PRICE] = _Number(amount) if row[_PRICE] < _EXACT else amount
    return cells


class _Number(str):
    """Digits that stand in a cell as a number."""

    __slots__ = ()


def _row(cells: Iterable[Any]) -> str:
    return f"<row>{''.join(map(_cell, cells))}</row>"


def _cell(value: Any) -> str:
    if type(value) is str:
        if not value:
            return "<c/>"
        return f'<c t="inlineStr"><is><t xml:space="preserve">{xml(value)}</t></is></c>'
    return f"<c><v>{value}</v></c>"
