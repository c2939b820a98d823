"""Offers and deals are searched by what people call the cars, the dealers and the suppliers."""

import pytest


@pytest.fixture(scope="module")
def traded(make_market):
    """Two cars bought and sold by one dealer, and an offer by criteria that found none."""
    market = make_market()
    kodiaq, clio = market.car(model="Kodiaq"), market.car(make="Renault", model="Clio")
    market.supplier({kodiaq: 1_000_000, clio: 1_000_000})
    market.dealer(name="Stern & Söhne", city="Leipzig", target_stock=1)
    market.run("supply")
    anna = market.person(9_000_000)
    for wish in (kodiaq, clio):
        market.offer(anna, wish, 2_000_000)
    market.offer(anna, None, 2_000_000, criteria={"makes": ["Lada"]})
    market.run("sales")
    return market, anna, market.person(role="admin")


@pytest.mark.parametrize(
    ("path", "words", "number"),
    [
        ("/offers", "kodiaq", 1),
        ("/offers", "kod", 1),
        ("/offers", "skoda or renault", 2),
        ("/offers", "lada", 0),
        ("/sales", "renault clio", 1),
        ("/sales", "söhne", 2),
        ("/sales", "söhne -clio", 1),
        ("/sales", "dacia", 0),
        ("/supply-deals", "leipzig kodiaq", 1),
        ("/supply-deals", "supplier", 2),
    ],
)
def test_offers_and_deals_are_found_by_words(traded, path, words, number):
    market, anna, staff = traded
    person = anna if path == "/offers" else staff
    found = market.get(path, person, search=words, include_total="true", sort="-id", limit=1)
    assert found["total"] == number
    assert len(found["items"]) == min(number, 1)
    if found["next_cursor"]:
        rest = market.get(
            path, person, search=words, sort="-id", limit=1, cursor=found["next_cursor"]
        )
        assert len(rest["items"]) == 1


@pytest.mark.parametrize("path", ["/offers", "/sales", "/supply-deals"])
def test_page_after_page_shows_every_row_once(traded, path):
    market, anna, staff = traded
    for person in (anna, staff):
        every = market.get(path, person)["items"]
        # Asked again and again: the host keeps statements that come back.
        for _ in range(3):
            found, cursor = [], {}
            while cursor is not None:
                page = market.get(path, person, limit=1, **cursor)
                found += page["items"]
                cursor = page["next_cursor"] and {"cursor": page["next_cursor"]}
            assert found == every


def test_staff_sees_the_offers_of_all_and_people_their_own(traded):
    market, anna, staff = traded
    ben = market.person(3_000_000)
    body = {"criteria": {"makes": ["Tatra"]}, "max_price": {"amount": "1.00", "currency": "EUR"}}
    made = market.send("POST", "/offers", ben, body)
    assert [each["id"] for each in market.get("/offers", ben)["items"]] == [made["id"]]
    every = market.get("/offers", staff)["items"]
    assert len(every) == 4
    found = market.get("/offers", staff, buyer_id=made["buyer_id"])["items"]
    assert [each["id"] for each in found] == [made["id"]]
    place = f"/offers/{made['id']}"
    assert market.get(place, ben) == market.get(place, staff)
    assert market.call("GET", place, anna).status_code == 404
    assert market.call("DELETE", place, staff).status_code == 404
    assert market.call("GET", place).status_code == 401


def test_a_search_finds_nothing_of_others(traded):
    market, _, _ = traded
    stranger = market.person()
    for path in ("/offers", "/sales", "/supply-deals"):
        assert market.get(path, stranger, search="skoda")["items"] == []
