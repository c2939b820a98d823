"""Bidding over HTTP: rules 5, 9, 10, 11 and 12 of the specification."""

import pytest


def euro(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


@pytest.fixture
def lot(site) -> int:
    return site.create()["id"]


def test_a_bid_is_answered_with_the_auction_after_it(site, lot):
    ann = site.person("ann")
    answer = site.bid(lot, ann, "12.00")
    assert answer.status_code == 201
    placed = answer.json
    assert placed["amount"] == placed["current_price"] == euro("12.00")
    assert placed["minimum_bid"] == euro("13.00")
    assert (placed["seq"], placed["bid_count"], placed["is_leading"]) == (1, 1, True)
    assert placed["username"] == placed["high_bidder"] == ann.username
    assert placed["extended"] is False


def test_a_bid_is_one_statement(site, lot, count_queries):
    ann = site.person()
    site.bid(lot, ann, "10.00")
    with count_queries() as count:
        assert site.bid(lot, ann, "20.00").status_code == 201
    assert [sql for sql in count.statements if "auction" in sql] == [
        sql for sql in count.statements if "auction_place_bid" in sql
    ]
    assert sum("auction_place_bid" in sql for sql in count.statements) == 1


def test_a_first_bid_below_the_start_is_refused_with_the_minimum(site, lot):
    answer = site.bid(lot, site.person(), "9.99")
    assert (answer.status_code, answer.json["code"]) == (422, "bid_too_low")
    assert answer.json["minimum_bid"] == euro("10.00")
    assert answer.json["errors"][0]["pointer"] == "/amount"


def test_a_bid_below_the_step_is_refused_with_the_minimum(site, lot):
    site.bid(lot, site.person(), "15.00")
    answer = site.bid(lot, site.person(), "15.99")
    assert answer.status_code == 422
    assert answer.json["minimum_bid"] == euro("16.00")
    assert "16.00" in answer.json["detail"]


def test_the_owner_does_not_bid(site):
    owner = site.person()
    lot = site.create(owner)["id"]
    answer = site.bid(lot, owner, "20.00")
    assert (answer.status_code, answer.json["code"]) == (403, "own_auction")


def test_an_unconfirmed_person_does_not_bid(site, lot):
    answer = site.bid(lot, site.person(email_verified=False), "20.00")
    assert (answer.status_code, answer.json["code"]) == (403, "email_unverified")


def test_nobody_bids_without_signing_in(site, lot):
    assert site.call("POST", f"/{lot}/bids", json={"amount": euro("20.00")}).status_code == 401


def test_a_finished_auction_takes_no_bid(site):
    lot = site.ended(site.person())
    answer = site.bid(lot, site.person(), "20.00")
    assert (answer.status_code, answer.json["code"]) == (409, "auction_closed")


def test_an_auction_that_has_not_started_takes_no_bid(site):
    owner = site.person()
    lot = site.database.auction(owner_id=owner.id, starts_in=600)
    answer = site.bid(lot, site.person(), "20.00")
    assert (answer.status_code, answer.json["code"]) == (409, "auction_not_started")


def test_an_unknown_auction_is_not_found(site):
    assert site.bid(987654321, site.person(), "20.00").status_code == 404


def test_another_currency_is_refused(site, lot):
    answer = site.call(
        "POST",
        f"/{lot}/bids",
        site.person(),
        json={"amount": {"amount": "20.00", "currency": "USD"}},
    )
    assert (answer.status_code, answer.json["code"]) == (422, "wrong_currency")
    assert answer.json["currency"] == "EUR"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"amount": euro("20.00"), "max_amount": euro("30.00")},
        {"amount": euro("20.00"), "expected_price": {"amount": "10.00", "currency": "USD"}},
        {"amount": "20.00"},
        {"amount": euro("20")},
        {"amount": euro("1e3")},
        {"amount": euro("NaN")},
        {"amount": euro("99999999999999999999.00")},
        {"amount": euro("10000000000000.01")},
        {"amount": euro("-20.00")},
        {"amount": None},
        {"max_amount": []},
        {"amount": euro("20.00"), "bidder": 1},
    ],
)
def test_a_body_of_another_shape_is_refused(site, lot, body):
    answer = site.call("POST", f"/{lot}/bids", site.person(), json=body)
    assert answer.status_code == 422, answer.text
    assert site.get(f"/{lot}")["bid_count"] == 0


def test_the_largest_amount_still_leaves_room_for_a_next_bid(site, lot):
    answer = site.bid(lot, site.person(), "10000000000000.00")
    assert answer.json["minimum_bid"] == euro("10000000000001.00")


def test_a_moved_price_refuses_who_expected_another(site, lot):
    site.bid(lot, site.person(), "10.00")
    answer = site.bid(lot, site.person(), "20.00", expected_price=euro("9.00"))
    assert (answer.status_code, answer.json["code"]) == (409, "price_moved")
    assert answer.json["current_price"] == euro("10.00")
    assert answer.json["minimum_bid"] == euro("11.00")
    assert site.bid(lot, site.person(), "20.00", expected_price=euro("10.00")).status_code == 201


