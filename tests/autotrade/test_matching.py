"""Which dealer an offer goes to: the pruned search equals looking at everybody."""

from copy import deepcopy
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from torg_autotrade.domain.matching import Deal, Line, Lot, Market, Reason, Wish
from torg_autotrade.domain.prices import Promotion, Tiers, effective
from torg_autotrade.domain.supplying import Need, Source, choose, plan, quote, review

DAY = datetime(2026, 1, 1, tzinfo=UTC)
TIERS = st.dictionaries(st.integers(0, 6), st.integers(0, 5_000), max_size=3).map(Tiers.of)


@st.composite
def lines(draw):
    """Stock of up to 30 dealers in three models, at prices that often tie."""
    found = []
    for number in range(draw(st.integers(0, 30))):
        lots = [
            Lot(
                number * 10 + at,
                draw(st.integers(1, 3)),
                50,
                DAY + timedelta(days=draw(st.integers(0, 2))),
            )
            for at in range(draw(st.integers(1, 2)))
        ]
        found.append(
            Line(
                *(number + 1, draw(st.integers(1, 12)), draw(st.integers(100, 104))),
                *(draw(st.integers(1, 3)), draw(st.integers(90, 110)), lots),
                tiers=draw(TIERS),
                promotion=draw(st.just((None, 0)) | st.integers(1, 20).map(lambda off: (7, off))),
            )
        )
    return found


@st.composite
def wishes(draw):
    """Offers of three buyers."""
    return [
        Wish(
            *(number, draw(st.integers(1, 3)), draw(st.integers(100, 106))),
            tuple(sorted(draw(st.sets(st.integers(1, 4), min_size=1)))),
            *(draw(st.integers(70, 115)), draw(st.integers(1, 2))),
        )
        for number in range(draw(st.integers(1, 25)))
    ]


def naive(found, bought, wish):
    """Look at every line: (reason, line id, price)."""
    known = [line for line in found if line["line"].car_model_id in wish.models]
    if not known:
        return (Reason.NO_MATCH, None, None)
    ranked = []
    for each in known:
        line = each["line"]
        if line.owner_id == wish.identity_id or len(each["units"]) < wish.quantity:
            continue
        units = bought.get((wish.buyer_id, line.dealer_id), 0)
        price = effective(line.listed, line.promotion, line.tiers, units).unit
        ranked.append((price, each["units"][0], line.id, each))
    if not ranked:
        return (Reason.OUT_OF_STOCK, None, None)
    price, _, number, each = min(ranked, key=lambda rank: rank[:3])
    if price > wish.max_price:
        return (Reason.PRICE_ABOVE_MAX, None, price)
    del each["units"][: wish.quantity]
    place = (wish.buyer_id, each["line"].dealer_id)
    bought[place] = bought.get(place, 0) + wish.quantity
    return (None, number, price)


@settings(deadline=None, max_examples=80)
@given(lines(), wishes())
def test_the_cheapest_is_truly_cheapest_offer_after_offer(found, asked):
    slow = [
        {
            "line": deepcopy(line),
            "units": [lot.stocked_at for lot in line.lots for _ in range(lot.left)],
        }
        for line in found
    ]
    models = frozenset(line.car_model_id for line in found)
    market, bought = Market(found, {}, models), {}
    for wish in asked:
        verdict = market.settle(wish)
        wanted = naive(slow, bought, wish)
        if isinstance(verdict, Deal):
            assert (None, verdict.chosen.line.id, verdict.chosen.price.unit) == wanted
            assert sum(each.quantity for each in verdict.lots) == wish.quantity
        else:
            assert (verdict.reason, None, verdict.best_price) == wanted
    assert market.bought == bought


@st.composite
def sources(draw):
    """Suppliers of one model."""
    return [
        Source(
            *(number, 100 + number, draw(st.integers(90, 110)), draw(TIERS)),
            draw(st.just(()) | st.integers(1, 2_000).map(lambda p: (Promotion(1, p, None, None),))),
            draw(st.integers(0, 8)),
        )
        for number in range(1, draw(st.integers(1, 6)) + 1)
    ]


@given(sources(), st.integers(1, 30))
def test_a_review_equals_simulating_every_purchase(found, horizon):
    costs = {
        each.supplier_id: sum(
            effective(each.listed, (None, 0), each.tiers, each.bought + n).unit
            for n in range(horizon)
        )
        for each in found
    }
    ranked = [(each.total, each.source.supplier_id) for each in review(found, horizon)]
    assert ranked == sorted((cost, number) for number, cost in costs.items())


def test_a_supplier_that_is_dearer_today_may_win():
    today = Source(1, 1, 100, Tiers(), (), 0)
    later = Source(2, 2, 104, Tiers.of({10: 1_000}), (), 0)
    assert review([today, later], 10)[0].source is today
    assert review([today, later], 100)[0].source is later


@given(sources(), st.integers(1, 7))
def test_only_a_running_promotion_beats_the_chosen_supplier(found, chosen_id):
    quotes = [quote(each, 1) for each in found]
    picked = choose(quotes, chosen_id)
    regular = next((each for each in quotes if each.source.supplier_id == chosen_id), None)
    if regular is None:
        assert picked.price.unit == min(each.price.unit for each in quotes)
    elif picked is not regular:
        assert picked.is_promoted
        assert picked.price.unit < regular.price.unit
    else:
        assert all(each.price.unit >= regular.price.unit for each in quotes if each.is_promoted)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), min_size=1, max_size=5),
    st.integers(0, 2_000),
)
def test_the_greatest_demand_is_bought_first_within_the_budget(wanted, budget):
    needs = [Need(n, n, missing, demand) for n, (demand, missing) in enumerate(wanted, 1)]
    source = Source(1, 1, 100, Tiers(), (), 0)
    quotes = {need.car_model_id: [quote(source, need.car_model_id)] for need in needs}
    bought = plan(needs, quotes, {}, budget)
    assert sum(each.total for each in bought) <= budget
    left, expected = budget, []
    for need in sorted(needs, key=lambda each: (-each.demand, each.car_model_id)):
        units = min(need.missing, left // 100)
        if units:
            expected.append((need.car_model_id, units))
            left -= units * 100
    assert [(each.need.car_model_id, each.quantity) for each in bought] == expected
