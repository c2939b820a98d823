"""Promise 7: the whole catalogue as a file, and products out of one."""

import csv
import io
import json
import re
import tracemalloc

import pytest
import python_calamine
from sqlalchemy import text

from torg import jobs as torg_jobs
from torg.db import session, unit_of_work
from torg_shop.queries import export as export_query
from torg_shop.services import exporting, importing

API = "/api/v1/shop"
PRICE = {"amount": "10.50", "currency": "EUR"}


@pytest.fixture
def bench(make_shop):
    """An empty shop with a small limit of exports at once."""
    return make_shop(export_rows=3)


def sheet(content: bytes) -> list[dict]:
    workbook = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
    names, *rows = workbook.get_sheet_by_index(0).to_python()
    return [dict(zip(names, row, strict=True)) for row in rows]


def export(staff, wanted: str):
    answer = staff.client.get(f"{API}/products/export?format={wanted}", headers=staff.headers)
    assert answer.status_code == 200
    content = answer.data
    answer.close()
    return content


def take(staff, content: bytes | str, dry_run: bool = False) -> dict:
    raw = content.encode() if isinstance(content, str) else content
    answer = staff.client.post(
        f"{API}/admin/products/import?dry_run={str(dry_run).lower()}",
        data={"file": (io.BytesIO(raw), "table")},
        headers=staff.headers,
    )
    assert answer.status_code == 200, answer.json
    return answer.json


def test_all_fields_come_out_and_no_text_is_a_formula(staff):
    top = staff.make("categories", name="Export")
    low = staff.make("categories", name="Low & <deep>", parent_id=top["id"])
    staff.product(
        sku="X1",
        name="=1+1",
        description='a "b" <c> & d',
        price=PRICE,
        category_id=low["id"],
        tags=["one", "two"],
        attributes={"colour": "red"},
        on_hand=7,
    )
    (row,) = [each for each in sheet(export(staff, "xlsx")) if each["sku"] == "X1"]
    assert (row["name"], row["price"], row["currency"]) == ("=1+1", 10.5, "EUR")
    assert (row["category"], row["tags"]) == ("Export / Low & <deep>", "one|two")
    assert (json.loads(row["attributes"]), row["on_hand"]) == ({"colour": "red"}, 7)
    assert row["description"] == 'a "b" <c> & d'
    lines = list(csv.DictReader(io.StringIO(export(staff, "csv").decode())))
    (line,) = [each for each in lines if each["sku"] == "X1"]
    assert (line["name"], line["price"]) == ("'=1+1", "10.50")
    assert list(line) == list(row)


def test_only_people_signed_in_export(shop):
    assert shop.app.test_client().get(f"{API}/products/export").status_code == 401


@pytest.mark.parametrize("wanted", ["xlsx", "csv"])
def test_what_was_exported_comes_in_again_unchanged(staff, wanted):
    staff.product(sku=f"R-{wanted}", name="@round", price=PRICE, tags=["r"], attributes={"a": 1})
    before = export(staff, wanted)
    said = take(staff, before)
    assert (said["created"], said["failed"], said["errors"]) == (0, 0, [])
    assert said["updated"] == said["rows"] > 0

    def plain(content: bytes) -> list[dict]:
        rows = sheet(content) if wanted == "xlsx" else csv.DictReader(
            io.StringIO(content.decode())
        )  # fmt: skip
        return [{k: v for k, v in row.items() if k != "updated_at"} for row in rows]

    assert plain(export(staff, wanted)) == plain(before)


TABLE = """sku,name,price,currency,category,tags,attributes,on_hand
I1,First,1.5,EUR,In / Deep,a|b,"{""x"": 1}",4
I2,Second,2.00,EUR,In,,,
,No sku,1.00,EUR,,,,
I3,Wrong price,abc,EUR,,,,
I4,Wrong currency,1.00,XXX,,,,
I5,Wrong stock,1.00,EUR,,,,-1
I6,Wrong json,1.00,EUR,,,{,
I1,Twice,1.00,EUR,,,,
"""


def test_a_dry_run_tells_everything_and_keeps_nothing(staff):
    said = take(staff, TABLE, dry_run=True)
    assert (said["rows"], said["created"], said["updated"], said["failed"]) == (8, 2, 0, 6)
    assert [(each["row"], each["column"]) for each in said["errors"]] == [
        (4, "sku"), (5, "price"), (6, "currency"), (7, "on_hand"), (8, "attributes"), (9, "sku"),
    ]  # fmt: skip
    found = staff.client.get(f"{API}/products?sku=I1", headers=staff.headers).json["items"]
    assert found == []


