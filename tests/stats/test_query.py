"""Questions over HTTP: what is counted, for whom, in which days and which money."""

import csv
import io
import zipfile

import pytest

JANUARY = {"from": "2026-01-01", "to": "2026-02-01"}
ALL = ("stall.sold", "stall.gross", "stall.buyers", "stall.average", "stall.cost_share")


@pytest.fixture(params=["facts", "kept", "kept but for the last"])
def filled(request, market):
    """The same sales, counted live, from kept sums, and from both together."""
    market.sell("2026-01-05T10:00", 1000, buyer=1, dealer=7)
    market.sell("2026-01-05T23:30", 3000, buyer=2, dealer=7, country="FR")
    market.sell("2026-01-20T12:00", 500, buyer=1, dealer=8, currency="USD")
    market.sell("2026-01-20T12:00", -200, buyer=2, dealer=7, is_return=True, pieces=1)
    market.sell("2026-02-03T12:00", 9000, buyer=3, dealer=8)
    if request.param == "kept but for the last":
        market.keep()
    market.sell("2026-01-20T15:00", 700, buyer=3, dealer=None)
    if request.param == "kept":
        market.keep()
    return market


class TestTotals:
    def test_are_sums_counts_and_different_values_of_the_period(self, filled, staff):
        assert filled.totals(staff, metric=ALL, **JANUARY) == {
            ("stall.sold", None): "5",
            ("stall.gross", "EUR"): "45.00",
            ("stall.gross", "USD"): "5.00",
            ("stall.buyers", None): "3",
            ("stall.average", "EUR"): "11.25",
            ("stall.average", "USD"): "5.00",
            ("stall.cost_share", "EUR"): "50",
            ("stall.cost_share", "USD"): "50",
        }

    def test_are_broken_down_by_a_dimension_with_names(self, filled, staff):
        found = filled.ask(staff, metric="stall.gross", by="dealer", currency="EUR", **JANUARY)
        assert [(each["group"][0]["value"], each["group"][0]["name"], each["total"])
                for each in found["series"]] == [
            ("7", "Dealer 7", "38.00"),
            (None, "", "7.00"),
        ]  # fmt: skip

    @pytest.mark.parametrize("by", [("dealer", "country"), ("country", "dealer")])
    def test_are_broken_down_by_two(self, filled, staff, by):
        found = filled.totals(staff, metric="stall.sold", by=by, **JANUARY)
        in_order = {
            (metric, *(pair if by[0] == "dealer" else reversed(pair)), currency): total
            for (metric, *pair, currency), total in found.items()
        }
        assert in_order == {
            ("stall.sold", "7", "DE", None): "2",
            ("stall.sold", "7", "FR", None): "1",
            ("stall.sold", "8", "DE", None): "1",
            ("stall.sold", None, "DE", None): "1",
        }

    def test_a_filter_narrows_and_several_values_mean_any(self, filled, staff):
        found = filled.totals(
            staff, metric="stall.sold", filter=["buyer:1", "buyer:2", "country:DE"], **JANUARY
        )
        assert found == {("stall.sold", None): "3"}

    def test_of_rows_that_a_condition_names(self, filled, staff):
        assert filled.totals(staff, metric="stall.returns", **JANUARY) == {
            ("stall.returns", None): "1"
        }

    def test_beyond_the_limit_the_smallest_are_left_out_and_told(self, filled, staff):
        found = filled.ask(staff, metric="stall.sold", by="dealer", limit=1, **JANUARY)
        assert [each["group"][0]["value"] for each in found["series"]] == ["7"]
        assert found["left_out"] == 2

    def test_where_nothing_happened_are_zero_and_shares_are_none(self, filled, staff):
        words = {"from": "2020-01-01", "to": "2020-02-01"}
        assert filled.totals(staff, metric="stall.sold", **words) == {("stall.sold", None): "0"}
        assert filled.ask(staff, metric="stall.cost_share", **words)["series"] == []

    def test_money_is_converted_at_the_stated_rate_only(self, filled, staff):
        found = filled.ask(staff, metric=ALL[1:], convert_to="EUR", **JANUARY)
        assert {each["metric"]: each["total"] for each in found["series"]} == {
            "stall.gross": "49.50",
            "stall.buyers": "3",
            "stall.average": "9.90",
            "stall.cost_share": "50",
        }
        assert found["rates"] == [{"pair": "USD/EUR", "rate": "0.9"}]
        answer = filled.call(
            "query", staff, query_string={"metric": "stall.gross", "convert_to": "USD", **JANUARY}
        )
        assert (answer.status_code, answer.json["code"]) == (422, "question_refused")
        assert answer.json["errors"][0]["pointer"] == "?convert_to"


