"""The sales run: the cheapest dealer, or a reason; money, stock and sale in one transaction."""

from datetime import timedelta

import pytest


def stocked(market, price=1_000_000, **facts):
    """A dealer with five cars of a fresh model bought at this price; (model, dealer)."""
    model = market.car()
    market.supplier({model: price})
    dealer = market.dealer(**facts)
    market.run("supply")
    return model, dealer


def test_an_offer_is_filled_at_the_dealers_price_and_everything_moves_at_once(market):
    model, dealer = stocked(market)
    assert market.stock(dealer, model).quantity == 5
    anna = market.person(2_000_000)
    offer = market.offer(anna, model, 1_500_000)
    market.later(minutes=1)
    report = market.run("sales")
    assert (report.seen, report.dealt) == (1, 1)
    assert (market.found(offer).status, market.found(offer).reason) == ("filled", None)
    (sale,) = market.sales()
    assert (sale.unit_price_minor, sale.cost_minor, sale.sold_at) == (
        1_100_000,
        1_000_000,
        market.now,
    )
    assert market.stock(dealer, model).quantity == 4
    assert market.prove() == []
