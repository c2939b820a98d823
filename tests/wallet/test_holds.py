"""Holds: money set aside, taken in parts or whole, let go once, never taken after the expiry."""

import time
from datetime import timedelta

import pytest

from torg.db import database_now, unit_of_work
from torg.money import Money
from torg_ledger import (
    Entry,
    ExpiryPassedError,
    HoldClosedError,
    HoldExceededError,
    HoldNotFoundError,
    HoldStatus,
    InsufficientFundsError,
    KeyReusedError,
    UnbalancedError,
)
from torg_wallet.services import expiry


def euro(minor: int) -> Money:
    return Money(minor, "EUR")


def take(books, hold, to, minor, key="take", **facts):
    return books.run(
        lambda ledger: ledger.capture(
            *(hold.reference, [Entry(to, euro(minor))]),
            **{"source": "test", "purpose": "order", "key": f"{hold.reference}:{key}", **facts},
        )
    )


def find(books, hold):
    from torg_wallet.queries import holds

    with unit_of_work("read", books.app):
        return holds.as_value(holds.find(hold.reference))


def soon(books, seconds=0.3):
    with unit_of_work("read", books.app):
        return database_now() + timedelta(seconds=seconds)


def test_a_hold_sets_money_aside_and_leaves_what_is_posted(books):
    anna = books.account(1000)
    books.held(anna, 400)
    balance = books.balance(anna)
    assert (balance.posted, balance.pending, balance.available) == (
        *(euro(1000), euro(400)),
        euro(600),
    )


def test_more_than_is_available_cannot_be_held(books):
    anna = books.account(1000)
    books.held(anna, 700)
    with pytest.raises(InsufficientFundsError):
        books.held(anna, 301)


def test_a_capture_takes_what_was_held_and_closes_the_hold(books):
    anna, ben = books.account(1000), books.account()
    hold = books.held(anna, 400)
    take(books, hold, ben, 400)
    assert books.balance(anna).available == euro(600)
    assert books.balance(ben).posted == euro(400)
    assert find(books, hold).status is HoldStatus.CAPTURED


def test_a_part_can_be_taken_and_the_rest_is_let_go(books):
    anna, ben = books.account(1000), books.account()
    hold = books.held(anna, 400)
    take(books, hold, ben, 150)
    assert books.balance(anna).available == euro(850)
    assert find(books, hold).remaining == euro(0)


def test_parts_can_be_taken_one_after_the_other_up_to_the_whole(books):
    anna, ben = books.account(1000), books.account()
    hold = books.held(anna, 400)
    take(books, hold, ben, 150, "one", closes=False)
    assert books.balance(anna).available == euro(600)
    with pytest.raises(HoldExceededError) as refused:
        take(books, hold, ben, 251, "two", closes=False)
    assert refused.value.remaining == euro(250)
    take(books, hold, ben, 250, "three", closes=False)
    assert find(books, hold).status is HoldStatus.CAPTURED


def test_a_closed_hold_is_never_taken_again(books):
    anna, ben = books.account(1000), books.account()
    hold = books.held(anna, 400)
    take(books, hold, ben, 100)
    with pytest.raises(HoldClosedError):
        take(books, hold, ben, 100, "again")


def test_a_repeated_capture_gives_the_first_transfer(books):
    anna, ben = books.account(1000), books.account()
    hold = books.held(anna, 400)
    first, again = take(books, hold, ben, 400), take(books, hold, ben, 400)
    assert again.reference == first.reference
    assert again.is_replay
    assert books.balance(ben).posted == euro(400)


def test_a_voided_hold_lets_everything_go_and_voiding_again_is_no_error(books):
    anna, ben = books.account(1000), books.account()
    hold = books.held(anna, 400)
    for _ in range(2):
        assert books.run(lambda ledger: ledger.void(hold.reference)).status is HoldStatus.VOIDED
    assert books.balance(anna).available == euro(1000)
    with pytest.raises(HoldClosedError):
        take(books, hold, ben, 1)


def test_a_captured_hold_cannot_be_voided(books):
    anna, ben = books.account(1000), books.account()
    hold = books.held(anna, 400)
    take(books, hold, ben, 400)
    with pytest.raises(HoldClosedError):
        books.run(lambda ledger: ledger.void(hold.reference))


def test_a_repeated_hold_is_the_same_hold(books):
    anna = books.account(1000)
    first, again = books.held(anna, 700, key="once"), books.held(anna, 700, key="once")
    assert first.reference == again.reference
    assert books.balance(anna).pending == euro(700)
    with pytest.raises(KeyReusedError):
        books.held(anna, 100, key="once")


def test_an_expired_hold_counts_no_longer_though_nobody_marked_it(books):
    anna, ben = books.account(1000), books.account()
    hold = books.held(anna, 1000, expires_at=soon(books))
    time.sleep(0.4)
    assert books.balance(anna).available == euro(1000)
    assert find(books, hold).status is HoldStatus.EXPIRED
    with pytest.raises(HoldClosedError):
        take(books, hold, ben, 1)
    books.move(anna, ben, 1000)
    assert books.prove() == []


def test_the_schedule_marks_what_has_expired_and_nothing_else(books):
    anna, ben = books.account(1000), books.account()
    gone, partly = (books.held(anna, 100, expires_at=soon(books)) for _ in range(2))
    stays = books.held(anna, 100, expires_at=soon(books, 3600))
    take(books, partly, ben, 30, closes=False)
    time.sleep(0.4)
    with unit_of_work(app=books.app):
        assert expiry.expire_holds() >= 1
    rows = books.sql(
        "SELECT reference, status, voided_minor FROM wallet_hold WHERE account_id = %s", anna
    )
    found = {row.reference: (row.status, row.voided_minor) for row in rows}
    assert found[gone.reference] == ("expired", 100)
    assert found[partly.reference] == ("captured", 70)
    assert found[stays.reference] == ("open", 0)


def test_a_hold_that_would_have_expired_already_is_refused(books):
    anna = books.account(1000)
    with pytest.raises(ExpiryPassedError):
        books.held(anna, 1, expires_at=soon(books, -1))


def test_an_unknown_hold_and_a_capture_to_the_held_account_are_refused(books):
    anna = books.account(1000)
    hold = books.held(anna, 10)
    with pytest.raises(HoldNotFoundError):
        books.run(lambda ledger: ledger.void("HD0"))
    with pytest.raises(UnbalancedError):
        take(books, hold, anna, 10)


def test_the_proof_finds_nothing(books):
    assert books.prove() == []
