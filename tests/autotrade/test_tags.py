"""Whoever has not seen the present state does not change it: ETag and If-Match."""

import pytest
from market_bodies import SEDANS as DEALER
from market_bodies import SUPPLIER

PROMOTION = {
    "title": "Sale",
    "percent": "5.00",
    "starts_at": "2030-01-01T00:00:00Z",
    "ends_at": "2030-02-01T00:00:00Z",
}


@pytest.fixture(scope="module")
def one_market(make_market):
    return make_market()


@pytest.mark.parametrize(
    ("path", "body", "change"),
    [
        ("/dealers", DEALER, {"city": "Kiel"}),
        ("/suppliers", SUPPLIER, {"name": "Werk Nord"}),
        ("/promotions", PROMOTION, {"title": "Clearance"}),
    ],
)
def test_a_state_that_changed_meanwhile_is_not_overwritten(one_market, path, body, change):
    owner = one_market.person()
    if path == "/promotions":
        body = {**body, "dealer_id": one_market.send("POST", "/dealers", owner, DEALER)["id"]}
    place = f"{path}/{one_market.send('POST', path, owner, body)['id']}"
    seen = {"If-Match": one_market.call("GET", place).headers["ETag"]}
    first = one_market.call("PATCH", place, owner, json=change, headers=seen)
    assert first.status_code == 200, first.text
    assert one_market.get(place) | change == one_market.get(place)
    late = one_market.call("PATCH", place, owner, json=change, headers=seen)
    assert (late.status_code, late.json["code"]) == (412, "precondition_failed")
    assert one_market.call("DELETE", place, owner, headers=seen).status_code == 412
    stranger = one_market.person()
    assert one_market.call("DELETE", place, stranger, headers=seen).status_code == 404
    present = {"If-Match": first.headers["ETag"]}
    assert one_market.call("GET", place).headers["ETag"] == first.headers["ETag"]
    assert one_market.call("DELETE", place, owner, headers=present).status_code == 204


@pytest.mark.parametrize(("path", "body"), [("/dealers", DEALER), ("/suppliers", SUPPLIER)])
def test_tiers_that_changed_meanwhile_are_not_overwritten(one_market, path, body):
    owner = one_market.person()
    place = f"{path}/{one_market.send('POST', path, owner, body)['id']}/tiers"
    for at in (1, 2):
        seen = {"If-Match": one_market.call("GET", place).headers["ETag"]}
        tiers = {"tiers": [{"at_purchases": at, "percent": "1.50"}]}
        one_market.send("PUT", place, owner, tiers, 200, headers=seen)
        assert one_market.call("PUT", place, owner, json=tiers, headers=seen).status_code == 412
        assert one_market.get(place) == tiers


def test_everybody_sees_what_a_dealer_prefers_and_nobody_its_margin(one_market):
    made = one_market.send("POST", "/dealers", one_market.person(), DEALER)
    shown = one_market.get(f"/dealers/{made['id']}")
    assert shown["preferences"] == DEALER["preferences"]
    assert not {"margin_percent", "spend_per_run", "last_error"} & set(shown)
