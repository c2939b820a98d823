"""Many transfers at once: judged as one by one, few statements, none stops another."""

import itertools

import pytest

from torg.money import Money
from torg_ledger import Entry, HoldStatus, Posting, UnbalancedError
from torg_wallet.queries import holds

_numbers = itertools.count(1)


def euro(minor: int) -> Money:
    return Money(minor, "EUR")


def posting(source, target, minor, **facts):
    key = facts.pop("key", f"many:{next(_numbers)}")
    return Posting(key, [Entry(source, euro(-minor)), Entry(target, euro(minor))], **facts)


def settle(books, postings):
    return books.run(lambda ledger: ledger.settle(postings, source="test", purpose="many"))


def test_each_is_judged_after_the_one_before_it(books):
    first, second, third = books.account(100), books.account(), books.account()
    told = settle(
        books,
        [posting(first, second, 80), posting(first, third, 50), posting(second, third, 70)],
    )
    assert [each.refusal for each in told] == [None, "insufficient_funds", None]
    assert [books.balance(each).posted.minor for each in (first, second, third)] == [20, 10, 70]
    assert books.prove() == []


def test_a_repeat_has_no_second_effect_and_another_body_is_refused(books):
    source, target = books.account(100), books.account()
    once = posting(source, target, 30, key="the-key")
    (first,) = settle(books, [once])
    (again,) = settle(books, [once])
    assert again.posted.reference == first.posted.reference
    assert (first.posted.is_replay, again.posted.is_replay) == (False, True)
    (other,) = settle(books, [posting(source, target, 31, key="the-key")])
    assert other.refusal == "ledger_key_reused"
    assert books.balance(target).posted.minor == 30


def test_a_single_post_and_a_settled_one_share_their_key(books):
    source, target = books.account(100), books.account()
    entries = [Entry(source, euro(-5)), Entry(target, euro(5))]
    single = books.run(
        lambda ledger: ledger.post(entries, source="test", purpose="many", key="shared")
    )
    (settled,) = settle(books, [Posting("shared", entries)])
    assert settled.posted.reference == single.reference


def test_holds_are_captured_in_part_and_closed_and_a_closed_one_is_refused(books):
    account, target = books.account(100), books.account()
    held, gone = books.held(account, 60), books.held(account, 20)
    books.run(lambda ledger: ledger.void(gone.reference))
    told = settle(
        books,
        [
            Posting("h:1", [Entry(target, euro(50))], hold=held.reference),
            Posting("h:2", [Entry(target, euro(10))], hold=gone.reference),
            Posting("h:3", [Entry(target, euro(10))], hold="HDNONE"),
        ],
    )
    assert [each.refusal for each in told] == [None, "hold_closed", "hold_not_found"]
    balance = books.balance(account)
    assert (balance.posted.minor, balance.pending.minor) == (50, 0)
    assert books.prove() == []


def test_what_does_not_balance_posts_nothing(books):
    source, target = books.account(100), books.account()
    wrong = Posting("w", [Entry(source, euro(-5)), Entry(target, euro(6))])
    with pytest.raises(UnbalancedError):
        settle(books, [posting(source, target, 5), wrong])
    assert books.balance(target).posted.minor == 0


def test_a_hundred_cost_as_many_statements_as_two(books, count_queries):
    source, target = books.account(10_000), books.account()
    counts = []
    for number in (2, 100):
        postings = [posting(source, target, 1) for _ in range(number)]
        with count_queries() as count:
            settle(books, postings)
        counts.append(count.total)
    assert counts[0] == counts[1] <= 3


def test_many_holds_are_let_go_at_once_and_closed_ones_passed_over(books):
    account = books.account(100)
    held = [books.held(account, 10) for _ in range(3)]
    books.run(lambda ledger: ledger.void(held[0].reference))
    names = [each.reference for each in held] + ["HDNONE"]
    assert books.run(lambda ledger: ledger.void_many(names)) == 2
    assert books.run(lambda ledger: ledger.void_many(names)) == 0
    assert books.run(lambda ledger: ledger.void_many([])) == 0
    found = books.run(lambda ledger: [holds.find(each.reference) for each in held])
    assert {each.live_status for each in found} == {HoldStatus.VOIDED}
    assert books.balance(account).pending.minor == 0


def test_balances_of_many_accounts_are_those_of_each(books):
    accounts = [books.account(minor) for minor in (5, 0, 7)]
    many = books.run(lambda ledger: ledger.balances([*accounts, 10**12]))
    assert many == {each: books.balance(each) for each in accounts}
