"""Moments as text."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torg.clock import EARLIEST, LATEST, MomentError, as_utc, format_moment, parse_moment

OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(
    EARLIEST.replace(tzinfo=None), LATEST.replace(tzinfo=None), timezones=st.just(UTC)
)


@given(MOMENTS, OFFSETS)
def test_what_is_written_in_any_offset_is_read_as_the_same_moment(
    moment: datetime, offset: timezone
) -> None:
    text = moment.astimezone(offset).isoformat()

    assert parse_moment(text) == moment
    assert parse_moment(format_moment(moment.astimezone(offset))) == moment


def test_moments_are_written_in_utc_with_z() -> None:
    moment = datetime(2026, 1, 31, 15, 0, tzinfo=timezone(timedelta(hours=3)))

    assert format_moment(moment) == "2026-01-31T12:00:00Z"
    assert format_moment(moment.replace(microsecond=5)) == "2026-01-31T12:00:00.000005Z"


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31",
        "2026-01-31 12:00:00Z",
        "2026-W05-6T12:00:00Z",
        "20260131T120000Z",
        "2026-02-30T12:00:00Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T23:59:60Z",
        "2026-01-31T12:00Z",
        "2026-01-31T12:00:00.1234567Z",
        "2026-01-31T12:00:00+24:00",
        "2026-01-31T12:00:00Z\n",
        "٢٠٢٦-01-31T12:00:00Z",
        "",
        "now",
        "infinity",
    ],
)
def test_what_is_no_rfc_3339_moment_is_refused(text: str) -> None:
    with pytest.raises(MomentError) as refusal:
        parse_moment(text)

    assert refusal.value.code == "not_a_moment"


def test_a_moment_without_an_offset_is_refused() -> None:
    with pytest.raises(MomentError) as refusal:
        parse_moment("2026-01-31T12:00:00")

    assert refusal.value.code == "offset_missing"


@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "1969-12-31T23:59:59.999999Z",
        "1970-01-01T00:00:00+00:01",
        "9999-01-01T00:00:00Z",
    ],
)
def test_a_moment_outside_of_what_can_be_stored_everywhere_is_refused(text: str) -> None:
    with pytest.raises(MomentError) as refusal:
        parse_moment(text)

    assert refusal.value.code == "moment_out_of_range"


def test_a_naive_moment_is_never_guessed_to_be_utc() -> None:
    naive = datetime(2026, 1, 31)

    with pytest.raises(ValueError, match="offset"):
        format_moment(naive)
    with pytest.raises(ValueError, match="offset"):
        as_utc(naive)
