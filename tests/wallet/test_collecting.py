"""Money that a provider brings in for one thing: the person's own, and set aside at once."""

import itertools
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import literal
from sqlalchemy.exc import IntegrityError

from torg import jobs
from torg.money import Money
from torg_ledger import (
    AccountKind,
    Collection,
    CollectionStatus,
    Entry,
    HoldClosedError,
    KeyReusedError,
)
from torg_ledger.errors import (
    CurrencyNotOfferedError,
    PaymentTooLargeError,
    ProviderUnknownError,
)
from torg_wallet.providers import sandbox
from torg_wallet.queries import collecting as queries
from torg_wallet.services import collecting, payments

_numbers = itertools.count(1)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def books(make_books):
    return make_books(sections={"wallet": {"sandbox": True}})


def begin(books, person, minor=2500, currency="EUR", provider="sandbox", **changes) -> Collection:
    named = {"key": f"thing:{next(_numbers)}", "held_for": DAY, **changes}
    named = {"source": "test", "purpose": "thing", **named}
    amount = Money(minor, currency)
    return books.run(lambda ledger: ledger.collect(person.id, amount, provider, **named))


def now(books, reference) -> Collection:
    return books.run(lambda ledger: ledger.collections([reference]))[reference]


def settle(books):
    """Run everything that is or will be due, as if time had passed."""
    for _ in range(4):
        jobs.run_due(books.app)
        books.sql("UPDATE torg_outbox SET run_at = clock_timestamp() WHERE state = 'queued'")
    jobs.run_due(books.app)


def balance(books, person):
    found = books.balance(books.account(owner=person))
    return found.posted.minor, found.available.minor


def test_what_comes_in_is_ones_own_and_set_aside_until_it_is_captured(books):
    anna = books.person("anna")
    begun = begin(books, anna)
    assert (begun.status, begun.hold, begun.is_held) == (CollectionStatus.UNDER_WAY, None, False)
    settle(books)
    found = now(books, begun.reference)
    assert (found.status, found.is_held) == (CollectionStatus.COLLECTED, True)
    assert balance(books, anna) == (2500, 0)
    (shown,) = books.get("/holds", anna)["items"]
    assert (shown["purpose"], shown["source"], shown["status"]) == ("thing", "test", "open")
    sales = books.house("test:sales", AccountKind.INCOME)
    named = {"source": "test", "purpose": "thing", "key": begun.reference}
    whole = [Entry(sales, found.amount)]
    books.run(lambda ledger: ledger.capture(found.hold, whole, **named))
    assert balance(books, anna) == (0, 0)
    assert not now(books, begun.reference).is_held
    assert books.prove() == []


def test_a_deposit_for_nothing_stays_free(books):
    anna = books.person("anna")
    body = {"amount": {"amount": "25.00", "currency": "EUR"}, "provider": "sandbox"}
    reference = books.call("POST", "/deposits", anna, json=body).json["reference"]
    settle(books)
    assert balance(books, anna) == (2500, 2500)
    assert books.run(lambda ledger: ledger.collections([reference, "DP0"])) == {}


@pytest.mark.parametrize("cents", sorted(sandbox.SCENARIOS))
def test_every_trouble_of_the_sandbox_collects_once_or_not_at_all(books, cents):
    anna = books.person("anna")
    begun = begin(books, anna, 100 + cents)
    settle(books)
    found = now(books, begun.reference)
    expected = {13: "failed", 29: "under_way", 31: "failed"}.get(cents, "collected")
    assert found.status == expected
    held = 100 + cents if expected == "collected" else 0
    assert balance(books, anna) == (held, 0)
    assert found.is_held is (held > 0)


def test_what_nobody_captures_is_free_again_when_its_time_is_over(books):
    anna = books.person("anna")
    begun = begin(books, anna, held_for=timedelta(seconds=1))
    jobs.run_due(books.app)
    said = {"reference": begun.reference, "status": "succeeded", "minor": 2500, "currency": "EUR"}

    def arrive(_ledger):
        headers, body = sandbox.signed_call(f"{begun.reference}:now", json.dumps(said))
        payments.receive("sandbox", headers, body)

    books.run(arrive)
    assert balance(books, anna) == (2500, 0)
    books.sql("SELECT pg_sleep(1)")
    assert balance(books, anna) == (2500, 2500)
    found = now(books, begun.reference)
    assert (found.status, found.is_held) == (CollectionStatus.COLLECTED, False)
    sales = books.house("test:sales", AccountKind.INCOME)
    named = {"source": "test", "purpose": "thing", "key": begun.reference}
    with pytest.raises(HoldClosedError):
        books.run(lambda ledger: ledger.capture(found.hold, [Entry(sales, found.amount)], **named))


def test_one_key_begins_one_collection_however_many_ask(books):
    anna = books.person("anna")
    with ThreadPoolExecutor(8) as pool:
        begun = list(pool.map(lambda _: begin(books, anna, key="once").reference, range(8)))
    assert len(set(begun)) == 1
    assert len(books.get("/deposits", anna)["items"]) == 1
    for changes in ({"minor": 2501}, {"provider": "manual"}, {"purpose": "other"}):
        with pytest.raises(KeyReusedError):
            begin(books, anna, key="once", **changes)
    with pytest.raises(KeyReusedError):
        begin(books, books.person(), key="once")


def test_without_the_lock_of_the_key_somebody_who_asks_at_once_is_refused(books, monkeypatch):
    together = threading.Barrier(2)
    look = queries.of_key

    def look_together(source, key):
        found = look(source, key)
        together.wait(10)
        return found

    monkeypatch.setattr(queries, "of_key", look_together)
    monkeypatch.setattr(collecting.func, "pg_advisory_xact_lock", lambda _key: literal(1))
    bert = books.person()

    def ask(_number):
        try:
            return begin(books, bert, key="unguarded").reference
        except IntegrityError as refused:
            return refused

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(ask, range(2)))
    assert sorted(isinstance(each, IntegrityError) for each in answers) == [False, True]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"provider": "nobody"}, ProviderUnknownError),
        ({"currency": "GBP"}, CurrencyNotOfferedError),
        ({"minor": 10**9}, PaymentTooLargeError),
    ],
)
def test_what_cannot_be_paid_is_refused_and_leaves_nothing(books, changes, error):
    anna = books.person("anna")
    with pytest.raises(error):
        begin(books, anna, **changes)
    assert books.get("/deposits", anna)["items"] == []
