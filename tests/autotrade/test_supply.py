"""Supply and review runs: demand first, within the budget, from the right supplier; one poisoned
dealer or promotion stops only itself."""

from decimal import Decimal

from torg_autotrade.services import catalogue, participants


def deals(market):
    return market.sql("SELECT * FROM autotrade_supply_deal ORDER BY id")


def chosen(market, dealer, model):
    rows = market.sql(
        "SELECT supplier_id FROM autotrade_dealer_supplier"
        " WHERE dealer_id = %s AND car_model_id = %s AND is_active",
        dealer,
        model,
    )
    return rows[0].supplier_id if rows else None


def test_models_follow_preferences_at_once_and_when_anything_changes(market):
    sedan, suv = market.car(), market.car(body_type="suv")
    dealer = market.dealer(0, preferences={"body_types": ["suv"]})

    def wanted():
        rows = market.sql(
            "SELECT car_model_id FROM autotrade_dealer_stock WHERE dealer_id = %s AND is_wanted"
            " ORDER BY car_model_id",
            dealer,
        )
        return [row.car_model_id for row in rows]

    assert wanted() == [suv]
    late = market.car(body_type="suv")
    assert wanted() == [suv, late]
    market.work(lambda: catalogue.change(sedan, {"body_type": "suv"}))
    market.work(lambda: catalogue.change(late, {"is_active": False}))
    assert wanted() == [sedan, suv]
    owner = market.owner("dealer", dealer).identity
    given = {"preferences": {"makes": ["Skoda"], "year_min": 2027}}
    market.work(lambda: participants.change("dealer", owner, dealer, given))
    assert wanted() == []


def test_the_greatest_demand_is_bought_first_within_the_spend_of_a_run(market):
    slow, fast = market.car(), market.car()
    market.supplier({slow: 1_000_000, fast: 1_000_000})
    from torg.money import Money

    dealer = market.dealer(spend_per_run=Money(3_000_000, "EUR"), target_stock=2)
    anna = market.person(10_000_000)
    market.offer(anna, fast, 900_000)
    market.run("supply")
    bought = {each.car_model_id: each.quantity for each in deals(market)}
    assert bought == {fast: 2, slow: 1}
    market.later(minutes=10)
    market.run("supply")
    assert market.stock(dealer, slow).quantity == 2
    assert market.prove() == []


def test_a_dealer_never_spends_more_than_it_has(market):
    model = market.car()
    market.supplier({model: 1_000_000})
    dealer = market.dealer(2_500_000, target_stock=9)
    market.run("supply")
    assert market.stock(dealer, model).quantity == 2
    assert market.prove() == []


def test_a_promotion_of_another_supplier_beats_the_regular_price_only_when_it_is_lower(market):
    model = market.car()
    regular = market.supplier({model: 1_000_000}, tiers={0: "5.00"})
    other = market.supplier({model: 1_000_000})
    dealer = market.dealer(target_stock=1)
    market.run("review")
    assert chosen(market, dealer, model) == regular
    market.promote("supplier", other, percent=Decimal("4.00"))
    market.run("supply")
    market.promote("supplier", other, percent=Decimal("6.00"))
    market.work_sql("UPDATE autotrade_dealer SET target_stock = 2")
    market.later(minutes=10)
    market.run("supply")
    assert [(each.supplier_id, each.total_minor) for each in deals(market)] == [
        (regular, 950_000),
        (other, 940_000),
    ]
    assert chosen(market, dealer, model) == regular


def test_a_purchase_climbs_tiers_on_its_way_and_keeps_every_step(market):
    model = market.car()
    market.supplier({model: 1_000_000}, tiers={2: "10.00"})
    dealer = market.dealer(target_stock=5)
    market.run("supply")
    (deal,) = deals(market)
    assert [(each["quantity"], each["unit_price_minor"]) for each in deal.steps] == [
        (2, 1_000_000),
        (3, 900_000),
    ]
    assert market.stock(dealer, model).price_minor == 990_000
    (shown,) = market.get("/supply-deals", market.owner("dealer", dealer))["items"]
    prices = [each["unit_price"] for each in shown["steps"]]
    assert prices == [{"amount": amount, "currency": "EUR"} for amount in ("10000.00", "9000.00")]
    assert market.prove() == []


