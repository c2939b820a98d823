"""At the door: amounts are in the currency of the market."""

from torg.errors import FieldProblem
from torg.money import Money
from torg_autotrade.errors import WrongMarketCurrencyError
from torg_autotrade.services.market_context import settings


def in_market(amount: Money, field: str) -> int:
    """The minor units of an amount in the market's currency.

    Raises:
        WrongMarketCurrencyError: it is in another one.
    """
    wanted = settings().currency
    if amount.currency != wanted:
        error = WrongMarketCurrencyError(currency=wanted)
        problem = FieldProblem(f"/{field}/currency", error.code, error.message())
        raise WrongMarketCurrencyError(currency=wanted, errors=[problem])
    return amount.minor
