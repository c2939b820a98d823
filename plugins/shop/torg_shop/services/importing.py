"""Products out of a table: those of a known SKU are changed, others entered, wrong rows named."""

import re
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import orjson
from marshmallow import ValidationError
from sqlalchemy import delete, func, literal_column, select
from sqlalchemy.dialects.postgresql import insert

from torg import config, i18n, outbox, storage
from torg.db import database_now, in_transaction, session
from torg.errors import TorgError
from torg.field_problems import field_problems
from torg.i18n import gettext
from torg.money import format_amount, scale
from torg.schemas import List, Schema, Text
from torg_shop.domain.cells import names
from torg_shop.models.catalogue import Category, Product, ProductTag, StockLevel
from torg_shop.schemas.catalogue import CreateProduct
from torg_shop.services import catalogue, categories, freshness
from torg_shop.services.tables import Row, rows_of
from torg_shop.settings import ShopSettings

COLUMNS = (
    *("sku", "name", "description", "price", "currency", "category"),
    *("tags", "attributes", "on_hand"),
)
_AT_ONCE = 500
_MOST_ERRORS = 100
_PATH = " / "
_FILE_KEPT = timedelta(days=2)
_LONGEST_NUMBER, _DEEPEST = 30, 100
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?", re.ASCII)


class _Where(Schema):
    """The names of a category and of those above it, the root first."""

    category = List(Text(maximum=100, strip=True), maximum=_DEEPEST)


_SHAPE, _WHERE = CreateProduct(), _Where()


@dataclass
class Report:
    """What an import did or, as a dry run, would do; `skus` are those of the right rows."""

    rows: int = 0
    created: int = 0
    updated: int = 0
    failed: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list)
    skus: set[str] = field(default_factory=set)

    def add(self, part: "Report") -> None:
        """Count what became of more rows."""
        self.created += part.created
        self.updated += part.updated
        self.failed += part.failed
        self.errors += part.errors[: _MOST_ERRORS - len(self.errors)]
        self.skus |= part.skus

    def shown(self) -> dict[str, Any]:
        """The counts and the first problems."""
        facts = asdict(self)
        del facts["skus"]
        return facts

    def refuse(self, number: int, column: str, message: str) -> None:
        """Note what is wrong with a row; the first hundred are told."""
        if len(self.errors) < _MOST_ERRORS:
            self.errors.append({"row": number, "column": column, "message": message})


def read(content: bytes) -> list[tuple[int, Row]]:
    """The rows of a table, with their places in it.

    Raises:
        TableUnreadableError: it is no table of products.
    """
    return rows_of(content, _settings().import_rows)


def left_to_a_job(
    content: bytes, rows: Sequence[tuple[int, Row]], identity_id: int, *, dry_run: bool
) -> int | None:
    """The job that takes a table in, when it is above the setting `import_at_once`; else None."""
    if len(rows) <= _settings().import_at_once:
        return None
    key = storage.put(content, "application/octet-stream", "shop.import")
    payload = {"key": key, "dry_run": dry_run, "locale": i18n.locale()}
    job_id = outbox.enqueue("shop.import", payload, identity_id=identity_id)
    assert job_id is not None, "it has no business key that could be taken"
    later = database_now() + _FILE_KEPT
    outbox.enqueue("shop.remove_file", {"key": key}, key=key, run_at=later)
    return job_id


def run(rows: Sequence[tuple[int, Row]], *, dry_run: bool) -> Report:
    """Take a few rows in. Right ones are kept even when others are wrong; a dry run keeps nothing.

    Args:
        rows: as `read` gave them.
        dry_run: whether to try only.
    """
    report = Report(rows=len(rows))
    for chunk in _chunks(rows):
        report.add(_tried(chunk, report.skus, dry_run=dry_run))
    return report


def run_apart(
    rows: Sequence[tuple[int, Row]], *, dry_run: bool, told: Callable[[int], object]
) -> Report:
    """Take many rows in, for a job: each few hundred of them in a transaction of their own.

    Nobody who orders such a product waits for the end of the table, be it a dry run or not.

    Args:
        rows: as `read` gave them.
        dry_run: whether to try only.
        told: called with how many are done, again and again.
    """
    report, done = Report(rows=len(rows)), 0
    for chunk in _chunks(rows):
        report.add(in_transaction(partial(_tried, chunk, report.skus, dry_run=dry_run)))
        done += len(chunk)
        told(done)
    return report


