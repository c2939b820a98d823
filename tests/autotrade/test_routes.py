"""The market over HTTP: what may be done, by whom, to whose; lists, dry runs, refusals."""

import re

import pytest
from market_bodies import EURO, SEDANS, SUPPLIER

from torg import jobs as torg_jobs
from torg import mail, openapi, openapi_rules, outbox
from torg.db import unit_of_work
from torg_autotrade.domain.prices import with_margin
from torg_autotrade.services import runs, ticks

DEALER = {**SEDANS, "spend_per_run": {"amount": "100000.00", "currency": "EUR"}}
CAR = {
    "make": "Skoda",
    "model": "Octavia",
    "body_type": "sedan",
    "fuel_type": "petrol",
    "transmission": "manual",
    "engine": "1.5",
    "model_year": 2026,
    "class": "middle",
}
PROMOTION = {
    "title": "Sale",
    "percent": "5.00",
    "starts_at": "2030-01-01T00:00:00Z",
    "ends_at": "2030-02-01T00:00:00Z",
}


def test_a_car_goes_from_supplier_to_dealer_to_buyer_by_the_jobs_alone(market):
    staff, maker, seller = market.person(role="admin"), market.person(), market.person(10_000_000)
    car = market.send("POST", "/car-models", staff, CAR)["id"]
    supplier = market.send("POST", "/suppliers", maker, SUPPLIER)["id"]
    market.send("PUT", f"/suppliers/{supplier}/prices/{car}", maker, {"price": EURO}, 204)
    dealer = market.send("POST", "/dealers", seller, DEALER)["id"]
    money = {"amount": {"amount": "50000.00", "currency": "EUR"}, "direction": "in"}
    market.send("POST", f"/dealers/{dealer}/money", seller, money)
    for kind in ("review", "supply"):
        told = market.send("POST", "/admin/ticks", staff, {"kind": kind}, 202)
        assert told["job_id"]
        torg_jobs.run_due(market.app)
    (line,) = market.get(f"/dealers/{dealer}/stock", in_stock="true")["items"]
    assert (line["quantity"], line["price"]["amount"]) == (2, "11000.00")
    anna = market.person(2_000_000)
    wish = {"car_model_id": car, "max_price": {"amount": "12000.00", "currency": "EUR"}}
    offer = market.send("POST", "/offers", anna, wish)
    assert (offer["status"], offer["reason"]) == ("open", None)
    torg_jobs.run_due(market.app)
    torg_jobs.run_due(market.app)
    torg_jobs.run_due(market.app)
    shown = market.get(f"/offers/{offer['id']}", anna)
    (sale,) = market.get("/sales", anna)["items"]
    assert (shown["status"], shown["sale_id"]) == ("filled", sale["id"])
    assert sale["total"]["amount"] == "11000.00"
    assert market.get(f"/dealers/{dealer}/statistics", seller)["profit"]["amount"] == "1000.00"
    assert market.get("/buyers/me/statistics", anna)["turnover"]["amount"] == "11000.00"
    assert market.get(f"/suppliers/{supplier}/statistics", maker)["cars"] == 2
    assert market.get(f"/suppliers/{supplier}")["buyer_count"] == 1
    assert market.get(f"/dealers/{dealer}/account", seller)["posted"]["amount"] == "41000.00"
    (deal,) = market.get("/supply-deals", maker)["items"]
    assert deal["quantity"] == 2
    history = market.get("/price-history", dealer_id=dealer, car_model_id=car)["items"]
    assert [each["price"]["amount"] for each in history] == ["11000.00"]
    subjects = {
        (each.to.split()[0], each.subject.partition(":")[0]) for each in mail.Mailbox(market.app)
    }
    assert (anna.username, "You have bought") in subjects
    assert (seller.username, "Sold") in subjects
    assert market.prove() == []


def test_an_offer_needs_a_confirmed_address_and_the_money(market):
    car = market.car()
    wish = {"car_model_id": car, "max_price": EURO}
    unconfirmed = market.person(2_000_000, email_verified=False)
    answer = market.call("POST", "/offers", unconfirmed, json=wish)
    assert (answer.status_code, answer.json["code"]) == (403, "email_unverified")
    answer = market.call("POST", "/offers", market.person(999_999), json=wish)
    assert (answer.status_code, answer.json["code"]) == (409, "insufficient_funds")
    anna = market.person(1_500_000)
    made = market.send("POST", "/offers", anna, wish)
    answer = market.call("POST", "/offers", anna, json=wish)
    assert answer.json["code"] == "insufficient_funds", "the first offer's money is held"
    assert market.call("DELETE", f"/offers/{made['id']}", anna).status_code == 204
    assert market.call("POST", "/offers", anna, json=wish).status_code == 201


