"""What is refused at the door: each refusal points at the field that is wrong."""

import pytest
from market_bodies import DEALER, EURO

PROMOTION = {
    "title": "Sale",
    "dealer_id": 1,
    "starts_at": "2030-01-01T00:00:00Z",
    "ends_at": "2030-02-01T00:00:00Z",
}
TIER = {"at_purchases": 3, "percent": "1.00"}
YEARS = {"year_min": 2026, "year_max": 2020}


@pytest.fixture(scope="module")
def one_market(make_market):
    return make_market()


@pytest.mark.parametrize(
    ("method", "path", "body", "pointers"),
    [
        ("POST", "/dealers", {**DEALER, "preferences": YEARS}, ["/preferences/year_max"]),
        ("PATCH", "/dealers/1", {"preferences": YEARS}, ["/preferences/year_max"]),
        ("POST", "/offers", {"criteria": YEARS, "max_price": EURO}, ["/criteria/year_max"]),
        ("POST", "/offers", {"max_price": EURO}, ["/car_model_id"]),
        (
            "POST",
            "/offers",
            {"car_model_id": 1, "criteria": {}, "max_price": EURO},
            ["/car_model_id"],
        ),
        ("POST", "/promotions", {**PROMOTION, "percent": "0.00"}, ["/percent"]),
        (
            "PUT",
            "/dealers/1/tiers",
            {"tiers": [TIER, {**TIER, "at_purchases": 4}, TIER, TIER]},
            ["/tiers/2/at_purchases", "/tiers/3/at_purchases"],
        ),
    ],
)
def test_a_body_that_makes_no_sense_is_refused_with_its_place(
    one_market, method, path, body, pointers
):
    answer = one_market.call(method, path, one_market.person(), json=body)
    assert answer.status_code == 422, answer.text
    assert [each["pointer"] for each in answer.json["errors"]] == pointers


def test_years_may_be_the_same_or_one_alone(one_market):
    person = one_market.person()
    for years in ({"year_min": 2026, "year_max": 2026}, {"year_min": 2026}, {"year_max": 1990}):
        made = one_market.send("POST", "/dealers", person, {**DEALER, "preferences": years})
        assert made["preferences"] == years


def test_an_offer_for_an_unknown_car_points_at_it(one_market):
    body = {"car_model_id": 10**9, "max_price": EURO}
    answer = one_market.call("POST", "/offers", one_market.person(2_000_000), json=body)
    assert (answer.status_code, answer.json["code"]) == (404, "car_model_unknown")
    assert answer.json["errors"][0]["pointer"] == "/car_model_id"
