"""Reading over HTTP: one's own accounts, statements, transfers and holds, and nobody else's."""

import contextlib
import csv
import gc
import io
import os
import stat
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from torg_ledger import Entry


@pytest.fixture
def anna(books):
    return books.person("anna")


def test_nobody_reads_without_signing_in_or_without_permission(books):
    stranger = books.person(permissions=[])
    staff = ("/admin/deposits", "/admin/payouts", "/admin/proof")
    for path in ("/accounts", "/holds", "/deposits", "/payouts", *staff):
        assert books.call("GET", path).status_code == 401
        assert books.call("GET", path, stranger).status_code == 403


def test_accounts_show_posted_pending_and_available_together(books, anna):
    account = books.account(1000, anna)
    books.held(account, 250)
    (item,) = books.get("/accounts", anna)["items"]
    assert item["posted"] == {"amount": "10.00", "currency": "EUR"}
    assert item["pending"]["amount"] == "2.50"
    assert item["available"]["amount"] == "7.50"


def test_a_statement_is_paged_newest_first_and_filtered(books, anna):
    account, ben = books.account(1000, anna), books.account()
    for _ in range(3):
        books.move(account, ben, 100)
    first = books.get(f"/accounts/{account}/entries", anna, limit=2)
    rest = books.get(f"/accounts/{account}/entries", anna, limit=2, cursor=first["next_cursor"])
    versions = [each["account_version"] for each in (*first["items"], *rest["items"])]
    assert versions == [4, 3, 2, 1]
    assert rest["next_cursor"] is None
    assert first["items"][0]["balance_after"]["amount"] == "7.00"
    assert books.get(f"/accounts/{account}/entries", anna, purpose="other")["items"] == []
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert books.get(f"/accounts/{account}/entries", anna, created_after=later)["items"] == []


def test_somebody_elses_account_transfer_and_payment_do_not_exist(books, anna):
    ben = books.person("ben")
    account = books.account(1000, ben)
    moved = books.move(account, books.account(), 100)
    assert books.call("GET", f"/accounts/{account}/entries", anna).status_code == 404
    assert books.call("GET", f"/accounts/{account}/statement", anna).status_code == 404
    assert books.call("GET", f"/transfers/{moved.reference}", anna).status_code == 404
    assert books.call("GET", "/deposits/DP0", anna).status_code == 404
    assert books.call("GET", f"/transfers/{quote('é')}", anna).status_code == 404


def test_a_transfer_shows_only_ones_own_sides(books, anna):
    account, ben = books.account(1000, anna), books.account()
    moved = books.move(account, ben, 100)
    shown = books.get(f"/transfers/{moved.reference}", anna)
    assert shown["entries"] == [
        {"account_id": account, "amount": {"amount": "-1.00", "currency": "EUR"}}
    ]


def test_holds_are_listed_with_their_live_status(books, anna):
    account = books.account(1000, anna)
    hold = books.held(account, 250)
    (item,) = books.get("/holds", anna, status="open")["items"]
    assert (item["reference"], item["remaining"]["amount"]) == (hold.reference, "2.50")
    assert books.get("/holds", anna, status="expired")["items"] == []


def describe(books, account, text):
    entries = [Entry(books.house(), -euro(5)), Entry(account, euro(5))]
    named = {"source": "test", "purpose": "note", "key": f"{account}:{text}"}
    books.run(lambda ledger: ledger.post(entries, description=text, **named))


def euro(minor):
    from torg.money import Money

    return Money(minor, "EUR")


def test_a_statement_as_csv_is_whole_in_order_and_harmless(books, anna):
    account = books.account(1000, anna)
    describe(books, account, '=HYPERLINK("http://x"), "quoted"\nline')
    answer = books.call("GET", f"/accounts/{account}/statement", anna)
    assert answer.mimetype == "text/csv"
    rows = list(csv.DictReader(io.StringIO(answer.get_data(as_text=True), newline="")))
    assert [row["number"] for row in rows] == ["1", "2"]
    assert rows[1]["amount"] == "0.05"
    assert rows[1]["description"] == '\'=HYPERLINK("http://x"), "quoted"\nline'


def test_a_statement_as_spreadsheet_holds_numbers_and_no_formulas(books, anna):
    account = books.account(1234, anna)
    describe(books, account, "=1+1")
    answer = books.call("GET", f"/accounts/{account}/statement?format=xlsx", anna)
    sheet = zipfile.ZipFile(io.BytesIO(answer.data)).read("xl/worksheets/sheet1.xml").decode()
    assert "<v>12.34</v>" in sheet
    assert "<f>" not in sheet
    assert "'=1+1" in sheet


