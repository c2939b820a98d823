"""How much money somebody of a verification level may move in a day, as a deployment sets it."""

from collections.abc import Mapping, Sequence

from torg.errors import TorgError
from torg.money import Money, parse
from torg_auth.domain.verification import HIGHEST

UNLIMITED = "unlimited"


def daily_limit_problem(currency: str, amounts: Sequence[str]) -> str | None:
    """What is wrong with the limits of a currency, in words, or None.

    Args:
        currency: ISO 4217.
        amounts: one for each level, from 0 up; none may be below the one before.
    """
    if len(amounts) != HIGHEST + 1:
        return f"{currency}: one amount for each of the levels 0 to {HIGHEST} is needed"
    before: Money | None = None
    for level, text in enumerate(amounts):
        try:
            limit = _limit(currency, text)
        except (TorgError, ValueError):
            return f"{currency}: {text!r} is neither an amount nor {UNLIMITED!r}"
        if limit is not None and limit.minor < 0:
            return f"{currency}: a limit cannot be negative"
        if level and limit is not None and (before is None or limit < before):
            return f"{currency}: the limit of level {level} is below the one before"
        before = limit
    return None


def daily_limit(limits: Mapping[str, Sequence[str]], level: int, currency: str) -> Money | None:
    """The most in a day; None when there is no limit.

    Once a deployment sets limits, a currency that it forgot allows nothing: a hole must not open
    because somebody found another currency.
    """
    if not limits:
        return None
    amounts = limits.get(currency)
    if amounts is None:
        return Money(0, currency)
    return _limit(currency, amounts[max(0, min(level, HIGHEST))])


def _limit(currency: str, text: str) -> Money | None:
    return None if text == UNLIMITED else parse(text, currency)
