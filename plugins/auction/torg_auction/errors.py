"""What an auction refuses, in its own words. Each class docstring is the page behind `type`."""

from torg.errors import ConflictError, ForbiddenError, InvalidError, UnavailableError


class OwnAuctionError(ForbiddenError):
    """The owner of an auction never bids on it, neither openly nor by a maximum or buy-now."""

    code = "own_auction"
    title = "Your own auction"
    detail = "You cannot bid on your own auction."


class AuctionClosedError(ConflictError):
    """The auction is over. Its end is judged by the database's clock, when your bid's turn came."""

    code = "auction_closed"
    title = "Auction closed"
    detail = "This auction is over."


class AuctionNotStartedError(ConflictError):
    """Bids are taken from `starts_at` on, by the database's clock (see `server_time`)."""

    code = "auction_not_started"
    title = "Auction not started"
    detail = "This auction has not started yet."


class PriceMovedError(ConflictError):
    """The price is no longer the `expected_price` you sent: look again, then bid again.

    The answer carries the present `current_price` and `minimum_bid`.
    """

    code = "price_moved"
    title = "The price has moved"
    detail = "The price is {current_price} now."
    public = ("current_price", "minimum_bid")


class BidTooLowError(InvalidError):
    """A first bid is at least the starting price, every other one at least price plus increment.

    The answer carries the least amount that is accepted now as `minimum_bid`.
    """

    code = "bid_too_low"
    title = "Bid too low"
    detail = "The least bid that is accepted now is {minimum_bid}."
    public = ("minimum_bid",)


class MaximumNotRaisedError(InvalidError):
    """You lead already, and a standing maximum can only be raised."""

    code = "maximum_not_raised"
    title = "Maximum not raised"
    detail = "Your standing maximum is not below this amount. A maximum can only be raised."


class WrongCurrencyError(InvalidError):
    """All amounts of an auction are in the one currency it was created with."""

    code = "wrong_currency"
    title = "Wrong currency"
    detail = "This auction is held in {currency}."
    public = ("currency",)


class BuyNowUnavailableError(ConflictError):
    """The auction has no buy-now price, or the first bid has ended that offer."""

    code = "buy_now_unavailable"
    title = "Buy-now not available"
    detail = "This auction cannot be bought now."


class StreamsBusyError(UnavailableError):
    """This server serves as many live streams as it can: try again shortly, or poll."""

    code = "streams_busy"
    title = "Too many live streams"
    detail = "As many live streams are open as this server can serve. Try again shortly."
