"""Prices, tiers, promotions: pure rules against naive models in exact decimals."""

from decimal import ROUND_HALF_UP, Decimal

from hypothesis import given
from hypothesis import strategies as st

from torg_autotrade.domain.prices import (
    Promotion,
    Tiers,
    affordable,
    best_promotion,
    effective,
    promoted_by,
    total,
    walk,
    with_margin,
)

PRICES = st.integers(1, 10**9)
PERCENTS = st.integers(1, 9_999)
MODELS = st.integers(1, 3)
TIERS = st.dictionaries(st.integers(0, 60), st.integers(0, 9_999), max_size=5).map(Tiers.of)


@st.composite
def promotions(draw):
    """A sound promotion."""
    by_percent = draw(st.booleans())
    return Promotion(
        id=draw(st.integers(1, 9)),
        percent=draw(PERCENTS) if by_percent else None,
        amount=None if by_percent else draw(PRICES),
        cap=draw(st.none() | PRICES),
        models=draw(st.frozensets(MODELS, max_size=2)),
    )


def naive_share(amount, hundredths):
    share = Decimal(amount) * Decimal(hundredths) / Decimal(10_000)
    return int(share.quantize(Decimal(1), ROUND_HALF_UP))


def naive_unit(listed, model, offered, tiers, bought):
    """The price by the words of the rule, one thing after the other."""
    best = 0
    for each in offered:
        if each.models and model not in each.models:
            continue
        off = each.amount if each.percent is None else naive_share(listed, each.percent)
        if each.cap is not None and off > each.cap:
            off = each.cap
        best = max(best, min(off, listed - 1))
    left = listed - best
    percent = 0
    for at, tier in zip(tiers.purchases, tiers.percents, strict=True):
        if bought >= at:
            percent = tier
    return max(1, left - naive_share(left, percent))


@given(PRICES, MODELS, st.lists(promotions(), max_size=4), TIERS, st.integers(0, 80))
def test_a_price_is_what_the_naive_model_says(listed, model, offered, tiers, bought):
    price = effective(listed, best_promotion(listed, model, offered), tiers, bought)
    assert price.unit == naive_unit(listed, model, offered, tiers, bought)


@given(PRICES, promotions())
def test_a_discount_never_exceeds_its_cap_nor_raises_a_price(listed, promotion):
    off = promoted_by(listed, promotion)
    assert 0 <= off < listed
    assert promotion.cap is None or off <= promotion.cap


@given(PRICES, MODELS, st.lists(promotions(), max_size=4), TIERS, st.integers(0, 80))
def test_no_discount_raises_a_price_and_none_makes_it_free(listed, model, offered, tiers, bought):
    price = effective(listed, best_promotion(listed, model, offered), tiers, bought)
    assert 1 <= price.unit <= listed
    assert price.promotion_discount >= 0
    assert price.loyalty_discount >= 0


@given(PRICES, st.integers(1, 500))
def test_a_fixed_amount_is_not_more_than_the_price(listed, amount):
    assert promoted_by(listed, Promotion(1, None, amount, None)) == min(amount, listed - 1)


@given(
    st.one_of(
        st.just(Promotion(1, None, None, None)),
        st.just(Promotion(1, 500, 500, None)),
        st.just(Promotion(1, 0, None, None)),
        st.just(Promotion(1, 10_000, None, None)),
        st.just(Promotion(1, None, -5, None)),
        st.just(Promotion(1, 500, None, 0)),
    ),
    PRICES,
)
def test_a_broken_promotion_is_passed_over_and_stops_nothing_else(broken, listed):
    sound = Promotion(2, 1_000, None, None)
    assert best_promotion(listed, 1, [broken]) == (None, 0)
    assert best_promotion(listed, 1, [broken, sound])[1] == promoted_by(listed, sound)


def one_by_one(listed, promotion, tiers, bought, count):
    """Units bought singly: (price of each)."""
    return [effective(listed, promotion, tiers, bought + more).unit for more in range(count)]


@given(PRICES, TIERS, st.integers(0, 80), st.integers(0, 150))
def test_a_tier_walk_equals_buying_one_by_one(listed, tiers, bought, count):
    steps = walk(listed, (None, 0), tiers, bought, count)
    singly = one_by_one(listed, (None, 0), tiers, bought, count)
    assert [step.price.unit for step in steps for _ in range(step.quantity)] == singly
    assert total(steps) == sum(singly)


@given(PRICES, TIERS, st.integers(0, 80), st.integers(0, 60), st.integers(0, 10**10))
def test_a_budget_buys_as_many_as_buying_one_by_one_would(listed, tiers, bought, count, budget):
    steps = affordable(listed, (None, 0), tiers, bought, count, budget)
    left, number = budget, 0
    for unit in one_by_one(listed, (None, 0), tiers, bought, count):
        if unit > left:
            break
        left -= unit
        number += 1
    assert (sum(step.quantity for step in steps), total(steps)) == (number, budget - left)


@given(PRICES, st.integers(0, 100_000))
def test_a_margin_is_added_exactly(cost, margin):
    assert with_margin(cost, margin) == cost + naive_share(cost, margin)


def test_rounding_is_half_up():
    half = Promotion(1, 50, None, None)
    assert (promoted_by(100, half), promoted_by(99, half)) == (1, 0)