def test_right_rows_come_in_and_known_ones_are_changed(staff):
    assert take(staff, TABLE)["created"] == 2
    (first,) = staff.client.get(f"{API}/products?sku=I1").json["items"]
    assert (first["price"]["amount"], first["tags"], first["in_stock"]) == (
        "1.50",
        ["a", "b"],
        True,
    )
    assert first["category"]["name"] == "Deep"
    said = take(staff, "sku,price\nI1,9.99\nI9,1.00\n")
    assert (said["updated"], said["failed"]) == (1, 1)
    (first,) = staff.client.get(f"{API}/products?sku=I1").json["items"]
    assert (first["price"]["amount"], first["name"], first["tags"]) == ("9.99", "First", ["a", "b"])
    assert first["attributes"] == {"x": 1}


@pytest.mark.parametrize("at_once", [1000, 1])
def test_what_is_wrong_with_rows_is_told_in_the_callers_language(make_shop, make_staff, at_once):
    staff = make_staff(shop := make_shop(import_at_once=at_once))
    answer = staff.client.post(
        f"{API}/admin/products/import?dry_run=true",
        data={"file": (io.BytesIO(TABLE.encode()), "table")},
        headers={**staff.headers, "Accept-Language": "ru"},
    )
    said = answer.json
    if answer.status_code == 202:
        torg_jobs.run_due(shop.app)
        said = staff.client.get(answer.headers["Location"], headers=staff.headers).json["result"]
    words = [each["message"] for each in said["errors"]]
    assert len(words) == 6
    assert all(re.search("[а-я]{3}", each) for each in words), words


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no workbook", b"\xff\xfe", b"name\nx\n"])
def test_what_is_no_table_is_refused(staff, content):
    answer = staff.client.post(
        f"{API}/admin/products/import",
        data={"file": (io.BytesIO(content), "table")},
        headers=staff.headers,
    )
    assert (answer.status_code, answer.json["code"]) == (422, "table_unreadable")


def many(shop, number: int) -> None:
    """So many products with all their fields."""
    with unit_of_work(app=shop.app):
        session.execute(
            text(
                "INSERT INTO shop_product (name, sku, description, price_minor, currency,"
                " attributes) SELECT 'Thing ' || n, 'M' || n, repeat('words of it ', 15), n, 'EUR',"
                " jsonb_build_object('colour', 'red', 'weight', n)"
                " FROM generate_series(1, :n) n"
            ),
            {"n": number},
        )
        session.execute(text("INSERT INTO shop_stock_level SELECT id, 5, 1 FROM shop_product"))


def test_above_the_limit_a_job_writes_the_file(bench):
    many(bench, 10)
    client, anna = bench.app.test_client(), bench.person()
    answer = client.get(f"{API}/products/export?format=csv", headers=anna.headers)
    assert answer.status_code == 202
    where = answer.headers["Location"]
    assert client.get(where, headers=anna.headers).json["state"] == "queued"
    assert client.get(where, headers=bench.person().headers).status_code == 404
    torg_jobs.run_due(bench.app)
    state = client.get(where, headers=anna.headers).json
    assert (state["state"], state["progress"]) == ("done", {"done": 10, "total": 10})
    assert state["result"] == {"rows": 10}
    link = state["result_url"].split("/", 3)[3]
    assert len(client.get(f"/{link}").data.splitlines()) == 11


def test_memory_does_not_grow_with_the_length(make_shop, monkeypatch):
    shop = make_shop()
    many(shop, 12_000)
    peaks = []
    whole = export_query._ROWS
    for number in (2_000, 12_000):
        monkeypatch.setattr(export_query, "_ROWS", f"{whole} LIMIT {number}")
        with unit_of_work("read", shop.app):
            tracemalloc.start()
            exporting.spooled("xlsx").close()
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    print("peaks in bytes:", peaks)
    assert peaks[1] < peaks[0] * 1.5


@pytest.mark.parametrize("wanted", ["xlsx", "csv"])
def test_names_that_hold_the_tables_own_marks_come_in_again_unchanged(
    make_shop, make_staff, wanted
):
    staff = make_staff(make_shop())
    top = staff.make("categories", name="TV/Video")
    low = staff.make("categories", name="1 / 2 inch", parent_id=top["id"])
    for place, name in enumerate(("Plain", "-5 °C", "50 % | more")):
        staff.product(
            sku=f"M{place}", name=name, description=f"{name}\n", category_id=low["id"],
            tags=["a|b", "c\\", "\\|", "=d"],
        )  # fmt: skip

    def shown() -> list[dict]:
        found = staff.client.get(f"{API}/products?sort=id").json["items"]
        names = ("name", "description", "category", "tags")
        return [{name: each[name] for name in names} for each in found]

    before = shown()
    assert take(staff, export(staff, wanted))["updated"] == 3
    assert shown() == before