def test_the_same_key_places_one_bid(site, lot):
    ann = site.person()
    first, second = (
        site.bid(lot, ann, "12.00", headers={"Idempotency-Key": f"{lot}"}) for _ in range(2)
    )
    assert (first.status_code, first.json) == (second.status_code, second.json)
    assert second.headers["Idempotency-Replayed"] == "true"
    assert site.get(f"/{lot}")["bid_count"] == 1


def test_a_key_is_not_spent_by_a_refusal(site, lot):
    ann, key = site.person(), {"Idempotency-Key": f"refused-{lot}"}
    assert site.bid(lot, ann, "1.00", headers=key).status_code == 422
    assert site.bid(lot, ann, "10.00", headers=key).status_code == 201


def test_a_secret_maximum_raises_the_price_by_the_least_needed(site, lot):
    ann, ben = site.person(), site.person()
    assert site.bid(lot, ann, maximum="50.00").json["current_price"] == euro("10.00")
    beaten = site.bid(lot, ben, maximum="30.00").json
    assert beaten["is_leading"] is False
    assert beaten["current_price"] == euro("31.00")
    assert beaten["high_bidder"] == ann.username
    won = site.bid(lot, ben, maximum="80.00").json
    assert (won["is_leading"], won["current_price"]) == (True, euro("51.00"))


def test_of_equal_maxima_the_earlier_wins_at_that_amount(site, lot):
    ann, ben = site.person(), site.person()
    site.bid(lot, ann, maximum="50.00")
    answer = site.bid(lot, ben, maximum="50.00").json
    assert (answer["high_bidder"], answer["current_price"]) == (ann.username, euro("50.00"))


def test_raising_ones_own_maximum_raises_no_price(site, lot):
    ann = site.person()
    site.bid(lot, ann, maximum="50.00")
    raised = site.bid(lot, ann, maximum="90.00")
    assert raised.status_code == 201
    assert (raised.json["seq"], raised.json["amount"]) == (None, None)
    assert (raised.json["bid_count"], raised.json["current_price"]) == (1, euro("10.00"))


def test_a_maximum_is_never_lowered(site, lot):
    ann = site.person()
    site.bid(lot, ann, maximum="50.00")
    answer = site.bid(lot, ann, maximum="40.00")
    assert (answer.status_code, answer.json["code"]) == (422, "maximum_not_raised")


def test_a_late_bid_moves_the_end_and_only_the_end(site):
    soft = {"window_seconds": 7200, "extension_seconds": 60, "max_extensions": 1}
    made = site.create(soft_close=soft)
    placed = site.bid(made["id"], site.person(), "10.00").json
    assert placed["extended"] is True
    assert placed["ends_at"] > made["ends_at"]
    assert site.bid(made["id"], site.person(), "20.00").json["extended"] is False
    after = site.get(f"/{made['id']}")
    assert after["scheduled_ends_at"] == made["scheduled_ends_at"]
    assert after["extension_count"] == 1


def test_a_hidden_reserve_is_met_or_not_in_public(site):
    lot = site.create(reserve_price=euro("40.00"))["id"]
    assert site.bid(lot, site.person(), "20.00").json["reserve_met"] is False
    lifted = site.bid(lot, site.person(), maximum="60.00").json
    assert (lifted["reserve_met"], lifted["current_price"]) == (True, euro("40.00"))


def test_buy_now_sells_at_once(site):
    lot = site.create(buy_now_price=euro("99.00"))["id"]
    ann = site.person()
    bought = site.call("POST", f"/{lot}/buy-now", ann)
    assert (bought.status_code, bought.json["current_price"]) == (201, euro("99.00"))
    assert bought.json["minimum_bid"] is None
    after = site.get(f"/{lot}")
    assert (after["status"], after["winner"], after["outcome"]) == (
        "finished",
        ann.username,
        "bought_now",
    )
    assert after["hammer_price"] == euro("99.00")
    late = site.call("POST", f"/{lot}/buy-now", site.person())
    assert (late.status_code, late.json["code"]) == (409, "auction_closed")


def test_buy_now_is_gone_after_the_first_bid(site):
    lot = site.create(buy_now_price=euro("99.00"))["id"]
    site.bid(lot, site.person(), "10.00")
    assert site.get(f"/{lot}")["buy_now_available"] is False
    answer = site.call("POST", f"/{lot}/buy-now", site.person())
    assert (answer.status_code, answer.json["code"]) == (409, "buy_now_unavailable")


def test_buy_now_is_refused_where_there_is_none_and_to_the_owner(site):
    owner = site.person()
    plain, offered = site.create(), site.create(owner, buy_now_price=euro("99.00"))
    nowhere = site.call("POST", f"/{plain['id']}/buy-now", site.person())
    assert nowhere.json["code"] == "buy_now_unavailable"
    own = site.call("POST", f"/{offered['id']}/buy-now", owner)
    assert (own.status_code, own.json["code"]) == (403, "own_auction")


def test_the_same_key_buys_once(site):
    lot = site.create(buy_now_price=euro("99.00"))["id"]
    ann, key = site.person(), {"Idempotency-Key": f"buy-{lot}"}
    first, second = (site.call("POST", f"/{lot}/buy-now", ann, headers=key) for _ in range(2))
    assert first.status_code == second.status_code == 201
    assert first.json == second.json