def test_a_repeated_offer_with_its_key_is_one_offer(market):
    anna = market.person(5_000_000)
    wish = {"car_model_id": market.car(), "max_price": EURO}
    key = {"Idempotency-Key": "once"}
    first = market.send("POST", "/offers", anna, wish, headers=key)
    again = market.send("POST", "/offers", anna, wish, headers=key)
    assert first["id"] == again["id"]
    assert len(market.get("/offers", anna)["items"]) == 1


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"percent": None}, "/percent"),
        ({"amount": EURO}, "/percent"),
        ({"percent": "0.00"}, ""),
        ({"percent": "100.00"}, "/percent"),
        ({"ends_at": "2029-01-01T00:00:00Z"}, "/ends_at"),
        ({"car_model_ids": [999_999]}, "/car_model_ids/0"),
        ({"cap": {"amount": "0.00", "currency": "EUR"}}, "/cap"),
        ({"cap": {"amount": "5.00", "currency": "USD"}}, "/cap/currency"),
    ],
)
def test_a_broken_promotion_is_refused_at_the_door(market, change, pointer):
    dealer = market.dealer(0)
    body = {**PROMOTION, "dealer_id": dealer, **change}
    answer = market.call("POST", "/promotions", market.owner("dealer", dealer), json=body)
    assert answer.status_code == 422, answer.text
    assert any(each["pointer"].startswith(pointer) for each in answer.json["errors"])
    assert market.sql("SELECT FROM autotrade_promotion") == []


def test_a_dry_run_shows_decisions_and_changes_nothing(market):
    model = market.car()
    market.supplier({model: 1_000_000})
    dealer = market.dealer(target_stock=3)
    staff, anna = market.person(role="admin"), market.person(5_000_000)
    market.offer(anna, model, 2_000_000)

    def rehearsed(kind):
        answer = market.call(
            "POST", "/admin/ticks", staff, json={"kind": kind}, query_string={"dry_run": "true"}
        )
        assert answer.status_code == 200, answer.text
        return answer.json["decisions"]

    tables = ("offer", "sale", "supply_deal", "decision", "dealer_stock", "dealer", "run")

    def state():
        return [market.sql(f"SELECT * FROM autotrade_{table} ORDER BY 1") for table in tables]

    before = state()
    assert rehearsed("sales")[0]["reason"] == "out_of_stock"
    assert (rehearsed("supply")[0]["quantity"], rehearsed("review")[0]["dealer_id"]) == (3, dealer)
    assert state() == before
    market.run("supply")
    before = state()
    (would,) = rehearsed("sales")
    assert (would["dealer_id"], would["total"]["amount"]) == (dealer, "11000.00")
    assert would["candidates"][0]["price"] == would["total"]
    assert state() == before
    market.run("sales")
    assert market.get("/sales", anna)["items"][0]["total"] == would["total"]


def test_a_dry_run_of_a_hundred_and_fifty_offers_is_what_the_run_then_does(market):
    model = market.car()
    market.supplier({model: 10_000})
    market.dealer(target_stock=120)
    market.run("supply")
    buyers = [market.person(10_000_000) for _ in range(2)]
    for number in range(150):
        market.offer(buyers[number % 2], model, 20_000)
    with unit_of_work("read", market.app):
        would = ticks.rehearse("sales")
    market.run("sales")
    assert (would["seen"], would["dealt"], would["is_complete"]) == (150, 120, True)
    sold = {each["offer_id"] for each in would["decisions"] if "reason" not in each}
    assert sold == {sale.offer_id for sale in market.sales()}


def test_a_dry_run_goes_through_the_dealers_chunk_by_chunk_until_it_has_shown_enough(make_market):
    market = make_market(dealers_at_once=1)
    models = [market.car(), market.car()]
    market.supplier(dict.fromkeys(models, 1_000_000))
    dealers = [market.dealer(target_stock=1) for _ in range(3)]

    def rehearsed(**options):
        with unit_of_work("read", market.app):
            return runs.rehearse("supply", now=market.now, **options)

    whole = rehearsed()
    assert ({each["dealer_id"] for each in whole.decisions}, whole.is_complete) == (
        set(dealers),
        True,
    )
    part = rehearsed(most=3)
    assert (len(part.decisions), part.is_complete) == (4, False)
    assert market.run("supply").dealt == whole.dealt == 6