def _tried(chunk: Sequence[tuple[int, Row]], seen: Set[str], *, dry_run: bool) -> Report:
    part = Report()
    attempt = session.begin_nested()
    _take(chunk, part, _Tree(), seen)
    if dry_run:
        # This lets go of every lock, too.
        attempt.rollback()
    else:
        attempt.commit()
        freshness.changed()
    return part


def _settings() -> ShopSettings:
    return config.plugin_settings("shop", ShopSettings)


def _chunks(rows: Sequence[tuple[int, Row]]) -> Iterator[Sequence[tuple[int, Row]]]:
    for start in range(0, len(rows), _AT_ONCE):
        yield rows[start : start + _AT_ONCE]


def _take(chunk: Sequence[tuple[int, Row]], report: Report, tree: "_Tree", seen: Set[str]) -> None:
    present = _present([row.get("sku", "") for _, row in chunk])
    right = []
    for number, row in chunk:
        sku = row.get("sku", "")
        if sku in seen or sku in report.skus:
            report.refuse(number, "sku", gettext("This SKU is in the table twice."))
            report.failed += 1
            continue
        try:
            given = _SHAPE.load(_body(row, present.get(sku)))
            written = row.get("category", "")
            given["path"] = () if written in tree else _path(written)
        except ValidationError as error:
            column, message = _first(error.messages)
            report.refuse(number, column, message)
        except _CellError as error:
            report.refuse(number, error.column, str(error))
        except TorgError as error:
            # Only the digits of a currency are asked for beside the shape.
            report.refuse(number, "currency", error.message(gettext(error.detail)))
        else:
            report.skus.add(sku)
            right.append((row, given))
            continue
        report.failed += 1
    if right:
        created = _write(right, present, tree)
        report.created += created
        report.updated += len(right) - created


class _CellError(Exception):
    """A cell that no schema can look at."""

    def __init__(self, column: str, message: str) -> None:
        super().__init__(message)
        self.column = column


def _present(skus: Sequence[str]) -> dict[str, Any]:
    # A NUL cannot be asked for; the schema refuses it below.
    asked = [each for each in skus if "\0" not in each]
    columns = (Product.id, Product.sku, Product.name, Product.price_minor, Product.currency)
    asked_for = select(*columns).where(Product.sku.in_(asked))
    # In one order, so that two imports never wait for each other in a circle.
    rows = session.execute(asked_for.order_by(Product.id).with_for_update())
    return {row.sku: row for row in rows}


def _body(row: Row, before: Any | None) -> dict[str, Any]:
    """The row as the body of a request; what has no column keeps what it was."""
    body: dict[str, Any] = {"sku": row.get("sku", "")}
    if "name" in row or before is None:
        body["name"] = row.get("name", "")
    else:
        body["name"] = before.name
    body["price"] = _price(row, before)
    if "description" in row:
        body["description"] = row["description"]
    if "tags" in row:
        body["tags"] = names(row["tags"])
    if row.get("attributes"):
        try:
            body["attributes"] = orjson.loads(row["attributes"])
        except orjson.JSONDecodeError:
            raise _CellError("attributes", gettext("Has to be a JSON object.")) from None
    if row.get("on_hand"):
        if not row["on_hand"].isdecimal():
            raise _CellError("on_hand", gettext("Has to be a whole number of 0 or more."))
        body["on_hand"] = int(row["on_hand"][:12])
    return body


def _price(row: Row, before: Any | None) -> dict[str, str]:
    currency = row.get("currency") or (before.currency if before is not None else "")
    if "price" not in row and before is not None:
        return {"amount": format_amount(before.price_minor, before.currency), "currency": currency}
    text = row.get("price", "")
    is_number = len(text) <= _LONGEST_NUMBER and _NUMBER.fullmatch(text) is not None
    exact = Decimal(text) if is_number else Decimal("Infinity")
    if abs(exact) > 10**15:
        raise _CellError("price", gettext("Has to be a number."))
    if len(currency) == 3:
        # A spreadsheet leaves out zeros at the end; the currency's digits are put back.
        amount = f"{exact:.{scale(currency)}f}"
        text = amount if Decimal(amount) == exact else text
    return {"amount": text, "currency": currency}


def _path(written: str) -> tuple[str, ...]:
    """The names on the way to a category that is not known by this path.

    Raises:
        ValidationError: one of them cannot be a category's.
    """
    wanted = [each for each in written.split(_PATH) if each.strip()]
    return tuple(_WHERE.load({"category": wanted})["category"])