def test_a_review_walks_the_tiers_over_the_next_purchases_and_keeps_its_decision(market):
    model = market.car()
    today = market.supplier({model: 1_000_000})
    later = market.supplier({model: 1_030_000}, tiers={20: "10.00"})
    dealer = market.dealer(target_stock=1)
    market.run("review")
    assert chosen(market, dealer, model) == later
    owner = market.owner("dealer", dealer)
    (row,) = market.get(f"/dealers/{dealer}/suppliers", owner)["items"]
    why = market.get(f"/decisions/{row['decision_id']}", owner)
    ranked = [(each["supplier_id"], each["expected_total"]) for each in why["candidates"]]
    assert ranked == [
        (later, {"amount": "947600.00", "currency": "EUR"}),
        (today, {"amount": "1000000.00", "currency": "EUR"}),
    ]


def test_a_choice_that_is_confirmed_keeps_its_decision_and_says_when_it_was_looked_at(market):
    model = market.car()
    market.supplier({model: 1_000_000})
    dealer = market.dealer()
    owner = market.owner("dealer", dealer)
    market.run("review")
    (first,) = market.get(f"/dealers/{dealer}/suppliers", owner)["items"]
    market.later(hours=1)
    market.run("review")
    (again,) = market.get(f"/dealers/{dealer}/suppliers", owner)["items"]
    assert again["decision_id"] == first["decision_id"]
    assert (first["reviewed_at"], again["reviewed_at"]) == (
        "2026-01-01T12:00:00Z",
        "2026-01-01T13:00:00Z",
    )


def test_a_model_that_the_dealer_wants_no_more_has_no_supplier_and_later_one_again(market):
    model = market.car(body_type="suv")
    market.supplier({model: 1_000_000})
    dealer = market.dealer()
    owner = market.owner("dealer", dealer).identity
    market.run("review")
    for preferences, number in (({"body_types": ["van"]}, 0), ({}, 1)):
        given = {"preferences": preferences}
        market.work(lambda given=given: participants.change("dealer", owner, dealer, given))
        market.later(hours=1)
        market.run("review")
        found = market.get(f"/dealers/{dealer}/suppliers", market.owner("dealer", dealer))
        assert len(found["items"]) == number


def test_a_supplier_that_sells_the_model_no_more_is_chosen_no_more(market):
    model = market.car()
    supplier = market.supplier({model: 1_000_000})
    dealer = market.dealer()
    market.run("review")
    owner = market.owner("supplier", supplier).identity
    market.work(lambda: participants.withdraw_price(owner, supplier, model))
    market.later(hours=1)
    market.run("review")
    assert chosen(market, dealer, model) is None


def test_a_dealer_that_fails_is_recorded_on_itself_and_stops_no_other(market):
    model = market.car()
    market.supplier({model: 1_000_000})
    poisoned, sound, homeless = (market.dealer(target_stock=1) for _ in range(3))
    # What no route can do: a line whose numbers the database itself refuses, and a lost account.
    market.work_sql(
        "ALTER TABLE autotrade_dealer_stock ADD CONSTRAINT poison"
        f" CHECK (dealer_id <> {poisoned} OR quantity = 0)"
    )
    market.work_sql("UPDATE autotrade_dealer SET account_id = NULL WHERE id = %s", homeless)
    report = market.run("supply")
    assert market.stock(sound, model).quantity == 1
    assert market.stock(poisoned, model).quantity == 0
    errors = {
        row.id: row.last_error for row in market.sql("SELECT id, last_error FROM autotrade_dealer")
    }
    assert errors[sound] is None
    assert "poison" in errors[poisoned]
    assert "no account" in errors[homeless]
    assert (report.dealt, report.failed) == (1, 2)
    shown = market.get("/dealers/mine", market.owner("dealer", poisoned))["items"]
    assert "poison" in shown[0]["last_error"]
    market.work_sql("ALTER TABLE autotrade_dealer_stock DROP CONSTRAINT poison")
    market.later(minutes=10)
    market.run("supply")
    assert market.stock(poisoned, model).quantity == 1
    assert market.sql("SELECT last_error FROM autotrade_dealer WHERE id = %s", poisoned)[0] == (
        None,
    )
    market.work_sql("UPDATE autotrade_dealer SET is_active = false WHERE id = %s", homeless)