OWNED = [
    ("PATCH", "/dealers/{dealer}", {"city": "Kiel"}, 200),
    ("PUT", "/dealers/{dealer}/tiers", {"tiers": [{"at_purchases": 1, "percent": "1.00"}]}, 200),
    ("GET", "/dealers/{dealer}/suppliers", None, 200),
    ("GET", "/dealers/{dealer}/account", None, 200),
    ("GET", "/dealers/{dealer}/statistics", None, 200),
    ("POST", "/dealers/{dealer}/money", {"amount": EURO, "direction": "out"}, 201),
    ("PATCH", "/dealers/{dealer}/stock/{car}", {"price": EURO}, 204),
    ("PATCH", "/suppliers/{supplier}", {"name": "Werk"}, 200),
    ("PUT", "/suppliers/{supplier}/tiers", {"tiers": []}, 200),
    ("PUT", "/suppliers/{supplier}/prices/{car}", {"price": EURO}, 204),
    ("DELETE", "/suppliers/{supplier}/prices/{car}", None, 204),
    ("GET", "/suppliers/{supplier}/account", None, 200),
    ("GET", "/suppliers/{supplier}/statistics", None, 200),
    ("PATCH", "/promotions/{promotion}", {"title": "Other"}, 200),
    ("DELETE", "/promotions/{promotion}", None, 204),
    ("DELETE", "/offers/{offer}", None, 204),
    ("DELETE", "/dealers/{dealer}", None, 204),
    ("DELETE", "/suppliers/{supplier}", None, 204),
]


def test_owners_reach_their_own_and_nobody_elses(market):
    car = market.car()
    owner = market.person(100_000_000)
    dealer = market.dealer(2_000_000, owner=owner)
    supplier = market.send("POST", "/suppliers", owner, SUPPLIER)["id"]
    market.send("PUT", f"/suppliers/{supplier}/prices/{car}", owner, {"price": EURO}, 204)
    promotion = market.send("POST", "/promotions", owner, {**PROMOTION, "dealer_id": dealer})["id"]
    offer = market.send("POST", "/offers", owner, {"car_model_id": car, "max_price": EURO})["id"]
    places = {
        "dealer": dealer,
        "supplier": supplier,
        "promotion": promotion,
        "offer": offer,
        "car": car,
    }
    stranger, staff = market.person(5_000_000), market.person(5_000_000, role="admin")
    for method, path, body, status in OWNED:
        address = path.format(**places)
        nobody = path.format(**{**places, **dict.fromkeys(list(places)[:4], 10**9)})
        assert market.call(method, address, json=body).status_code == 401, address
        for other in (stranger, staff):
            found = market.call(method, address, other, json=body).status_code
            assert found == 404, (method, address)
        assert market.call(method, nobody, owner, json=body).status_code == 404, nobody
        answer = market.call(method, address, owner, json=body)
        assert answer.status_code == status, (method, address, answer.text)


STAFF_ONLY = [
    ("POST", "/car-models", CAR, 201),
    ("PATCH", "/car-models/{car}", {"engine": "2.0"}, 200),
    ("POST", "/admin/ticks", {"kind": "sales"}, 202),
    ("GET", "/admin/runs", None, 200),
    ("DELETE", "/car-models/{car}", None, 204),
]


def test_the_catalogue_and_ticks_are_the_staffs(market):
    car = market.car()
    user, manager = market.person(), market.person(role="manager")
    for method, path, body, status in STAFF_ONLY:
        address = path.format(car=car)
        assert market.call(method, address, json=body).status_code == 401
        assert market.call(method, address, user, json=body).status_code == 403
        answer = market.call(method, address, manager, json=body)
        assert answer.status_code == status, answer.text
        if status == 201:
            assert answer.headers["Location"].endswith(f"/car-models/{answer.json['id']}")


# Whatever a signed-in person asks here is about himself, or makes something of his own.
ONES_OWN = {
    ("GET", "/dealers/mine"),
    ("POST", "/dealers"),
    ("GET", "/suppliers/mine"),
    ("POST", "/suppliers"),
    ("POST", "/suppliers/{}/money"),
    ("POST", "/promotions"),
    ("GET", "/offers"),
    ("POST", "/offers"),
    ("GET", "/offers/{}"),
    ("GET", "/sales"),
    ("GET", "/supply-deals"),
    ("GET", "/decisions/{}"),
    ("GET", "/buyers/me"),
    ("PUT", "/buyers/me"),
    ("GET", "/buyers/me/statistics"),
}


def test_every_operation_that_is_not_public_has_its_place_in_a_table(market):
    with market.app.app_context():
        document = openapi.document(market.app, "autotrade")
    assert openapi_rules.problems_of(document) == []
    found, public = set(), set()
    for path, methods in document["paths"].items():
        short = re.sub(r"{[^}]+}", "{}", path.partition("/autotrade")[2])
        for method, operation in methods.items():
            if isinstance(operation, dict) and "operationId" in operation:
                (found if operation.get("security") else public).add((method.upper(), short))
    tables = {
        (method, re.sub(r"{[^}]+}", "{}", path)) for method, path, *_ in [*OWNED, *STAFF_ONLY]
    }
    assert found == tables | ONES_OWN
    assert {method for method, _ in public} == {"GET"}