def open_files():
    """How many this process has open; connections, which a pool keeps, are none."""
    found = 0
    for each in Path("/dev/fd").iterdir():
        # That of the folder itself was closed when it had been read.
        with contextlib.suppress(OSError):
            found += stat.S_ISREG(os.fstat(int(each.name)).st_mode)
    return found


def test_a_spreadsheet_that_nobody_reads_leaves_nothing_open(books, anna):
    path = f"/accounts/{books.account(1234, anna)}/statement?format=xlsx"
    gc.collect()
    before = open_files()
    for _ in range(3):
        answer = books.call("GET", path, anna, buffered=False)
        assert open_files() > before
        answer.close()
        assert open_files() == before
    gc.collect()


def test_a_statement_is_filtered_by_purpose(books, anna):
    account = books.account(1000, anna)
    describe(books, account, "a note")
    answer = books.call("GET", f"/accounts/{account}/statement?purpose=note", anna)
    assert answer.get_data(as_text=True).count("\r\n") == 2


def test_a_long_statement_is_read_in_pages_and_streamed(books, anna):
    account, bank = books.account(0, anna), books.house()
    books.sql(
        "SELECT count(wallet_post(ARRAY[%s, %s]::bigint[], ARRAY[-1, 1]::bigint[],"
        " ARRAY['EUR', 'EUR'], 'bulk', 'bulk', n::text, '', NULL, '', NULL, NULL, NULL, false))"
        " FROM generate_series(1, 2500) AS n",
        bank,
        account,
    )
    answer = books.call("GET", f"/accounts/{account}/statement", anna, buffered=False)
    assert answer.is_streamed
    rows = list(csv.DictReader(io.StringIO(answer.get_data(as_text=True))))
    answer.close()
    assert [int(row["number"]) for row in rows] == list(range(1, 2501))


def test_a_spreadsheet_of_too_many_rows_is_refused(make_books):
    books = make_books(sections={"wallet": {"statement_rows": 100}})
    anna = books.person()
    account, bank = books.account(0, anna), books.house()
    for _ in range(101):
        books.move(bank, account, 1)
    answer = books.call("GET", f"/accounts/{account}/statement?format=xlsx", anna)
    assert (answer.status_code, answer.json["code"]) == (422, "statement_too_long")
    assert books.call("GET", f"/accounts/{account}/statement", anna).status_code == 200


def test_lists_cost_the_same_statements_for_few_and_many(books, anna, count_queries):
    account, ben = books.account(1000, anna), books.account()
    counts = []
    for _ in range(2):
        with count_queries() as count:
            books.get(f"/accounts/{account}/entries", anna)
        counts.append(count.total)
        for _ in range(5):
            books.move(account, ben, 1)
    assert counts[0] == counts[1]


def test_staff_finds_what_waits_for_it_and_where_the_money_goes(books, count_queries):
    clara = books.person(permissions=["wallet.payment.confirm"])
    amount = {"amount": "2.00", "currency": "EUR"}
    asked = {"amount": amount, "provider": "manual"}

    def ask():
        person = books.person("anna")
        books.account(1000, person)
        sent = {**asked, "destination": f"IBAN of {person.username}"}
        made = [
            books.call("POST", "/deposits", person, json=asked),
            books.call("POST", "/payouts", person, json=sent),
        ]
        return person, [each.json["reference"] for each in made]

    anna, (deposit, payout) = ask()
    counts = []
    for _ in range(2):
        with count_queries() as count:
            payouts = books.get("/admin/payouts", clara, provider="manual", status="held")
        counts.append(count.total)
        for _ in range(3):
            ask()
    assert counts[0] == counts[1]
    (found,) = [each for each in payouts["items"] if each["reference"] == payout]
    assert (found["user"], found["destination"]) == (anna.username, f"IBAN of {anna.username}")
    deposits = books.get("/admin/deposits", clara, provider="manual", limit=100)["items"]
    assert [each["user"] for each in deposits if each["reference"] == deposit] == [anna.username]
    assert books.get("/admin/deposits", clara, provider="sandbox")["items"] == []
    assert books.call("POST", f"/admin/payouts/{payout}/confirm", clara).status_code == 200
    settled = books.get("/admin/payouts", clara, status="settled")["items"]
    assert payout in [each["reference"] for each in settled]
    assert books.call("GET", "/admin/payouts", anna).status_code == 403
