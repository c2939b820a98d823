"""Bidding and buying now: one statement, which the database carries out under the row lock.

The rule is `torg_auction.domain`'s, its twin in the database is `auction_place_bid`. Jobs of the
mails are put into the outbox by the same statement; what is left to do here is to say the answer.
"""

from typing import Any, NoReturn

from sqlalchemy import text

from torg import cache, contracts, db, logs, outbox
from torg.errors import FieldProblem, NotFoundError
from torg.i18n import gettext
from torg.identity import Identity
from torg.money import Money
from torg.prepared import Prepared
from torg_auction.errors import (
    AuctionClosedError,
    AuctionNotStartedError,
    BidTooLowError,
    BuyNowUnavailableError,
    MaximumNotRaisedError,
    OwnAuctionError,
    PriceMovedError,
    WrongCurrencyError,
)

# The type `auction_bid_answer` of the database.
_ANSWER = (
    *("code", "currency", "seq", "amount_minor", "is_leading", "leader_id"),
    *("current_price_minor", "minimum_bid_minor", "bid_count", "reserve_met", "extended"),
    *("ends_at", "server_time"),
)
_PLACE = Prepared(
    text(
        "SELECT * FROM auction_place_bid(:auction_id, :bidder_id, :amount, :maximum, :currency,"
        " :expected_price, :request_id)"
    ),
    *_ANSWER,
)
_BUY = Prepared(
    text("SELECT * FROM auction_buy_now(:auction_id, :bidder_id, :request_id)"), *_ANSWER
)


def place_bid(
    auction_id: int,
    bidder: Identity,
    *,
    amount: Money | None = None,
    max_amount: Money | None = None,
    expected_price: Money | None = None,
) -> dict[str, Any]:
    """Place a plain bid or a secret maximum; exactly one of the two is given.

    All amounts are in one currency (the schema sees to it).

    Returns:
        The bidder's own bid (without number and amount when a leader raised his maximum and no bid
        was needed) and the auction after it. Never a maximum.

    Raises:
        NotFoundError: there is no such auction.
        OwnAuctionError, AuctionClosedError, AuctionNotStartedError, WrongCurrencyError,
        PriceMovedError, BidTooLowError, MaximumNotRaisedError: the bid is refused, in this order.
    """
    offer = amount or max_amount
    if offer is None or (amount is not None and max_amount is not None):
        raise ValueError("a bid is either an amount or a maximum")
    (answer,) = _PLACE.rows(
        {
            "auction_id": auction_id,
            "bidder_id": bidder.id,
            "amount": amount.minor if amount is not None else None,
            "maximum": max_amount.minor if max_amount is not None else None,
            "currency": offer.currency,
            "expected_price": expected_price.minor if expected_price is not None else None,
            "request_id": logs.request_id(),
        }
    )
    return _accepted(auction_id, bidder, answer, "max_amount" if amount is None else "amount")


def buy_now(auction_id: int, bidder: Identity) -> dict[str, Any]:
    """Take the auction at its buy-now price, which ends it at once.

    Raises:
        NotFoundError: there is no such auction.
        OwnAuctionError, AuctionClosedError, AuctionNotStartedError, BuyNowUnavailableError: it
        cannot be bought, in this order.
    """
    parameters = {
        "auction_id": auction_id,
        "bidder_id": bidder.id,
        "request_id": logs.request_id(),
    }
    (answer,) = _BUY.rows(parameters)
    # Nobody can bid any more.
    return {**_accepted(auction_id, bidder, answer, ""), "minimum_bid_minor": None}


def _accepted(auction_id: int, bidder: Identity, answer: Any, offered_in: str) -> dict[str, Any]:
    if answer.seq is not None:
        cache.invalidate("auctions", f"auction:{auction_id}")
    if answer.seq is not None or answer.code == "auction_closed":
        db.after_commit(outbox.ring)
    if answer.code != "accepted":
        _refuse(answer, offered_in)
    high_bidder = bidder.username
    if answer.leader_id != bidder.id:
        high_bidder = contracts.require("users").names([answer.leader_id]).get(answer.leader_id)
    return {
        **answer._mapping,  # noqa: SLF001 - SQLAlchemy's public name for it
        "auction_id": auction_id,
        "username": bidder.username,
        "high_bidder": high_bidder,
        "placed_at": answer.server_time,
    }


def _refuse(answer: Any, offered_in: str) -> NoReturn:
    """Raise the error that a code of the database function stands for."""
    plain = {
        "not_found": NotFoundError,
        "own_auction": OwnAuctionError,
        "auction_closed": AuctionClosedError,
        "auction_not_started": AuctionNotStartedError,
        "buy_now_unavailable": BuyNowUnavailableError,
    }
    if answer.code in plain:
        raise plain[answer.code]
    if answer.code == "wrong_currency":
        raise WrongCurrencyError(
            currency=answer.currency,
            errors=[
                _at(
                    f"/{offered_in}/currency",
                    answer.code,
                    gettext(WrongCurrencyError.detail, currency=answer.currency),
                )
            ],
        )
    if answer.code == "maximum_not_raised":
        detail = MaximumNotRaisedError.detail
        raise MaximumNotRaisedError(errors=[_at(f"/{offered_in}", answer.code, detail)])
    minimum = Money(answer.minimum_bid_minor, answer.currency)
    if answer.code == "price_moved":
        price = Money(answer.current_price_minor, answer.currency)
        raise PriceMovedError(current_price=price, minimum_bid=minimum)
    words = gettext(BidTooLowError.detail, minimum_bid=minimum)
    raise BidTooLowError(minimum_bid=minimum, errors=[_at(f"/{offered_in}", answer.code, words)])


def _at(pointer: str, code: str, message: str) -> FieldProblem:
    return FieldProblem(pointer, code, message)
