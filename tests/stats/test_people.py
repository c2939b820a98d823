"""Who sees what: everybody his own, staff all; catalogue, leaderboard, one's own page."""

from datetime import UTC, datetime, timedelta

import pytest

JANUARY = {"from": "2026-01-01", "to": "2026-02-01"}


@pytest.fixture
def anna(market):
    """She owns dealer 7 and has bought once."""
    person = market.person()
    market.sql("INSERT INTO stall_dealer VALUES (7, :owner)", owner=person.id)
    market.sell("2026-01-05T10:00", 1000, buyer=person.id, dealer=8)
    market.sell("2026-01-05T10:00", 3000, buyer=2, dealer=7)
    market.sell("2026-01-06T10:00", 5000, buyer=2, dealer=8)
    return person


@pytest.fixture(params=[False, True], ids=["facts", "kept"])
def kept(request, market, anna):
    if request.param:
        market.keep()
    return market


class TestOwn:
    def test_somebody_sees_his_own_where_he_has_any(self, kept, anna):
        assert kept.totals(anna, metric="stall.gross", **JANUARY) == {
            ("stall.gross", "EUR"): "30.00"
        }

    def test_he_may_say_as_what_he_asks(self, kept, anna):
        words = {"metric": "stall.gross", "seen_as": "buyer", **JANUARY}
        assert kept.totals(anna, **words) == {("stall.gross", "EUR"): "10.00"}

    def test_a_filter_for_others_finds_nothing(self, kept, anna):
        for name in ("dealer:8", "buyer:2"):
            words = {"metric": "stall.gross", "filter": name, **JANUARY}
            own = "30.00" if name == "buyer:2" else None
            found = kept.totals(anna, **{**words, "seen_as": "dealer"})
            assert found.get(("stall.gross", "EUR")) == own

    def test_who_has_nothing_sees_nothing(self, kept):
        assert kept.totals(kept.person(), metric="stall.sold", **JANUARY) == {
            ("stall.sold", None): "0"
        }

    def test_what_is_nobodys_own_needs_the_permission(self, kept, anna, staff):
        answer = kept.call("query", anna, query_string={"metric": "stall.secret", **JANUARY})
        assert (answer.status_code, answer.json["permission"]) == (403, "stats.metric.read")
        assert kept.totals(staff, metric="stall.secret", **JANUARY) == {("stall.secret", None): "3"}

    def test_staff_sees_all(self, kept, staff, anna):
        assert kept.totals(staff, metric="stall.gross", **JANUARY) == {
            ("stall.gross", "EUR"): "90.00"
        }

    def test_a_leaderboard_shows_him_his_own_places_only(self, kept, anna, staff):
        words = {"metric": "stall.gross", "by": "dealer", **JANUARY}
        mine = kept.call("leaderboard", anna, query_string=words).json["items"]
        assert [(each["value"], each["total"]) for each in mine] == [("7", "30.00")]
        every = kept.call("leaderboard", staff, query_string=words).json["items"]
        assert [(each["rank"], each["name"], each["total"]) for each in every] == [
            (1, "Dealer 8", "60.00"),
            (2, "Dealer 7", "30.00"),
        ]


def test_equals_share_a_place_and_each_currency_has_its_own(market, staff):
    for dealer, gross, currency in (
        (1, 500, "EUR"),
        (2, 500, "EUR"),
        (3, 100, "EUR"),
        (4, 9, "USD"),
    ):
        market.sell("2026-01-05T10:00", gross, dealer=dealer, currency=currency)
    words = {"metric": "stall.gross", "by": "dealer", **JANUARY}
    found = market.call("leaderboard", staff, query_string=words).json["items"]
    assert [(each["currency"], each["rank"], each["value"]) for each in found] == [
        ("EUR", 1, "1"),
        ("EUR", 1, "2"),
        ("EUR", 3, "3"),
        ("USD", 1, "4"),
    ]


def test_ones_own_page_shows_this_month_and_the_one_before(market):
    anna = market.person()
    market.sql("INSERT INTO stall_dealer VALUES (7, :owner)", owner=anna.id)
    market.sql(
        "INSERT INTO stall_sale SELECT clock_timestamp() - days * interval '1 day',"
        " clock_timestamp(), 99, 7, 'DE', 'EUR', 1000 * (1 + days), 0, -1, false"
        " FROM generate_series(1, 40, 39) AS days"
    )
    found = market.call("me", anna).json["items"]
    gross = [each for each in found if each["metric"] == "stall.gross"]
    assert [(each["seen_as"], each["total"], each["before"]) for each in gross] == [
        ("dealer", "20.00", "410.00")
    ]
    assert market.call("me", market.person()).json["items"] == []


def test_ones_own_page_shows_money_that_only_one_of_the_two_months_knows(market):
    anna = market.person()
    market.sql("INSERT INTO stall_dealer VALUES (7, :owner)", owner=anna.id)
    for days, currency in ((40, "EUR"), (5, "USD")):
        at = datetime.now(UTC) - timedelta(days=days)
        market.sell(at.isoformat(), 1000, currency=currency)
    found = {
        (each["metric"], each["currency"]): (each["total"], each["before"])
        for each in market.call("me", anna).json["items"]
        if each["seen_as"] == "dealer"
    }
    assert found["stall.gross", "EUR"] == ("0.00", "10.00")
    assert found["stall.gross", "USD"] == ("10.00", "0.00")
    assert found["stall.average", "EUR"] == (None, "10.00")


