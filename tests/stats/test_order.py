"""Which groups are shown first, and how many."""

JANUARY = {"from": "2026-01-01", "to": "2026-02-01"}


def test_a_loss_stands_below_every_gain_on_a_leaderboard(market, staff):
    for dealer, gross in ((1, -5000), (2, 3000), (3, 0)):
        market.sell("2026-01-05T10:00", gross, dealer=dealer)
    words = {"metric": "stall.gross", "by": "dealer", **JANUARY}
    found = market.call("leaderboard", staff, query_string=words).json["items"]
    assert [(each["rank"], each["value"]) for each in found] == [(1, "2"), (2, "3"), (3, "1")]


def test_the_limit_counts_in_each_currency(market, staff):
    for dealer, currency in ((1, "EUR"), (2, "EUR"), (3, "USD"), (4, "USD")):
        market.sell("2026-01-05T10:00", 100 * dealer, dealer=dealer, currency=currency)
    words = {"metric": "stall.gross", "by": "dealer", "limit": 1, **JANUARY}
    found = market.call("leaderboard", staff, query_string=words).json["items"]
    assert [(each["currency"], each["value"]) for each in found] == [("EUR", "2"), ("USD", "4")]
    assert market.ask(staff, **words)["left_out"] == 2


def test_what_would_be_too_many_numbers_is_refused_before_it_is_read(market, staff):
    market.sql(
        "INSERT INTO stall_sale SELECT '2026-01-09Z', clock_timestamp(), n, n, 'DE', 'EUR', n, 0,"
        " -1, false FROM generate_series(1, 1000) AS n"
    )
    words = {"metric": "stall.gross", "by": "dealer", "interval": "day", "limit": 1000}
    year = {"from": "2026-01-01", "to": "2026-12-31"}
    answer = market.call("query", staff, query_string={**words, **year})
    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == "?limit"
