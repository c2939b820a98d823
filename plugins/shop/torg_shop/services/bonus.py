"""Bonus points of orders, through the contract `bonus`, when somebody keeps such points.

A point is worth one minor unit of the one currency that the setting `points_currency` names, so
nobody earns in one currency and spends in another.
"""

from datetime import timedelta
from typing import Any

from torg import config, contracts
from torg.db import database_now
from torg.errors import FieldProblem
from torg.i18n import gettext
from torg_ledger.bonus import Bonus
from torg_shop.domain import pricing
from torg_shop.errors.orders import PointsRefusedError
from torg_shop.settings import ShopSettings

_SOURCE = "shop"


def worth(asked: int, currency: str, cost_minor: int) -> int:
    """Minor units that so many points pay of what is to be paid.

    Raises:
        PointsRefusedError: there are no points here, not for this currency, or not so many needed.
    """
    if asked == 0:
        return 0
    if _kept(currency) is None:
        raise _refused(
            "no_points",
            gettext("Orders in {currency} are not paid with points.", currency=currency),
        )
    if asked > cost_minor:
        raise _refused("too_many_points", gettext("It costs less than that."), most=cost_minor)
    return asked


def spend(order: Any) -> None:
    """Take the points that an order is paid with.

    Raises:
        NotEnoughPointsError: the buyer has not so many.
    """
    if order.points > 0:
        bonus = contracts.require("bonus", ">=1,<2")
        bonus.spend(order.buyer_id, order.points, source=_SOURCE, reference=order.number)


def earn(order: Any) -> None:
    """Give points for a paid order; they can be spent when it can no longer be returned."""
    bonus, settings = _kept(order.currency), _settings()
    earned = pricing.points_earned(order.total_minor, settings.points_percent)
    if bonus is not None and earned > 0:
        bonus.earn(
            order.buyer_id,
            earned,
            source=_SOURCE,
            reference=order.number,
            available_at=database_now() + timedelta(days=settings.return_days),
        )


def undo(order: Any) -> None:
    """Give back what an order was paid with, and take what it earned: it is given up."""
    bonus: Bonus | None = contracts.find("bonus", ">=1,<2")
    if bonus is None:
        return
    if order.points > 0:
        bonus.give_back(source=_SOURCE, reference=order.number)
    if order.payment_status == "paid":
        key = f"{order.number}:refund"
        bonus.take_back(source=_SOURCE, reference=order.number, key=key)


def _kept(currency: str) -> Bonus | None:
    if currency != _settings().points_currency:
        return None
    found: Bonus | None = contracts.find("bonus", ">=1,<2")
    return found


def _refused(code: str, words: str, **facts: Any) -> PointsRefusedError:
    return PointsRefusedError(errors=[FieldProblem("/points", code, words)], **facts)


def _settings() -> ShopSettings:
    return config.plugin_settings("shop", ShopSettings)
