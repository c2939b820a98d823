"""Pure rules against naive models: days of zones, buckets, levels, conversion, written numbers."""

import datetime as dt
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torg_stats.domain.cells import harmless
from torg_stats.domain.figures import converted, levels, ratio, written
from torg_stats.domain.periods import Interval, Period, bucket_of, buckets, day_begins, is_too_long
from torg_stats.domain.reports import next_due

ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Asia/Kathmandu",
     "Pacific/Apia", "Australia/Lord_Howe", "Africa/Casablanca", "America/Havana"]
)  # fmt: skip
DAYS = st.dates(dt.date(2005, 1, 1), dt.date(2035, 12, 31))
NUMBERS = st.decimals(min_value=-(10**15), max_value=10**15, places=2)


@given(DAYS, ZONES)
def test_a_day_begins_where_the_clock_first_shows_it(day, zone):
    begins = day_begins(day, zone)
    before = (begins - dt.timedelta(seconds=1)).astimezone(ZoneInfo(zone))
    shown = begins.astimezone(ZoneInfo(zone))
    assert before.date() < day
    # A zone that changed its side of the date line has skipped a whole day.
    assert shown.date() == day or zone == "Pacific/Apia"


@given(DAYS, st.integers(1, 400), st.sampled_from(Interval))
def test_buckets_are_those_of_all_days_in_order(first, length, interval):
    period = Period(first, first + dt.timedelta(days=length), "UTC")
    days = [first + dt.timedelta(days=each) for each in range(length)]
    assert buckets(period, interval) == sorted({bucket_of(day, interval) for day in days})


@given(DAYS)
def test_weeks_begin_on_monday_and_months_on_their_first(day):
    assert bucket_of(day, Interval.WEEK).isocalendar()[:3] == (*day.isocalendar()[:2], 1)
    assert bucket_of(day, Interval.MONTH) == dt.date(day.year, day.month, 1)


@given(DAYS, st.integers(1, 40_000), st.sampled_from(Interval))
def test_a_period_is_too_long_with_more_than_a_thousand_buckets(first, length, interval):
    period = Period(first, first + dt.timedelta(days=length), "UTC")
    assert is_too_long(period, interval) == (len(buckets(period, interval)) > 1000)


@given(NUMBERS, st.dictionaries(DAYS, NUMBERS, max_size=8))
def test_a_level_is_the_sum_of_all_changes_until_then(opening, changes):
    names = sorted(changes)
    found = levels(opening, changes, names)
    for name in names:
        assert found[name] == opening + sum(changes[day] for day in names if day <= name)


@given(st.integers(-(10**15), 10**15), st.integers(0, 10**9), st.booleans())
def test_a_share_is_exact_and_none_of_nothing(top, bottom, percent):
    found = ratio(Decimal(top), Decimal(bottom), percent=percent)
    if bottom == 0:
        assert found is None
    else:
        exact = Fraction(top, bottom) * (100 if percent else 1)
        assert abs(Fraction(found) - exact) < Fraction(1, 10**20)


@given(
    st.integers(-(10**15), 10**15),
    st.sampled_from(["EUR", "JPY", "BHD"]),
    st.sampled_from(["EUR", "JPY", "BHD"]),
    st.decimals("0.000001", "1000000", places=6),
)
def test_money_is_converted_in_whole_units(minor, one, other, rate):
    digits = {"EUR": 2, "JPY": 0, "BHD": 3}
    exact = Fraction(minor, 10 ** digits[one]) * Fraction(rate) * 10 ** digits[other]
    assert Fraction(converted(Decimal(minor), one, other, rate)) == exact


@pytest.mark.parametrize(
    ("value", "currency", "text"),
    [
        (None, "EUR", None),
        (Decimal("1234.5"), "EUR", "12.34"),
        (Decimal("1235.5"), "EUR", "12.36"),
        (Decimal("-5"), "EUR", "-0.05"),
        (Decimal("1500"), "JPY", "1500"),
        (Decimal("0.3333333333"), None, "0.333333"),
        (Decimal("-0.00000001"), None, "0"),
        (Decimal("1E+3"), None, "1000"),
        (Decimal(17), None, "17"),
    ],
)
def test_numbers_are_written_in_whole_units_without_exponents(value, currency, text):
    assert written(value, currency) == text


@given(st.sampled_from(["daily", "weekly", "monthly"]), ZONES, st.datetimes(
    dt.datetime(2010, 1, 1), dt.datetime(2035, 1, 1)))  # fmt: skip
def test_a_report_is_due_next_at_the_first_such_hour_after_now(schedule, zone, now):
    aware = now.replace(tzinfo=dt.UTC)
    due = next_due(schedule, zone, aware)
    assert due > aware
    day = due.astimezone(ZoneInfo(zone)).date()
    if schedule == "weekly" and zone != "Pacific/Apia":
        assert day.isoweekday() == 1
    if schedule == "monthly":
        assert day.day == 1
    longest = {"daily": 3, "weekly": 9, "monthly": 33}[schedule]
    assert due - aware < dt.timedelta(days=longest)
    assert next_due("none", zone, aware) is None


@pytest.mark.parametrize(
    ("text", "safe"),
    [("=1", "'=1"), ("-1.50", "-1.50"), ("-a", "'-a"), ("@x", "'@x"), ("Anna", "Anna"), ("", "")],
)
def test_no_cell_is_a_formula(text, safe):
    assert harmless(text) == safe