def test_the_catalogue_says_what_there_is_and_what_one_may_see(market, staff):
    mine, all_of_it = (
        {each["name"]: each for each in market.call("metrics", person).json["items"]}
        for person in (market.person(), staff)
    )
    assert mine["stall.gross"]["sees"] == "own"
    assert mine["stall.secret"]["sees"] == "nothing"
    assert all_of_it["stall.secret"]["sees"] == "all"
    assert mine["stall.average"]["formula"] == "average = gross / sold"
    assert [each["name"] for each in mine["stall.gross"]["dimensions"]] == [
        "dealer",
        "buyer",
        "country",
    ]


@pytest.mark.parametrize(
    ("words", "pointer"),
    [
        ({"metric": "stall.nothing"}, "?metric.0"),
        ({"metric": "stall.sold", "by": "colour"}, "?by.0"),
        ({"metric": "stall.sold", "filter": "colour:red"}, "?filter.0"),
        ({"metric": "stall.sold", "filter": "dealer"}, "?filter.0"),
        ({"metric": "stall.sold", "tz": "Mars/Base"}, "?tz"),
        ({"metric": "stall.sold", "tz": "localtime"}, "?tz"),
        ({"metric": "stall.sold", "from": "2026-01-02", "to": "2026-01-02"}, "?to"),
        ({"metric": "stall.sold", "from": "1950-01-01", "interval": "day"}, "?interval"),
        ({"metric": "stall.sold", "from": "1901-01-01", "to": "9000-01-01"}, "?from"),
        ({"metric": "stall.sold", "seen_as": "country"}, "?seen_as"),
    ],
)
def test_a_word_that_names_nothing_is_pointed_at(market, staff, words, pointer):
    answer = market.call("query", staff, query_string=words)
    assert answer.status_code == 422, answer.json
    assert answer.json["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(
    ("words", "pointer"),
    [
        ({"metric": "stall.nothing", "by": "dealer"}, "?metric"),
        ({"metric": "stall.sold", "by": "colour"}, "?by"),
        ({"metric": "stall.sold", "by": "dealer", "tz": "Mars/Base"}, "?tz"),
    ],
)
def test_a_leaderboard_points_at_its_one_word(market, staff, words, pointer):
    answer = market.call("leaderboard", staff, query_string=words)
    assert answer.json["errors"][0]["pointer"] == pointer


def test_a_report_points_into_its_question(market, staff):
    body = {"name": "Gross", "question": {"metric": ["stall.sold", "stall.nothing"]}}
    answer = market.call("reports", staff, "POST", json=body, headers={"Accept-Language": "ru"})
    (problem,) = answer.json["errors"]
    assert problem["pointer"] == "/question/metric/1"
    assert problem["message"].startswith("Одно из: stall.sold,")
    body["question"] = {"metric": ["stall.sold"], "by": ["dealer", "colour"]}
    answer = market.call("reports", staff, "POST", json=body)
    assert answer.json["errors"][0]["pointer"] == "/question/by/1"


def test_a_metric_whose_plugin_is_off_is_gone_and_nothing_else(make_market):
    without = make_market(metrics=[])
    staff = without.person(sees_all=True)
    assert without.call("metrics", staff).json["items"] == []
    assert without.call("query", staff, query_string={"metric": "stall.sold"}).status_code == 422
    assert without.call("me", staff).json["items"] == []


def test_a_plugin_that_breaks_takes_its_own_metrics_away_only(make_market):
    def broken():
        yield from ()
        raise RuntimeError

    market = make_market(metrics=broken())
    assert market.call("metrics", market.person()).status_code == 200


def test_a_question_that_takes_too_long_is_refused_and_told_what_to_do(make_market):
    market = make_market(seconds_at_most=1)
    market.sql(
        "INSERT INTO stall_sale SELECT clock_timestamp(), clock_timestamp(), n, n, 'DE', 'EUR',"
        " n, 0, -1, false FROM generate_series(1, 10) AS n"
    )
    market.sql("ALTER TABLE stall_sale RENAME TO stall_sale_rows")
    market.sql(
        "CREATE VIEW stall_sale AS SELECT r.* FROM stall_sale_rows r,"
        " LATERAL (SELECT pg_sleep(0.5 + 0 * r.gross)) AS slowly"
    )
    answer = market.call(
        "query", market.person(sees_all=True), query_string={"metric": "stall.sold"}
    )
    assert (answer.status_code, answer.json["code"]) == (503, "question_too_large")


def test_the_number_of_statements_does_not_grow_with_rows(market, staff, count_queries):
    words = {"metric": "stall.gross", "by": "dealer", "interval": "day", **JANUARY}
    market.sell("2026-01-05T10:00")
    market.ask(staff, **words)
    with count_queries() as few:
        market.ask(staff, **words)
    market.sql(
        "INSERT INTO stall_sale SELECT '2026-01-09Z', clock_timestamp(), n, n, 'DE', 'EUR', n, 0,"
        " -1, false FROM generate_series(1, 1000) AS n"
    )
    with count_queries() as many:
        market.ask(staff, **words, limit=1000)
    assert many.total == few.total
