"""Pictures: one scale for what one scale can measure, the same bytes for the same answer."""

import threading

import pytest

JANUARY = {"from": "2026-01-01", "to": "2026-02-01"}


def drawn(market, person, **words):
    answer = market.call("query", person, query_string={"format": "svg", **words, **JANUARY})
    assert answer.status_code == 200, answer.json
    return answer.text


@pytest.mark.parametrize("interval", [{}, {"interval": "week"}])
def test_each_currency_and_unit_has_a_scale_of_its_own(market, staff, interval):
    market.sell("2026-01-05T10:00", 1000, currency="EUR")
    market.sell("2026-01-06T10:00", 900_000, currency="USD")
    words = {"metric": ["stall.gross", "stall.sold", "stall.cost_share"], **interval}
    picture = drawn(market, staff, **words)
    assert picture.count('<g id="axes_') == 4
    for word in ("EUR", "USD", "%", "Gross, Sales, Cost share", "2026-01-01 – 2026-01-31, UTC"):
        assert f">{word}<" in picture


def test_what_is_not_shown_is_told(market, staff):
    for dealer in range(12):
        market.sell("2026-01-05T10:00", dealer=dealer)
    words = {"metric": "stall.gross", "by": "dealer", "interval": "day"}
    assert "4 more are not shown" in drawn(market, staff, **words)
    assert "8 more are not shown" in drawn(market, staff, **words, limit=4)
    assert "not shown" not in drawn(
        market, staff, **{**words, "interval": "month"}, filter="dealer:1"
    )


def test_equal_answers_are_equal_pictures_also_when_many_ask_at_once(market, staff):
    market.sell("2026-01-05T10:00", country="Île-de-France, Санкт-Петербург")
    words = {"metric": "stall.gross", "by": "country", "interval": "day"}
    expected = drawn(market, staff, **words)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(drawn(market, staff, **words)))
        for _ in range(4)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert found == [expected] * 4
    assert "Санкт-Петербург" in expected
    assert "http://www.w3.org" in expected
    assert "<script" not in expected


def test_a_picture_speaks_the_readers_language(market, staff):
    answer = market.call(
        "query",
        staff,
        query_string={"metric": "stall.gross", "format": "svg", **JANUARY},
        headers={"Accept-Language": "ru"},
    )
    assert "Ничего не произошло" in answer.text
