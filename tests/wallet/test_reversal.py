"""Reversal: money goes back by a transfer of its own, never more than was moved."""

import pytest

from torg.money import Money
from torg_ledger import Entry, InsufficientFundsError, ReversalError, TransferNotFoundError


def euro(minor: int) -> Money:
    return Money(minor, "EUR")


def back(books, transfer, minor=None, key="back"):
    amount = None if minor is None else euro(minor)
    return books.run(
        lambda ledger: ledger.reverse(
            *(transfer.reference,),
            source="test",
            key=f"{transfer.reference}:{key}",
            amount=amount,
        )
    )


def test_a_reversal_moves_everything_back(books):
    anna, ben = books.account(1000), books.account()
    moved = books.move(anna, ben, 300)
    assert back(books, moved).reference != moved.reference
    assert (books.balance(anna).posted, books.balance(ben).posted) == (euro(1000), euro(0))


def test_parts_can_be_reversed_until_nothing_is_left(books):
    anna, ben = books.account(1000), books.account(1000)
    moved = books.move(anna, ben, 300)
    back(books, moved, 100, "one")
    with pytest.raises(ReversalError):
        back(books, moved, 201, "too-much")
    back(books, moved, key="rest")
    with pytest.raises(ReversalError):
        back(books, moved, 1, "more")
    with pytest.raises(ReversalError):
        back(books, moved, key="all-again")
    assert books.balance(anna).posted == euro(1000)


def test_a_repeated_reversal_is_the_same_transfer(books):
    anna, ben = books.account(1000), books.account(1000)
    moved = books.move(anna, ben, 300)
    first, again = back(books, moved), back(books, moved)
    assert again.reference == first.reference
    assert again.is_replay


def test_a_reversal_is_not_reversed(books):
    anna, ben = books.account(1000), books.account()
    with pytest.raises(ReversalError):
        back(books, back(books, books.move(anna, ben, 300)), key="again")


def test_what_was_spent_cannot_be_taken_back_below_the_limit(books):
    anna, ben = books.account(1000), books.account()
    moved = books.move(anna, ben, 300)
    books.move(ben, anna, 200)
    with pytest.raises(InsufficientFundsError):
        back(books, moved)


def test_a_transfer_of_many_sides_goes_back_as_a_whole(books):
    buyer, seller, fees = books.account(1000), books.account(), books.house("test:fees")
    entries = [Entry(buyer, euro(-1000)), Entry(seller, euro(900)), Entry(fees, euro(100))]
    sold = books.run(lambda ledger: ledger.post(entries, source="test", purpose="sale", key="sale"))
    back(books, sold)
    assert books.balance(buyer).posted == euro(1000)
    assert books.balance(fees).posted == euro(0)


def test_an_unknown_transfer_cannot_be_reversed(books):
    with pytest.raises(TransferNotFoundError):
        books.run(lambda ledger: ledger.reverse("TR0", source="test", key="nothing"))


def test_the_proof_finds_nothing(books):
    assert books.prove() == []
