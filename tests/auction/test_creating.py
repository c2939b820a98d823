"""Creating auctions: rules 2 and 4 of the specification."""

from datetime import UTC, datetime, timedelta

import pytest

NOW = datetime.now(UTC)


def iso(**ahead: float) -> str:
    return (datetime.now(UTC) + timedelta(**ahead)).isoformat()


def euro(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


def test_a_confirmed_person_creates_an_auction(site):
    owner = site.person("anna")
    made = site.create(owner, title="  A clock ", description="It goes.\nMostly.")
    assert made["title"] == "A clock"
    assert made["owner"] == owner.username
    assert made["status"] == "active"
    assert made["current_price"] == made["minimum_bid"] == euro("10.00")
    assert (made["bid_count"], made["high_bidder"], made["bids"]) == (0, None, [])
    assert made["ends_at"] == made["scheduled_ends_at"]
    assert made["reserve_met"] is True
    assert made["server_time"].endswith("Z")


def test_the_answer_names_the_place_of_the_new_auction(site):
    answer = site.call("POST", "", site.person(), json=body())
    assert answer.status_code == 201
    assert answer.headers["Location"].endswith(f"/api/v1/auctions/{answer.json['id']}")
    assert site.call("GET", f"/{answer.json['id']}").json["id"] == answer.json["id"]


def test_everything_that_may_be_given_is_kept(site):
    given = {
        "starts_at": iso(hours=1),
        "ends_at": iso(hours=2),
        "category": "clocks",
        "pictures": ["https://example.com/a.jpg", "https://example.com/b.jpg"],
        "reserve_price": euro("50.00"),
        "buy_now_price": euro("90.00"),
        "currency": "EUR",
        "soft_close": {
            "window_seconds": 60,
            "extension_seconds": 30,
            "max_extensions": 3,
            "hard_ends_at": iso(hours=3),
        },
    }
    made = site.create(**given)
    assert made["status"] == "upcoming"
    assert made["category"] == "clocks"
    assert made["pictures"] == given["pictures"]
    assert made["buy_now_price"] == euro("90.00")
    assert made["buy_now_available"] is True
    assert made["soft_close"]["max_extensions"] == 3
    assert made["reserve_met"] is False


def test_the_reserve_is_shown_to_its_owner_alone(site):
    owner = site.person()
    made = site.create(owner, reserve_price=euro("77.31"))
    public = [site.call("GET", f"/{made['id']}").text, site.call("GET", "").text]
    assert all("77.31" not in text for text in [*public, str(made)])
    mine = site.get("/mine", owner)["items"][0]
    assert mine["reserve_price"] == euro("77.31")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"ends_at": iso(seconds=-1)}, "/ends_at"),
        ({"ends_at": iso(days=3652)}, "/ends_at"),
        ({"ends_at": "2030-01-01T12:00:00"}, "/ends_at"),
        ({"starts_at": iso(hours=2)}, "/ends_at"),
        ({"starts_at": iso(hours=-2)}, "/starts_at"),
        ({"bid_increment": euro("0.00")}, "/bid_increment/amount"),
        ({"bid_increment": euro("-1.00")}, "/bid_increment/amount"),
        ({"starting_price": euro("-0.01")}, "/starting_price/amount"),
        ({"starting_price": euro("10000000000000.01")}, "/starting_price/amount"),
        ({"starting_price": {"amount": 10, "currency": "EUR"}}, "/starting_price/amount"),
        ({"starting_price": {"amount": "10.00", "currency": "XXX"}}, "/starting_price/currency"),
        ({"bid_increment": {"amount": "1.00", "currency": "USD"}}, "/bid_increment/currency"),
        ({"currency": "USD"}, "/currency"),
        ({"reserve_price": euro("9.99")}, "/reserve_price"),
        ({"buy_now_price": euro("9.99")}, "/buy_now_price"),
        ({"soft_close": {"window_seconds": 0, "extension_seconds": 1}}, "/soft_close/"),
        ({"soft_close": {"window_seconds": 1, "extension_seconds": 0}}, "/soft_close/"),
        ({"title": ""}, "/title"),
        ({"title": "  "}, "/title"),
        ({"title": "x" * 201}, "/title"),
        ({"title": "nul\0"}, "/title"),
        ({"description": "x" * 10001}, "/description"),
        ({"pictures": ["javascript:alert(1)"]}, "/pictures/0"),
        ({"pictures": ["https://example.com/x.jpg"] * 11}, "/pictures"),
        ({"unknown": 1}, "/unknown"),
    ],
)
def test_terms_that_make_no_sense_are_refused_at_their_place(site, change, pointer):
    answer = site.call("POST", "", site.person(), json={**body(), **change})
    assert answer.status_code in (400, 422), answer.text
    assert any(error["pointer"].startswith(pointer) for error in answer.json["errors"])


@pytest.mark.parametrize(
    "field", ["title", "description", "starting_price", "bid_increment", "ends_at"]
)
def test_what_must_be_given_is_named_when_it_is_missing(site, field):
    given = body()
    del given[field]
    answer = site.call("POST", "", site.person(), json=given)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json["errors"]] == [f"/{field}"]


def test_a_hard_end_before_the_end_is_refused(site):
    soft = {"window_seconds": 5, "extension_seconds": 5, "hard_ends_at": iso(minutes=1)}
    answer = site.call("POST", "", site.person(), json={**body(), "soft_close": soft})
    assert answer.json["errors"][0]["pointer"] == "/soft_close/hard_ends_at"


def test_an_auction_may_start_at_zero(site):
    made = site.create(starting_price=euro("0.00"))
    assert site.bid(made["id"], site.person(), "0.00").status_code == 201


def test_amounts_have_the_scale_of_their_currency(site):
    yen = {"amount": "1000", "currency": "JPY"}
    made = site.create(starting_price=yen, bid_increment={"amount": "1", "currency": "JPY"})
    assert made["current_price"] == yen


def test_nobody_creates_without_signing_in(site):
    assert site.call("POST", "", json=body()).status_code == 401


def test_an_unconfirmed_person_creates_nothing(site):
    answer = site.call("POST", "", site.person(email_verified=False), json=body())
    assert (answer.status_code, answer.json["code"]) == (403, "email_unverified")


def test_somebody_without_the_permission_creates_nothing(site):
    answer = site.call("POST", "", site.person(permissions=[]), json=body())
    assert (answer.status_code, answer.json["code"]) == (403, "permission_denied")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/{id}", "/{id}/bids/1", "/{id}/bids"])
def test_nothing_is_changed_or_removed(site, method, path):
    owner = site.person()
    made = site.create(owner)
    site.bid(made["id"], site.person(), "10.00")
    answer = site.call(method, path.format(id=made["id"]), owner, json={"title": "another"})
    assert answer.status_code == 405
    assert answer.json["code"] == "method_not_allowed"


def test_the_same_key_creates_one_auction(site):
    owner, given = site.person(), body()
    first, second = (
        site.call("POST", "", owner, json=given, headers={"Idempotency-Key": "one"})
        for _ in range(2)
    )
    assert first.json["id"] == second.json["id"]
    assert second.headers["Idempotency-Replayed"] == "true"
    assert len(site.get("/mine", owner)["items"]) == 1


def body() -> dict[str, object]:
    return {
        "title": "A clock",
        "description": "It goes.",
        "starting_price": euro("10.00"),
        "bid_increment": euro("1.00"),
        "ends_at": iso(hours=1),
    }
