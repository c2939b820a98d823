"""The strict reading of JSON bodies."""

import contextlib
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torg.errors import InvalidError
from torg.strict_json import MAX_DEPTH, MalformedJsonError, loads

TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=20,
)


def refusals(raw: bytes | str) -> list[tuple[str, str]]:
    with pytest.raises(InvalidError) as refusal:
        loads(raw.encode() if isinstance(raw, str) else raw)
    return [(problem.pointer, problem.code) for problem in refusal.value.errors]


@given(VALUES, st.booleans())
def test_what_is_fine_is_read_as_the_standard_reader_does(value: Any, ascii_only: bool) -> None:
    raw = json.dumps(value, ensure_ascii=ascii_only).encode()

    assert loads(raw) == value


@given(st.binary(max_size=200) | TEXTS.map(lambda text: text.encode()))
def test_any_bytes_are_read_or_refused_and_never_crash(raw: bytes) -> None:
    with contextlib.suppress(MalformedJsonError, InvalidError):
        loads(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"   ",
        b"{",
        b'{"a": 1,}',
        b"{'a': 1}",
        b"[1, 2",
        b"nul",
        b"01",
        b"1.",
        b".5",
        b"+1",
        b"0x10",
        b"1_000",
        b'"\x01"',
        b'"\x00"',
        b"\x00",
        b'"a',
        b'"a\\',
        b'"\\x41"',
        b'"\\u12"',
        b"1 2",
        b"\xef\xbb\xbf{}",
        "[١]".encode(),
        "[１]".encode(),
        b'{"a": NaN}',
        b"Infinity",
        b"-Infinity",
        b'"\xff"',
        b'"\xed\xa0\x80"',
        '{"a": 1}'.encode("utf-16"),
    ],
)
def test_what_is_no_json_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedJsonError) as refusal:
        loads(raw)

    assert (refusal.value.status, refusal.value.code) == (400, "malformed_json")


def test_a_malformed_body_says_where_reading_stopped() -> None:
    with pytest.raises(MalformedJsonError, match="line 2, column 7"):
        loads(b'{\n "a": x}')


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_thirty_two_levels_are_read_and_one_more_is_refused(opening: str) -> None:
    closing = "]" if opening == "[" else "}"

    def nested(depth: int) -> bytes:
        return (opening * depth + "1" + closing * depth).encode()

    for depth in (MAX_DEPTH - 1, MAX_DEPTH):
        loads(nested(depth))
    for depth in (MAX_DEPTH + 1, 10_000):
        assert refusals(nested(depth)) == [("", "too_deep")]


def test_brackets_inside_of_texts_are_no_levels() -> None:
    value = {"text": '[{"' * 100 + "\\", "more": ["]}" * 100] * 40}

    assert loads(json.dumps(value).encode()) == value


def test_many_objects_side_by_side_are_not_deep() -> None:
    value = [{"a": [index]} for index in range(100)]

    assert loads(json.dumps(value).encode()) == value


def test_a_name_twice_in_one_object_is_refused_with_its_place() -> None:
    assert refusals('{"a": {"b/c": 1, "b/c": 2}}') == [("/a/b~1c", "duplicate_key")]
    assert refusals('[{"x": 1}, {"x": 1, "\\u0078": 2}]') == [("/1/x", "duplicate_key")]


def test_a_long_number_is_refused_before_it_is_computed() -> None:
    for number in ("1" * 41, "-" + "9" * 5000, "0." + "1" * 5000, "1e" + "0" * 50):
        assert refusals(f'{{"n": [0, {number}]}}') == [("/n/1", "number_too_long")]


def test_a_number_that_nothing_holds_is_refused() -> None:
    for number in ("1e400", "-1e1000000", str(2**63), str(-(2**63) - 1)):
        assert refusals(f'{{"n~m": {number}}}') == [("/n~0m", "number_out_of_range")]
    assert loads(b"[9223372036854775807, -9223372036854775808]") == [2**63 - 1, -(2**63)]


@pytest.mark.parametrize("escape", ["\\u0000", "\\ud800", "\\uDFFF", "\\udc00\\ud800"])
def test_a_nul_or_half_a_surrogate_pair_is_refused_wherever_it_stands(escape: str) -> None:
    assert refusals(f'{{"a": ["x{escape}y"]}}') == [("/a/0", "forbidden_character")]
    assert refusals(f'{{"a": {{"x{escape}": 1}}}}') == [("/a", "forbidden_character")]


def test_escapes_that_only_look_like_it_are_read() -> None:
    assert loads(b'["\\\\u0000", "\\ud83d\\ude00", "\\u0430"]') == ["\\u0000", "😀", "а"]


def test_all_places_are_named_at_once_but_not_without_end() -> None:
    found = refusals('{"a": 1e999, "a": 1, "b": ["\\u0000"]}')

    assert found == [("/a", "duplicate_key"), ("/b/0", "forbidden_character")]
    assert len(refusals("[" + ",".join(["1e999"] * 1000) + "]")) == 20


@pytest.mark.parametrize(
    "raw",
    [
        b'"' + b'\\"' * 500_000,
        b'"' + b"\\" * 999_999,
        b"[" * 1_000_000,
        b"[" + b'"a",' * 250_000 + b"[" * 40,
        b'{"a":1,' * 30 + b'"' * 900_000,
        b"1" * 1_000_000,
    ],
)
def test_a_hostile_megabyte_is_refused_in_linear_time(raw: bytes) -> None:
    started = time.process_time()

    with pytest.raises((MalformedJsonError, InvalidError)):
        loads(raw)

    # Linear reading takes some milliseconds, quadratic minutes.
    assert time.process_time() - started < 5
