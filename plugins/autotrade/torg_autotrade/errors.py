"""What the market refuses. Each class docstring is the page behind `type`."""

from torg.errors import ConflictError, InvalidError, NotFoundError


class WrongMarketCurrencyError(InvalidError):
    """All prices of this market are in one currency, which the deployment chooses."""

    code = "wrong_market_currency"
    title = "Wrong currency"
    detail = "This market trades in {currency}."
    public = ("currency",)


class CarModelUnknownError(NotFoundError):
    """There is no such car model, or it was taken out of the catalogue."""

    code = "car_model_unknown"
    title = "No such car model"
    detail = "There is no such car model."


class CarModelExistsError(ConflictError):
    """A model of exactly this description is in the catalogue already."""

    code = "car_model_exists"
    title = "Entered already"
    detail = "This car model is in the catalogue already."


class OfferEndedError(ConflictError):
    """The offer was filled, has expired or was cancelled; it cannot be cancelled any more."""

    code = "offer_ended"
    title = "The offer has ended"
    detail = "The offer is {state}."
    public = ("state",)


class TooManyOffersError(ConflictError):
    """A person has at most so many open offers: cancel one first."""

    code = "too_many_offers"
    title = "Too many open offers"
    detail = "You have {number} open offers already."
    public = ("number",)


class StockLineUnknownError(NotFoundError):
    """The dealer has no line of this model: it does not match its preferences."""

    code = "stock_line_unknown"
    title = "No such stock line"
    detail = "The dealer has no line of this model."


class FixedPriceMissingError(ConflictError):
    """A line that holds cars has a price: it can be set or left to the margin, not removed."""

    code = "price_missing"
    title = "A price is needed"
    detail = "The line has cars and no purchase to take a price from."