class TestBuckets:
    def test_all_days_are_there_also_empty_ones(self, filled, staff):
        (found,) = filled.ask(staff, metric="stall.sold", interval="day", **JANUARY)["series"]
        assert len(found["points"]) == 31
        busy = {each["bucket"]: each["value"] for each in found["points"] if each["value"] != "0"}
        assert busy == {"2026-01-05": "2", "2026-01-20": "3"}
        assert found["total"] == "5"

    def test_a_day_is_the_zones_day(self, filled, staff):
        (found,) = filled.ask(
            staff, metric="stall.sold", interval="day", tz="Europe/Berlin", **JANUARY
        )["series"]
        busy = {each["bucket"]: each["value"] for each in found["points"] if each["value"] != "0"}
        assert busy == {"2026-01-05": "1", "2026-01-06": "1", "2026-01-20": "3"}

    def test_a_zone_whose_sums_are_not_kept_is_right_too(self, filled, staff):
        (found,) = filled.ask(
            staff, metric="stall.sold", interval="day", tz="Asia/Kathmandu", **JANUARY
        )["series"]
        assert {each["bucket"] for each in found["points"] if each["value"] != "0"} == {
            "2026-01-05",
            "2026-01-06",
            "2026-01-20",
        }

    def test_weeks_begin_on_monday_and_months_on_their_first(self, filled, staff):
        words = {"from": "2026-01-01", "to": "2026-03-01", "metric": "stall.sold"}
        (weeks,) = filled.ask(staff, interval="week", **words)["series"]
        (months,) = filled.ask(staff, interval="month", **words)["series"]
        busy = [each["bucket"] for each in weeks["points"] if each["value"] != "0"]
        assert busy == ["2026-01-05", "2026-01-19", "2026-02-02"]
        assert [(each["bucket"], each["value"]) for each in months["points"]] == [
            ("2026-01-01", "5"),
            ("2026-02-01", "1"),
        ]

    def test_different_values_of_buckets_do_not_add_up_to_the_total(self, filled, staff):
        (found,) = filled.ask(staff, metric="stall.buyers", interval="week", **JANUARY)["series"]
        assert [each["value"] for each in found["points"]] == ["0", "2", "0", "3", "0"]
        assert found["total"] == "3"

    def test_a_level_is_what_there_is_at_the_end_of_each_bucket(self, filled, staff):
        filled.sell("2025-12-01T00:00", 0, pieces=10)
        words = {"from": "2026-01-04", "to": "2026-01-21", "metric": "stall.stock"}
        (found,) = filled.ask(staff, interval="week", **words)["series"]
        assert [each["value"] for each in found["points"]] == ["10", "8", "8", "7"]
        assert found["total"] == "7"

    def test_a_share_is_made_bucket_by_bucket_and_never_averaged(self, filled, staff):
        filled.sell("2026-01-06T10:00", 1000, cost=1000)
        (found,) = filled.ask(
            staff, metric="stall.cost_share", currency="EUR", interval="month", **JANUARY
        )["series"]
        assert (found["points"][0]["value"], found["total"]) == ("59.090909", "59.090909")


@pytest.fixture(scope="module")
def one_zoned(make_market):
    return make_market(zones=("Europe/Berlin", "America/New_York"))


@pytest.fixture
def zoned(one_zoned):
    one_zoned.sql("TRUNCATE stall_sale, stats_source CASCADE")
    return one_zoned


class TestClocksThatJump:
    """Days of 23 and 25 hours, in two zones."""

    @pytest.mark.parametrize(
        ("zone", "day", "first", "last"),
        [
            ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00", "2026-03-29T21:59:59"),
            ("Europe/Berlin", "2026-10-25", "2026-10-24T22:00", "2026-10-25T22:59:59"),
            ("America/New_York", "2026-03-08", "2026-03-08T05:00", "2026-03-09T03:59:59"),
            ("America/New_York", "2026-11-01", "2026-11-01T04:00", "2026-11-02T04:59:59"),
        ],
    )
    @pytest.mark.parametrize("is_kept", [False, True])
    def test_the_first_and_the_last_second_belong_to_the_day(
        self, zoned, zone, day, first, last, is_kept
    ):
        market, staff = zoned, zoned.person(sees_all=True)
        market.sell(first)
        market.sell(last)
        if is_kept:
            market.keep()
        words = {"from": "2026-01-01", "to": "2026-12-31", "tz": zone, "interval": "day"}
        (found,) = market.ask(staff, metric="stall.sold", **words)["series"]
        busy = {each["bucket"]: each["value"] for each in found["points"] if each["value"] != "0"}
        assert busy == {day: "2"}
        only = {"from": day, "to": f"{day[:8]}{int(day[8:]) + 1:02}", "tz": zone}
        assert market.totals(staff, metric="stall.sold", **only) == {("stall.sold", None): "2"}


class TestForms:
    def test_csv_has_a_line_for_each_number_and_no_formulas(self, market, staff):
        market.sell("2026-01-05T10:00", 1000, country="=1+1")
        answer = market.call(
            "query",
            staff,
            query_string={"metric": "stall.gross", "by": "country", "format": "csv", **JANUARY},
        )
        assert answer.content_type == "text/csv; charset=utf-8"
        assert "attachment" in answer.headers["Content-Disposition"]
        header, line = csv.reader(io.StringIO(answer.text))
        assert dict(zip(header, line, strict=True)) == {
            "metric": "stall.gross",
            "title": "Gross",
            "unit": "money",
            "country": "'=1+1",
            "country_name": "'=1+1",
            "currency": "EUR",
            "bucket": "",
            "value": "10.00",
        }

    def test_xlsx_svg_and_png_are_what_they_are_called(self, market, staff):
        market.sell("2026-01-05T10:00", 1000, country="<b>$x$_</b>")
        words = {"metric": ["stall.gross", "stall.sold"], "by": "country", **JANUARY}
        for interval in ({}, {"interval": "day"}):
            found = {
                form: market.call(
                    "query", staff, query_string={**words, **interval, "format": form}
                )
                for form in ("xlsx", "svg", "png")
            }
            assert [each.status_code for each in found.values()] == [200, 200, 200]
            names = zipfile.ZipFile(io.BytesIO(found["xlsx"].data)).namelist()
            assert "xl/worksheets/sheet1.xml" in names
            assert found["png"].data.startswith(b"\x89PNG\r\n")
            assert "&lt;b&gt;" in found["svg"].text
            assert "<b>" not in found["svg"].text

    def test_pictures_of_nothing_are_drawn_too(self, market, staff):
        words = {"metric": "stall.gross", "format": "svg", "interval": "month", **JANUARY}
        answer = market.call("query", staff, query_string=words)
        assert "Nothing happened" in answer.text
