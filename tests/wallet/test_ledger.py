"""Posting: money moves as a whole, once, within what is there, or not at all."""

import pytest

from torg.money import AmountOutOfRangeError, Money
from torg_ledger import (
    AccountKind,
    AccountMismatchError,
    AccountNotFoundError,
    DuplicateReferenceError,
    Entry,
    InsufficientFundsError,
    KeyReusedError,
    UnbalancedError,
    WrongAccountCurrencyError,
)


def euro(minor: int) -> Money:
    return Money(minor, "EUR")


def test_opening_an_account_again_gives_the_same_one(books):
    person = books.person()
    first, second = books.account(owner=person), books.account(owner=person)
    assert first == second


def test_an_account_of_another_kind_under_the_same_code_is_refused(books):
    books.house("test:fees", AccountKind.INCOME)
    with pytest.raises(AccountMismatchError):
        books.house("test:fees", AccountKind.EXPENSE)


def test_a_transfer_moves_money_from_one_account_to_another(books):
    anna, ben = books.account(1000), books.account()
    books.move(anna, ben, 300)
    assert books.balance(anna).posted == euro(700)
    assert books.balance(ben).available == euro(300)


def test_a_transfer_may_have_many_sides(books):
    buyer, seller, fees = books.account(1000), books.account(), books.house("test:fees2")
    entries = [Entry(buyer, euro(-1000)), Entry(seller, euro(900)), Entry(fees, euro(100))]
    books.run(lambda ledger: ledger.post(entries, source="test", purpose="sale", key="sale"))
    assert (books.balance(seller).posted, books.balance(fees).posted) == (euro(900), euro(100))


def test_sides_of_one_account_are_added_up(books):
    anna, ben = books.account(1000), books.account()
    entries = [Entry(anna, euro(-300)), Entry(anna, euro(-200)), Entry(ben, euro(500))]
    books.run(lambda ledger: ledger.post(entries, source="test", purpose="sum", key="sum"))
    assert books.balance(anna).version == 2


@pytest.mark.parametrize("amounts", [(-100, 99), (100, 100), (0, 0), (-100,)])
def test_what_does_not_balance_is_refused(books, amounts):
    accounts = [books.account(1000), books.account(1000)]
    entries = [Entry(each, euro(amount)) for each, amount in zip(accounts, amounts, strict=False)]
    with pytest.raises(UnbalancedError):
        books.run(lambda ledger: ledger.post(entries, source="test", purpose="x", key="no"))


def test_more_than_is_available_is_refused_and_says_what_is(books):
    anna, ben = books.account(1000), books.account()
    books.held(anna, 400)
    with pytest.raises(InsufficientFundsError) as refused:
        books.move(anna, ben, 601)
    assert refused.value.available == euro(600)
    books.move(anna, ben, 600)


def test_an_overdraft_may_be_used_up_and_not_passed(books):
    person, ben = books.person(), books.account()
    anna = books.run(
        lambda ledger: ledger.open_account(
            "credit", "EUR", owner_id=person.id, overdraft_limit=euro(500)
        )
    )
    books.move(anna, ben, 500)
    with pytest.raises(InsufficientFundsError):
        books.move(anna, ben, 1)


def test_a_refusal_leaves_the_transaction_usable(books):
    anna, ben = books.account(100), books.account()

    def act(ledger):
        with pytest.raises(InsufficientFundsError):
            ledger.post(
                [Entry(anna, euro(-101)), Entry(ben, euro(101))],
                source="test",
                purpose="x",
                key="refused-first",
            )
        return ledger.post(
            [Entry(anna, euro(-100)), Entry(ben, euro(100))],
            source="test",
            purpose="x",
            key="then-done",
        )

    books.run(act)
    assert books.balance(ben).posted == euro(100)


def test_a_repeat_with_the_same_key_has_no_second_effect_and_the_same_answer(books):
    anna, ben = books.account(1000), books.account()
    first = books.move(anna, ben, 100, key="same-key")
    again = books.move(anna, ben, 100, key="same-key")
    assert (again.reference, again.created_at) == (first.reference, first.created_at)
    assert (first.is_replay, again.is_replay) == (False, True)
    assert books.balance(ben).posted == euro(100)


def test_a_key_is_not_lent_to_another_body(books):
    anna, ben = books.account(1000), books.account()
    books.move(anna, ben, 100, key="one-body")
    with pytest.raises(KeyReusedError):
        books.move(anna, ben, 101, key="one-body")


def test_keys_of_two_sources_do_not_meet(books):
    anna, ben = books.account(1000), books.account()
    entries = [Entry(anna, euro(-1)), Entry(ben, euro(1))]
    for source in ("shop", "auction"):
        posted = books.run(
            lambda ledger, source=source: ledger.post(
                entries, source=source, purpose="x", key="shared"
            )
        )
        assert not posted.is_replay


def test_an_external_reference_is_booked_once_per_source(books):
    anna, ben = books.account(1000), books.account()
    entries = [Entry(anna, euro(-1)), Entry(ben, euro(1))]

    def post(key, source="shop"):
        return books.run(
            lambda ledger: ledger.post(
                entries, source=source, purpose="x", key=key, external_reference="invoice-7"
            )
        )

    post("reference-1")
    with pytest.raises(DuplicateReferenceError):
        post("reference-2")
    post("reference-1", "auction")


def test_an_unknown_account_and_a_wrong_currency_are_named(books):
    anna = books.account(1000)
    with pytest.raises(AccountNotFoundError):
        books.move(anna, 999_999, 1)
    dollars = [Entry(anna, Money(-1, "USD")), Entry(books.house(), Money(1, "USD"))]
    with pytest.raises(WrongAccountCurrencyError):
        books.run(lambda ledger: ledger.post(dollars, source="test", purpose="x", key="usd"))


def test_what_is_too_large_to_add_up_changes_nothing(books):
    account = books.account()
    books.fund(account, 2**62)
    with pytest.raises(AmountOutOfRangeError):
        books.fund(account, 2**62)
    assert books.balance(account).posted == euro(2**62)


def test_the_proof_finds_nothing(books):
    assert books.prove() == []