def test_lists_are_filtered_searched_and_sorted(market):
    market.car(make="Toyota", model="Corolla", fuel_type="hybrid", model_year=2020)
    market.car(make="Toyota", model="Yaris", model_year=2024)
    market.car(make="Kia", model="Ceed", model_year=2022)

    def names(**query):
        return [each["model"] for each in market.get("/car-models", **query)["items"]]

    assert names(make="Toyota", sort="-model_year") == ["Yaris", "Corolla"]
    assert names(fuel_type="hybrid") == ["Corolla"]
    assert names(search="cor") == ["Corolla"]
    assert names(year_min=2021, sort="model") == ["Ceed", "Yaris"]
    answer = market.call("GET", "/car-models", query_string={"colour": "red"})
    assert answer.status_code == 422
    market.dealer(0, city="Rostock", country="DE")
    market.dealer(0, city="Lyon", country="FR")
    found = market.get("/dealers", country="FR")["items"]
    assert [each["city"] for each in found] == ["Lyon"]
    answer = market.call("GET", "/dealers", query_string={"country": "XX"})
    assert answer.status_code == 422


def test_prices_in_a_foreign_currency_are_refused_with_their_place(market):
    anna = market.person(5_000_000)
    wish = {"car_model_id": market.car(), "max_price": {"amount": "1.00", "currency": "USD"}}
    answer = market.call("POST", "/offers", anna, json=wish)
    assert (answer.status_code, answer.json["code"]) == (422, "wrong_market_currency")
    assert answer.json["errors"][0]["pointer"] == "/max_price/currency"


def test_an_expired_offer_is_told_by_mail_once(market):
    anna = market.person(5_000_000)
    market.offer(anna, market.car(), 1_000_000)
    market.work_sql("UPDATE autotrade_offer SET expires_at = placed_at + interval '1 minute'")
    market.later(minutes=2)
    market.run("sales", is_told=True)
    market.run("sales", is_told=True)
    for _ in range(2):
        torg_jobs.run_due(market.app)
    told = [each.subject for each in mail.Mailbox(market.app) if anna.username in each.to]
    assert len(told) == 1
    assert told[0].startswith("Your offer has ended: Skoda")


def test_a_fixed_price_stays_and_null_returns_it_to_the_margin(market):
    model = market.car()
    market.supplier({model: 1_000_000})
    dealer = market.dealer(target_stock=1)
    market.run("supply")
    owner = market.owner("dealer", dealer)
    place = f"/dealers/{dealer}/stock/{model}"
    market.send("PATCH", place, owner, {"price": {"amount": "9000.00", "currency": "EUR"}}, 204)
    assert market.stock(dealer, model).price_minor == 900_000
    market.send("PATCH", place, owner, {"price": None}, 204)
    assert market.stock(dealer, model).price_minor == 1_100_000


def test_jobs_of_schedules_are_the_three_runs(market):
    with unit_of_work(app=market.app):
        outbox.enqueue("autotrade.run", {"kind": "sales"}, key="tick")
    torg_jobs.run_due(market.app)
    (run,) = market.get("/admin/runs", market.person(role="admin"), kind="sales")["items"]
    assert run["finished_at"] is not None


def test_a_car_model_changed_meanwhile_is_not_overwritten(market):
    car, staff = market.car(), market.person(role="manager")
    seen = {"If-Match": market.call("GET", f"/car-models/{car}").headers["ETag"]}
    market.send("PATCH", f"/car-models/{car}", staff, {"engine": "2.0"}, 200, headers=seen)
    market.send("PATCH", f"/car-models/{car}", staff, {"engine": "3.0"}, 412, headers=seen)
    assert market.call("DELETE", f"/car-models/{car}", staff, headers=seen).status_code == 412


def test_prices_follow_a_new_margin_unless_they_are_fixed(market):
    first, second = market.car(), market.car()
    market.supplier({first: 1_000_003, second: 2_000_000})
    dealer = market.dealer(target_stock=1)
    market.run("supply")
    owner = market.owner("dealer", dealer)
    fixed = {"price": {"amount": "30000.00", "currency": "EUR"}}
    market.send("PATCH", f"/dealers/{dealer}/stock/{second}", owner, fixed, 204)
    market.send("PATCH", f"/dealers/{dealer}", owner, {"margin_percent": "12.35"}, 200)
    assert market.stock(dealer, first).price_minor == with_margin(1_000_003, 1235)
    assert market.stock(dealer, second).price_minor == 3_000_000
