"""The sales run: the cheapest dealer, or a reason; money, stock and sale in one transaction."""

from datetime import timedelta

import pytest

from torg import contracts


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


def test_the_cheapest_of_all_dealers_sells_promotions_and_loyalty_counted(market):
    model = market.car()
    market.supplier({model: 1_000_000})
    plain, promoted, loyal = (
        market.dealer(margin_percent=margin, tiers=tiers)
        for margin, tiers in (("10", None), ("14", None), ("13", {0: "4.00"}))
    )
    market.promote("dealer", promoted)
    market.run("supply")
    anna = market.person(10_000_000)
    market.offer(anna, model, 2_000_000)
    market.run("sales")
    (sale,) = market.sales()
    assert (sale.dealer_id, sale.unit_price_minor) == (promoted, 1_026_000)
    assert (sale.list_price_minor, sale.promotion_discount_minor) == (1_140_000, 114_000)
    market.later(days=11)
    market.offer(anna, model, 2_000_000)
    market.run("sales")
    second = market.sales()[1]
    assert (second.dealer_id, second.loyalty_discount_minor) == (loyal, 45_200)
    assert plain not in {second.dealer_id, sale.dealer_id}
    assert market.prove() == []


@pytest.mark.parametrize(
    ("begins", "ends", "paid"),
    [(0, 10, 990_000), (1, 10, 1_100_000), (-10, 0, 1_100_000), (-10, 1, 990_000)],
)
def test_a_promotion_is_in_force_from_its_first_instant_to_just_before_its_last(
    market, begins, ends, paid
):
    model, dealer = stocked(market)
    market.later(minutes=1)
    times = {"starts_at": market.now, "ends_at": market.now}
    for name, number in (("starts_at", begins), ("ends_at", ends)):
        times[name] += timedelta(microseconds=number)
    market.promote("dealer", dealer, **times)
    market.offer(market.person(2_000_000), model, 1_500_000)
    market.run("sales")
    assert [sale.unit_price_minor for sale in market.sales()] == [paid]


def test_equal_prices_go_to_the_older_stock_then_to_the_smaller_id(market):
    model = market.car()
    market.supplier({model: 1_000_000})
    first = market.dealer(target_stock=0)
    older = market.dealer(target_stock=1)
    market.run("supply")
    market.later(days=1)
    market.work_sql("UPDATE autotrade_dealer SET target_stock = 2")
    market.run("supply")
    assert market.stock(first, model).quantity == 2
    anna = market.person(10_000_000)
    for _ in range(3):
        market.offer(anna, model, 2_000_000)
    market.run("sales")
    assert [sale.dealer_id for sale in market.sales()] == [older, first, first]


@pytest.mark.parametrize("place", ["no_match", "out_of_stock", "price_above_max"])
def test_an_offer_that_cannot_be_filled_says_why_and_stays_open(market, place):
    model, _ = stocked(market, target_stock=0 if place == "out_of_stock" else 5)
    other = market.car()
    market.work_sql(
        "UPDATE autotrade_dealer_stock SET is_wanted = false WHERE car_model_id = %s", other
    )
    anna = market.person(10_000_000)
    offer = market.offer(
        anna,
        other if place == "no_match" else model,
        5 if place == "price_above_max" else 2_000_000,
    )
    market.run("sales")
    found = market.found(offer)
    assert (found.status, found.reason) == ("open", place)
    assert found.best_price_minor == (1_100_000 if place == "price_above_max" else None)
    assert market.sales() == []


def test_an_offer_expires_by_the_clock_of_the_run_and_its_money_is_free(market):
    model, _ = stocked(market)
    anna = market.person(2_000_000)
    offer = market.offer(anna, model, 1_500_000, expires_at=market.now + timedelta(minutes=5))
    market.later(minutes=5)
    market.run("sales")
    assert (market.found(offer).status, market.found(offer).reason) == ("expired", "expired")
    assert market.sql("SELECT sum(pending_minor) AS held FROM wallet_account")[0].held == 0


def test_an_offer_whose_hold_is_gone_is_refused_and_stops_no_other(market):
    model, _ = stocked(market)
    anna, ben = market.person(2_000_000), market.person(2_000_000)
    broken, sound = (market.offer(each, model, 1_500_000) for each in (anna, ben))

    reference = market.found(broken).hold_reference
    market.work(lambda: contracts.require("ledger").void(reference))
    market.run("sales")
    found = market.found(broken)
    assert (found.status, found.reason) == ("refused", "insufficient_funds")
    assert market.found(sound).status == "filled"
    assert market.prove() == []


def test_an_offer_by_criteria_takes_the_cheapest_model_that_matches(market):
    dear, cheap, other = market.car(), market.car(), market.car(body_type="suv")
    market.supplier({dear: 1_200_000, cheap: 1_000_000, other: 500_000})
    market.dealer()
    market.run("supply")
    anna = market.person(5_000_000)
    market.offer(anna, None, 2_000_000, criteria={"body_types": ["sedan"]})
    market.run("sales")
    assert [sale.car_model_id for sale in market.sales()] == [cheap]


def test_several_cars_come_from_one_dealer_and_the_rest_of_the_hold_is_free(market):
    model, _ = stocked(market)
    anna = market.person(10_000_000)
    market.offer(anna, model, 2_000_000, quantity=3)
    market.offer(anna, model, 1_900_000, quantity=2)
    market.run("sales")
    assert [sale.total_minor for sale in market.sales()] == [3_300_000, 2_200_000]
    row = market.sql(
        "SELECT posted_minor, pending_minor FROM wallet_account WHERE code = 'main'"
        " AND owner_id = %s",
        anna.id,
    )[0]
    assert (row.posted_minor, row.pending_minor) == (4_500_000, 0)


def test_nobody_buys_from_his_own_dealer(market):
    model, dealer = stocked(market)
    owner = market.owner("dealer", dealer)
    market.fund(owner, 2_000_000)
    offer = market.offer(owner, model, 1_500_000)
    market.run("sales")
    assert market.found(offer).reason == "out_of_stock"


def test_a_sale_keeps_its_decision_and_the_days_in_stock(market):
    model, dealer = stocked(market)
    market.later(days=3, hours=1)
    anna = market.person(2_000_000)
    market.offer(anna, model, 1_500_000)
    market.run("sales")
    (sale,) = market.sales()
    page = market.get("/sales", anna)["items"]
    assert [each["days_in_stock"] for each in page] == [3]
    for person in (anna, market.owner("dealer", dealer)):
        why = market.get(f"/decisions/{sale.decision_id}", person)
        assert [each["dealer_id"] for each in why["candidates"]] == [dealer]
    stranger = market.person()
    assert market.call("GET", f"/decisions/{sale.decision_id}", stranger).status_code == 404


def test_two_hundred_offers_cost_at_most_thirty_statements(market, count_queries):
    models = [market.car() for _ in range(4)]
    market.supplier(dict.fromkeys(models, 10_000))
    for _ in range(3):
        market.dealer(target_stock=40, tiers={2: "1.00"})
    market.run("supply")
    buyers = [market.person(100_000_000) for _ in range(4)]
    for number in range(200):
        market.offer(buyers[number % 4], models[number // 4 % 4], 20_000)
    with count_queries() as count:
        report = market.run("sales", is_told=True)
    assert report.dealt == 200
    print(f"{count.total} statements for 200 offers")
    assert count.total <= 30
    assert market.prove() == []
