"""What was taken out of the market: whom it still concerns, and how it comes back."""

import pytest
from market_bodies import DEALER, EURO, SUPPLIER

from torg import jobs as torg_jobs

CAR = {
    "make": "Skoda",
    "model": "Octavia",
    "body_type": "sedan",
    "fuel_type": "petrol",
    "transmission": "manual",
    "model_year": 2026,
    "class": "middle",
}
PROMOTION = {
    "title": "Sale",
    "percent": "5.00",
    "starts_at": "2030-01-01T00:00:00Z",
    "ends_at": "2030-02-01T00:00:00Z",
}


@pytest.mark.parametrize("kind", ["dealer", "supplier"])
def test_what_was_removed_gives_its_money_back_and_takes_no_more(market, kind):
    owner = market.person(2_000_000)
    body = DEALER if kind == "dealer" else SUPPLIER
    place = f"/{kind}s/{market.send('POST', f'/{kind}s', owner, body)['id']}"
    market.send("POST", f"{place}/money", owner, {"amount": EURO, "direction": "in"})
    assert market.call("DELETE", place, owner).status_code == 204
    assert market.get(f"{place}/account", owner)["available"] == EURO
    assert market.get(f"{place}/statistics", owner)["cars"] == 0
    body = {"amount": EURO, "direction": "in"}
    assert market.call("POST", f"{place}/money", owner, json=body).status_code == 404
    body = {"amount": EURO, "direction": "out"}
    assert market.call("POST", f"{place}/money", market.person(), json=body).status_code == 404
    market.send("POST", f"{place}/money", owner, body)
    assert market.get(f"{place}/account", owner)["posted"]["amount"] == "0.00"
    assert market.prove() == []


def test_a_promotion_ends_with_whose_it_is(market):
    owner = market.person()
    dealer = market.send("POST", "/dealers", owner, DEALER)["id"]
    supplier = market.send("POST", "/suppliers", owner, SUPPLIER)["id"]
    for side, number in (("dealer", dealer), ("supplier", supplier)):
        made = market.send("POST", "/promotions", owner, {**PROMOTION, f"{side}_id": number})["id"]
        assert market.call("DELETE", f"/{side}s/{number}", owner).status_code == 204
        assert market.get("/promotions")["items"] == []
        assert market.call("GET", f"/promotions/{made}").status_code == 404
        answer = market.call("PATCH", f"/promotions/{made}", owner, json={"title": "Other"})
        assert answer.status_code == 404


def test_a_model_that_was_taken_out_comes_back_when_it_is_entered_again(market):
    staff = market.person(role="manager")
    made = market.send("POST", "/car-models", staff, CAR)["id"]
    assert market.call("DELETE", f"/car-models/{made}", staff).status_code == 204
    again = market.send("POST", "/car-models", staff, {**CAR, "class": "business"})
    assert (again["id"], again["class"], again["is_active"]) == (made, "business", True)
    assert market.call("POST", "/car-models", staff, json=CAR).json["code"] == "car_model_exists"


@pytest.mark.parametrize("wish", ["model", "criteria"])
def test_what_is_left_of_a_model_that_was_taken_out_is_sold(market, wish):
    model = market.car(make="Borgward")
    market.supplier({model: 1_000_000})
    market.dealer(target_stock=1)
    market.run("supply")
    staff, anna = market.person(role="manager"), market.person(9_000_000)
    assert market.call("DELETE", f"/car-models/{model}", staff).status_code == 204
    wanted = {"car_model_id": model} if wish == "model" else {"criteria": {"makes": ["Borgward"]}}
    body = {**wanted, "max_price": {"amount": "20000.00", "currency": "EUR"}}
    offer = market.send("POST", "/offers", anna, body)["id"]
    torg_jobs.run_due(market.app)
    assert market.get(f"/offers/{offer}", anna)["status"] == "filled"
    market.run("supply")
    answer = market.call(
        "POST", "/offers", anna, json={**body, "criteria": None, "car_model_id": model}
    )
    assert answer.json["code"] == "car_model_unknown", "nobody has one left"
