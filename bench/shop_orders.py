"""Placing orders: over HTTP, and its very statements through pgbench, without Python and HTTP.

The script for pgbench is not written by hand: one order is placed, what it asked of PostgreSQL is
noted with its values, and the values that belong to the buyer become variables.
"""

import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event, text

from bench.load import CONNECTIONS, Result, measure
from bench.pgbench import connection_arguments, password
from bench.shop_data import Filled, fill_carts
from torg import db, prepared
from torg.embedded_home import installed_binaries

_PLACE = """
local tokens = {%(tokens)s}
local at = 0
request = function()
  at = at + 1
  return wrk.format("POST", nil, {["Content-Type"] = "application/json",
    ["Authorization"] = "Bearer " .. (tokens[at] or tokens[#tokens])}, "{}")
end
"""


def over_http(shop: Filled, seconds: int) -> Result:
    """Every buyer orders his two products, each once; refused is who has ordered already."""
    fill_carts(shop)
    script = _PLACE % {"tokens": ", ".join(f'"{each}"' for each in shop.tokens)}
    return measure(f"{shop.web}/api/v1/shop/orders", seconds, script)


def statements_of_one(shop: Filled) -> list[str]:
    """What one request that places an order asks of PostgreSQL, with its values."""
    noted: list[str] = []

    def note(connection: Any, cursor: Any, sql: str, parameters: Any, *_rest: Any) -> None:
        del connection
        noted.append(cursor.mogrify(sql, parameters).decode())

    def note_prepared(written: Any, cursor: Any, about: Any, values: Any) -> None:
        noted.append(_filled_in(written.prepare, cursor.mogrify(written.execute, values).decode()))
        run(written, cursor, about, values)

    event.listen(Engine, "before_cursor_execute", note)
    # What no observer is told: the values.
    run, prepared._run = prepared._run, note_prepared  # noqa: SLF001
    try:
        answer = shop.app.test_client().post(
            "/api/v1/shop/orders", json={}, headers={"Authorization": f"Bearer {shop.tokens[0]}"}
        )
    finally:
        event.remove(Engine, "before_cursor_execute", note)
        prepared._run = run  # noqa: SLF001
    if answer.status_code != 201:
        raise RuntimeError(answer.get_data(as_text=True))
    return noted


def _filled_in(prepare: str, execute: str) -> str:
    """A prepared statement with the values of one run: numbers and words without commas."""
    values = execute.partition("(")[2].rpartition(")")[0].split(", ")
    return re.sub(r"\$(\d+)", lambda each: values[int(each[1]) - 1], prepare.partition(" AS ")[2])


def script(shop: Filled) -> str:
    """The statements of one order as a script for pgbench, of any buyer and his cart."""
    fill_carts(shop)
    noted = statements_of_one(shop)
    with db.unit_of_work("read", shop.app):
        known = {"buyer": shop.buyers[0]}
        row = db.session.execute(_LAST, known).one()
        lines = db.session.scalars(_PRODUCTS, {"order_id": row.order_id}).all()
    change = {str(row.cart_id): ":cart", str(row.order_id): ":o_id", row.number: ":o_number"}
    change |= {str(shop.buyers[0]): ":buyer"}
    change |= {str(each): f":product{place}" for place, each in enumerate(lines)}
    written = [
        f"\\set cart random({row.first_cart}, {row.first_cart + len(shop.buyers) - 1})",
        f"\\set buyer :cart - {row.first_cart} + {shop.buyers[0]}",
        f"\\set product0 {row.first_product} + (:cart * 7) % {row.products}",
        f"\\set product1 {row.first_product} + (:cart * 7 + 1) % {row.products}",
        "BEGIN;",
    ]
    for statement in noted:
        ends = "\\gset o_" if "INSERT INTO shop_order (" in statement else ";"
        written.append(f"{_with_variables(statement, change)} {ends}")
    return "\n".join([*written, "COMMIT;", ""])


_LAST = text("""
SELECT o.id AS order_id, o.number, c.id AS cart_id, (SELECT min(id) FROM shop_cart) AS first_cart,
       (SELECT min(id) FROM shop_product) AS first_product,
       (SELECT count(*) FROM shop_product) AS products
  FROM shop_order o JOIN shop_cart c ON c.owner_id = o.buyer_id
 WHERE o.buyer_id = :buyer ORDER BY o.id DESC LIMIT 1
""")
_PRODUCTS = text(
    "SELECT product_id FROM shop_order_line WHERE order_id = :order_id ORDER BY product_id"
)


def _with_variables(statement: str, change: dict[str, str]) -> str:
    # Comments and line breaks would end a statement of pgbench early.
    flat = " ".join(statement.split())
    words = sorted(change, key=len, reverse=True)
    found = re.compile(rf"(?<![\w.:])({'|'.join(map(re.escape, words))})(?![\w.:])")
    return found.sub(lambda match: change[match[1]], flat)


def through_pgbench(shop: Filled, seconds: int, words: str) -> float:
    """Orders a second, from as many connections as the HTTP load."""
    fill_carts(shop)
    before = _orders(shop)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "order.sql"
        file.write_text(words, "utf-8")
        binaries = installed_binaries(valkey=False)
        program = binaries.postgresql[binaries.newest()] / "pgbench"
        took = subprocess.run(
            [program, "-n", "-c", str(CONNECTIONS), "-j", "1", "-T", str(seconds),
             "-f", str(file), *connection_arguments(shop.database_url)],
            capture_output=True, text=True, check=False,
            env={"PGPASSWORD": password(shop.database_url)},
        )  # fmt: skip
    if took.returncode or "tps = " not in took.stdout:
        raise RuntimeError(took.stdout + took.stderr[-3000:])
    return (_orders(shop) - before) / seconds


def _orders(shop: Filled) -> int:
    with db.unit_of_work("read", shop.app):
        number: int = db.session.execute(text("SELECT count(*) FROM shop_order")).scalar_one()
    return number
