"""Cursors: opaque, bound, and harmless when forged."""

import base64
import hashlib
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torg import cursor
from torg.cursor import InvalidCursorError

VALUES: dict[type, st.SearchStrategy[Any]] = {
    int: st.integers(-(2**63), 2**63 - 1),
    str: st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])),
    bool: st.booleans(),
    float: st.floats(allow_nan=False),
    Decimal: st.decimals(-(10**20), 10**20, places=6),
    datetime: st.datetimes(timezones=st.just(UTC)),
    date: st.dates(),
    UUID: st.uuids(),
}
KINDS_AND_VALUES = st.lists(
    st.sampled_from(list(VALUES)).flatmap(
        lambda kind: st.tuples(st.just(kind), VALUES[kind] | st.none())
    ),
    min_size=1,
    max_size=4,
)


@given(KINDS_AND_VALUES, st.binary(max_size=8))
def test_what_goes_in_comes_out(pairs: list[tuple[type, Any]], scope: bytes) -> None:
    kinds, values = zip(*pairs, strict=True)

    text = cursor.encode(values, kinds, scope)

    assert cursor.decode(text, kinds, scope) == list(values)


@given(st.integers(0, 60), st.sampled_from("AZaz09-_"))
def test_a_changed_cursor_is_refused(place: int, character: str) -> None:
    text = cursor.encode([START, 42], [datetime, int], b"list")
    changed = text[: place % len(text)] + character + text[place % len(text) + 1 :]
    if changed == text:
        return

    for bad in (changed, text[:-1], text + "A", text + "=", " " + text):
        with pytest.raises(InvalidCursorError):
            cursor.decode(bad, [datetime, int], b"list")


@given(st.text(max_size=80))
def test_any_text_is_refused_and_none_crashes(text: str) -> None:
    with pytest.raises(InvalidCursorError):
        cursor.decode(text, [int], b"list")


def test_a_cursor_of_another_scope_is_refused() -> None:
    text = cursor.encode([42], [int], b"list")

    with pytest.raises(InvalidCursorError):
        cursor.decode(text, [int], b"another")


def forged(body: bytes) -> str:
    key = hashlib.sha256(b"list").digest()
    digest = hashlib.blake2b(body, digest_size=9, key=key).digest()
    return base64.urlsafe_b64encode(digest + body).rstrip(b"=").decode()


@pytest.mark.parametrize(
    ("kind", "item"),
    [
        (int, '"1.5"'),
        (int, "1"),
        (int, '"9223372036854775808"'),
        (int, f'"{"9" * 3000}"'),
        (int, "[]"),
        (str, r'"\u0000"'),
        (str, r'"\ud800"'),
        (str, "{}"),
        (bool, '"yes"'),
        (Decimal, '"1e1000000"'),
        (Decimal, '"Infinity"'),
        (Decimal, '"sNaN"'),
        (datetime, '"2026-01-01T00:00:00"'),
        (datetime, '"0001-01-01T00:00:00+14:00"'),
        (datetime, '"infinity"'),
        (date, '"tomorrow"'),
        (UUID, '"1"'),
        (float, '"one"'),
    ],
)
def test_hostile_values_under_a_right_digest_are_refused_too(kind: type, item: str) -> None:
    with pytest.raises(InvalidCursorError):
        cursor.decode(forged(f"[{item}]".encode()), [kind], b"list")


@pytest.mark.parametrize("body", [b"", b"[]", b'["1","2"]', b"null", b"7", b'{"0":"1"}', b'"1"'])
def test_another_shape_under_a_right_digest_is_refused_too(body: bytes) -> None:
    with pytest.raises(InvalidCursorError):
        cursor.decode(forged(body), [int], b"list")


START = datetime(2026, 1, 1, tzinfo=UTC)