def _first(messages: Any) -> tuple[str, str]:
    """The column of the first problem of a row, and what it is in the caller's language."""
    found = field_problems(messages, schema=_SHAPE)[0]
    column = found.pointer.split("/")[1]
    return "currency" if found.pointer == "/price/currency" else column, found.message


def _write(
    right: Sequence[tuple[Row, dict[str, Any]]], present: dict[str, Any], tree: "_Tree"
) -> int:
    columns = right[0][0].keys()
    rows = [_columns(row, given, tree) for row, given in right]
    made: Any = insert(Product).values(rows)
    kept = {"name", "description", "price_minor", "currency", "category_id", "attributes"}
    if "description" not in columns:
        kept.remove("description")
    if "category" not in columns:
        kept.remove("category_id")
    if "attributes" not in columns:
        kept.remove("attributes")
    made = made.on_conflict_do_update(
        index_elements=["sku"],
        set_={
            **{name: made.excluded[name] for name in kept},
            "is_active": True,
            "updated_at": func.clock_timestamp(),
        },
    ).returning(Product.id, Product.sku, literal_column("xmax = 0").label("is_new"))
    found = {row.sku: row for row in session.execute(made)}
    _write_stock(right, found, has_column="on_hand" in columns)
    if "tags" in columns:
        _write_tags(right, found)
    return sum(row.is_new for row in found.values())


def _columns(row: Row, given: dict[str, Any], tree: "_Tree") -> dict[str, Any]:
    return {
        "sku": given["sku"],
        "name": given["name"],
        "description": given["description"],
        "price_minor": given["price"].minor,
        "currency": given["price"].currency,
        "category_id": tree.find(row.get("category", ""), given["path"]),
        "attributes": given["attributes"],
    }


def _write_stock(
    right: Sequence[tuple[Row, dict[str, Any]]], found: dict[str, Any], *, has_column: bool
) -> None:
    rows = [
        {"product_id": found[given["sku"]].id, "on_hand": given["on_hand"]} for _, given in right
    ]
    made = insert(StockLevel).values(sorted(rows, key=lambda row: row["product_id"]))
    if has_column:
        # Never below what is promised: that many are there.
        on_hand = func.greatest(made.excluded.on_hand, StockLevel.reserved)
        made = made.on_conflict_do_update(index_elements=["product_id"], set_={"on_hand": on_hand})
    else:
        made = made.on_conflict_do_nothing()
    session.execute(made)


def _write_tags(right: Sequence[tuple[Row, dict[str, Any]]], found: dict[str, Any]) -> None:
    ids = catalogue.tag_ids(name for _, given in right for name in given["tags"])
    products = [row.id for row in found.values()]
    session.execute(delete(ProductTag).where(ProductTag.product_id.in_(products)))
    rows = [
        {"product_id": found[given["sku"]].id, "tag_id": ids[name]}
        for _, given in right
        for name in given["tags"]
    ]
    if rows:
        session.execute(insert(ProductTag).values(rows))


class _Tree:
    """Categories by their path as it is exported; those there are not yet are made."""

    def __init__(self) -> None:
        self._known: dict[tuple[int | None, str], int] = {}
        self._paths: dict[str, int | None] = {"": None}
        below: dict[int | None, list[Any]] = {}
        columns = (Category.id, Category.parent_id, Category.name)
        asked = select(*columns).where(Category.is_active).order_by(Category.id)
        for row in session.execute(asked):
            below.setdefault(row.parent_id, []).append(row)
        waiting = [(row.name, row) for row in below.get(None, ())]
        for path, row in waiting:
            self._known.setdefault((row.parent_id, row.name), row.id)
            self._paths.setdefault(path, row.id)
            waiting += [(f"{path}{_PATH}{each.name}", each) for each in below.get(row.id, ())]

    def __contains__(self, path: str) -> bool:
        return path in self._paths

    def find(self, path: str, names_on_the_way: Sequence[str]) -> int | None:
        """The id of the category of a path such as `Kitchen / Kettles`; None for an empty one."""
        if path not in self._paths:
            found: int | None = None
            for name in names_on_the_way:
                step = (found, name)
                if step not in self._known:
                    self._known[step] = categories.create({"name": name, "parent_id": found})
                found = self._known[step]
            self._paths[path] = found
        return self._paths[path]