def test_a_name_that_looks_harmless_already_comes_in_again_unchanged(make_shop, make_staff):
    staff = make_staff(make_shop())
    staff.product(sku="Q", name="'=1")
    take(staff, export(staff, "csv"))
    (found,) = staff.client.get(f"{API}/products").json["items"]
    assert found["name"] == "'=1"


@pytest.mark.parametrize("name", ["Ket\0tles", "Ket\x07tles", "k" * 101])
def test_a_row_with_an_impossible_category_is_named_and_the_others_come_in(staff, name):
    sku = f"C{len(name)}{ord(name[3])}"
    table = f"sku,name,price,currency,category\n{sku},A,1,EUR,In / {name}\n{sku}+,B,1,EUR,In\n"
    said = take(staff, table)
    assert (said["failed"], said["created"] + said["updated"]) == (1, 1)
    assert (said["errors"][0]["row"], said["errors"][0]["column"]) == (2, "category")


def test_a_short_row_takes_nothing_from_the_rows_below(staff):
    table = "sku,name,price,currency,tags\nL1,A,1,EUR\nL2,B,1,EUR,one|two\n"
    assert take(staff, table)["created"] == 2
    (found,) = staff.client.get(f"{API}/products?sku=L2").json["items"]
    assert found["tags"] == ["one", "two"]


@pytest.mark.parametrize("price", ["1_0", "٣", "1e", "0x1", "Infinity", " "])
def test_a_price_that_only_python_reads_as_a_number_is_refused(staff, price):
    said = take(staff, f"sku,name,price,currency\nP1,A,{price},EUR\n", dry_run=True)
    assert (said["failed"], said["errors"][0]["column"]) == (1, "price")


def test_above_the_limit_a_job_takes_the_table_in(make_shop, make_staff):
    staff = make_staff(shop := make_shop(import_at_once=2))
    table = "sku,name,price,currency\nB1,A,1,EUR\n\nB2,,1,EUR\nB3,C,1,EUR\n"
    for dry_run, left in ((True, 0), (False, 2)):
        answer = staff.client.post(
            f"{API}/admin/products/import?dry_run={str(dry_run).lower()}",
            data={"file": (io.BytesIO(table.encode()), "table")},
            headers=staff.headers,
        )
        assert answer.status_code == 202, answer.json
        where = answer.headers["Location"]
        assert staff.client.get(where, headers=shop.person().headers).status_code == 404
        torg_jobs.run_due(shop.app)
        state = staff.client.get(where, headers=staff.headers).json
        assert (state["state"], state["progress"]) == ("done", {"done": 3, "total": 3})
        said = state["result"]
        assert (said["dry_run"], said["created"], said["failed"]) == (dry_run, 2, 1)
        # The file's own line, whatever empty lines stand above it.
        assert [(each["row"], each["column"]) for each in said["errors"]] == [(4, "name")]
        assert len(staff.client.get(f"{API}/products").json["items"]) == left


@pytest.mark.parametrize("dry_run", [True, False])
def test_whoever_orders_does_not_wait_for_the_end_of_a_long_table(
    make_shop, make_staff, monkeypatch, dry_run
):
    staff = make_staff(shop := make_shop(import_at_once=1))
    first = staff.product(sku="W0")["id"]
    staff.product(sku="W1")
    monkeypatch.setattr(importing, "_AT_ONCE", 1)
    found = []

    def told(done):
        if done == 1:
            with unit_of_work(app=shop.app):
                session.execute(text("SET LOCAL lock_timeout = '2s'"))
                held = "SELECT 1 FROM shop_product JOIN shop_stock_level ON product_id = id"
                rows = session.execute(text(f"{held} WHERE id = :id FOR UPDATE"), {"id": first})
                found.append(rows.scalar())

    table = b"sku,name,price,currency,on_hand,category\nW0,A,1,EUR,3,X\nW1,B,1,EUR,3,X\n"
    with unit_of_work(app=shop.app):
        report = importing.run_apart(importing.read(table), dry_run=dry_run, told=told)
    assert (found, report.updated, report.failed) == ([1], 2, 0)
    (shown,) = staff.client.get(f"{API}/products?sku=W0").json["items"]
    assert (shown["category"] is None) is dry_run