def test_a_poisoned_dealer_stops_no_sale_of_another(market):
    model = market.car()
    market.supplier({model: 1_000_000})
    poisoned, sound = market.dealer(margin_percent="1"), market.dealer(margin_percent="5")
    market.run("supply")
    market.work_sql(
        f"ALTER TABLE autotrade_sale ADD CONSTRAINT poison CHECK (dealer_id <> {poisoned})"
    )
    anna = market.person(10_000_000)
    for _ in range(3):
        market.offer(anna, model, 1_500_000)
    market.run("sales")
    assert [sale.dealer_id for sale in market.sales()] == [sound] * 3
    (row,) = market.sql("SELECT last_error FROM autotrade_dealer WHERE id = %s", poisoned)
    assert row.last_error.startswith("sales: ")
    assert market.prove() == []


def test_a_dealer_that_sells_again_has_no_error_of_sales_any_more(market):
    model = market.car()
    market.supplier({model: 1_000_000})
    dealers = [market.dealer(margin_percent=margin) for margin in ("10", "20")]
    market.run("supply")
    for error, left in (("sales: refused", [None, "sales: refused"]), ("supply: x", ["supply: x"])):
        market.work_sql(f"UPDATE autotrade_dealer SET last_error = '{error}'")
        market.offer(market.person(2_000_000), model, 2_000_000)
        market.run("sales")
        rows = market.sql("SELECT last_error FROM autotrade_dealer ORDER BY id")
        assert [row.last_error for row in rows][: len(left)] == left
    assert {sale.dealer_id for sale in market.sales()} == {dealers[0]}


def test_a_broken_promotion_is_recorded_on_itself_and_stops_nothing(market):
    model = market.car()
    market.supplier({model: 1_000_000})
    dealer = market.dealer(target_stock=1)
    broken = market.promote("dealer", dealer)
    market.work_sql(
        "ALTER TABLE autotrade_promotion DROP CONSTRAINT ck_autotrade_promotion_one_discount"
    )
    market.work_sql("UPDATE autotrade_promotion SET percent = NULL WHERE id = %s", broken)
    market.run("supply")
    anna = market.person(10_000_000)
    market.offer(anna, model, 1_500_000)
    market.run("sales")
    assert [sale.unit_price_minor for sale in market.sales()] == [1_100_000]
    (row,) = market.sql("SELECT last_error FROM autotrade_promotion WHERE id = %s", broken)
    assert row.last_error is not None


def test_supply_statements_do_not_grow_with_dealers(market, count_queries):
    models = [market.car() for _ in range(3)]
    market.supplier(dict.fromkeys(models, 10_000))
    counts = []
    for number in (2, 10):
        for _ in range(number):
            market.dealer(target_stock=2)
        market.later(hours=1)
        found = []
        for kind in ("review", "supply"):
            with count_queries() as count:
                market.run(kind)
            found.append(count.total)
        counts.append(found)
    assert counts[0] == counts[1]


def test_replaced_tiers_are_kept_but_count_no_more(market):
    model = market.car()
    supplier = market.supplier({model: 1_000_000}, tiers={0: "10.00"})
    owner = market.owner("supplier", supplier)
    market.send("PUT", f"/suppliers/{supplier}/tiers", owner, {"tiers": []}, 200)
    assert market.get(f"/suppliers/{supplier}/tiers") == {"tiers": []}
    rows = market.sql("SELECT is_active FROM autotrade_supplier_tier")
    assert [row.is_active for row in rows] == [False]
    market.dealer(target_stock=1)
    market.run("supply")
    assert deals(market)[0].total_minor == 1_000_000
