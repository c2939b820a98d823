"""What statistics count of the books equals the ledger to the minor unit."""

import time
from collections import defaultdict
from datetime import timedelta

import pytest
from fact_rows import FactRows

from torg import db
from torg.db import database_now, unit_of_work
from torg.money import Money
from torg_ledger import Entry
from torg_wallet import metrics
from torg_wallet.services import expiry

FACTS = (metrics.ENTRIES, metrics.HOLDS)
METRICS = {each.name.removeprefix("wallet."): each for each in metrics.METRICS}


def euro(minor):
    return Money(minor, "EUR")


def soon(books, seconds):
    with unit_of_work("read", books.app):
        return database_now() + timedelta(seconds=seconds)


def take(books, hold, to, minor, key):
    """Take a part and leave the hold open."""
    return books.run(
        lambda ledger: ledger.capture(
            hold.reference,
            [Entry(to, euro(minor))],
            source="test",
            purpose="order",
            key=f"{hold.reference}:{key}",
            closes=False,
        )
    )


def pay_in_and_out(books, clerk, person, kind, amount, outcome="succeeded"):
    """A deposit or payout by hand; what the clerk says of it."""
    body = {"amount": {"amount": amount, "currency": "EUR"}, "provider": "manual"}
    if kind == "payouts":
        body["destination"] = "DE02120300000000202051"
    begun = books.call("POST", f"/{kind}", person, json=body)
    assert begun.status_code in (201, 202), begun.text
    path = f"/admin/{kind}/{begun.json['reference']}/confirm"
    ended = books.call("POST", path, clerk, json={"outcome": outcome, "reason": ""})
    assert ended.status_code == 200, ended.text
    return begun.json["reference"]


@pytest.fixture(scope="module")
def traded(make_books):
    """Transfers, a reversal, deposits, payouts, and holds that ended in every way."""
    books = make_books()
    clerk = books.person("clerk", role="manager")
    anna = books.person("anna")
    main, other, house = books.account(50_000, anna), books.account(700), books.house()
    moved = books.move(main, other, 1234)
    books.run(
        lambda ledger: ledger.reverse(
            moved.reference, source="test", key="undo", purpose="move_back"
        )
    )
    pay_in_and_out(books, clerk, anna, "deposits", "12.50")
    pay_in_and_out(books, clerk, anna, "deposits", "99.00", "failed")
    pay_in_and_out(books, clerk, anna, "payouts", "3.33")
    pay_in_and_out(books, clerk, anna, "payouts", "5.00", "failed")
    parts = books.held(main, 900)
    take(books, parts, house, 300, "a")
    take(books, parts, house, 600, "b")
    some = books.held(main, 800)
    take(books, some, house, 100, "a")
    books.run(lambda ledger: ledger.void(some.reference))
    books.held(main, 40)
    still = books.held(main, 77)
    take(books, still, house, 7, "a")
    books.held(other, 50, expires_at=soon(books, 0.2))
    time.sleep(0.3)
    db.in_transaction(expiry.expire_holds, books.app)
    return books


@pytest.fixture(scope="module")
def rows(traded):
    return FactRows(traded.app)


def entries(books, where="true"):
    return books.sql(
        "SELECT e.amount_minor, a.owner_id FROM wallet_entry e"
        " JOIN wallet_transfer t ON t.id = e.transfer_id"
        f" JOIN wallet_account a ON a.id = e.account_id WHERE {where}"
    )


def test_turnover_is_half_of_what_all_entries_moved(traded, rows):
    moved = sum(abs(each.amount_minor) for each in entries(traded))
    assert rows.total(METRICS["turnover"]) * 2 == moved


def test_deposits_are_the_entries_of_deposits_that_came_in(traded, rows):
    booked = entries(traded, "t.purpose = 'deposit' AND a.owner_id IS NOT NULL")
    wanted = sum(each.amount_minor for each in booked)
    assert rows.total(METRICS["deposits"]) == wanted == 1250
    (paid,) = traded.sql(
        "SELECT sum(amount_minor)::bigint AS minor FROM wallet_deposit WHERE status = 'succeeded'"
    )
    assert paid.minor == wanted


def test_payouts_are_the_entries_of_payouts_that_went_out(traded, rows):
    booked = entries(traded, "t.purpose = 'payout' AND a.owner_id IS NOT NULL")
    assert rows.total(METRICS["payouts"]) == -sum(each.amount_minor for each in booked) == 333


def test_outstanding_holds_are_what_accounts_have_pending(traded, rows):
    wanted = defaultdict(int)
    for account in traded.sql("SELECT * FROM wallet_account WHERE owner_id IS NOT NULL"):
        wanted[account.owner_id] += account.pending_minor
    found = rows.total(METRICS["outstanding_holds"], "owner")
    assert {owner: found.get(owner, 0) for owner in wanted} == wanted
    assert sum(found.values()) == 110


def test_money_of_people_is_what_their_accounts_have_posted(traded, rows):
    wanted = defaultdict(int)
    for account in traded.sql("SELECT * FROM wallet_account WHERE owner_id IS NOT NULL"):
        wanted[account.owner_id] += account.posted_minor
    assert rows.total(METRICS["balance"], "owner", is_personal=True) == wanted
    received, given = (rows.total(METRICS[name]) for name in ("received", "given"))
    assert received - given == sum(wanted.values())


def test_no_fact_ever_changes_when_holds_end_and_transfers_are_undone(make_books):
    books = make_books()
    rows = FactRows(books.app)
    main, house = books.account(1000), books.house()
    first, second = books.held(main, 300), books.held(main, 200)
    moved = books.move(main, house, 100)
    before = rows.taken(*FACTS)
    take(books, first, house, 120, "part")
    middle = rows.taken(*FACTS)
    assert before < middle
    assert rows.total(METRICS["outstanding_holds"]) == 380
    books.run(lambda ledger: ledger.void(first.reference))
    books.run(lambda ledger: ledger.void(second.reference))
    books.run(
        lambda ledger: ledger.reverse(
            moved.reference, source="test", key="undo", purpose="move_back"
        )
    )
    assert middle < rows.taken(*FACTS)
    assert rows.total(METRICS["outstanding_holds"]) == 0
