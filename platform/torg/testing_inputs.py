"""The test kit's corpus of hostile input: what broke other systems, one value at a time.

Owns the values and how they are put into an otherwise good request. Values are raw JSON text,
because much of what breaks a server cannot be written by a well-behaved encoder.
"""

import copy
import json
from collections.abc import Iterator
from typing import Any

# Each is 4xx for every field of every route, or was taken as the valid text that it is; a server
# error, or a list that breaks afterwards, is the defect that the corpus looks for.
_NUMBERS = (
    "NaN", "Infinity", "-Infinity", "1e1000000", "-1e1000000", "1e400", "9223372036854775807",
    "9223372036854775808", "-9223372036854775809", "18446744073709551616", "1" * 41, "9" * 5000,
    "-0", "-1", "0", "0.1", "1.9", "1e-20", "0.005", "00", "0x10", "1_000", "+1", ".5",
    "2147483648",
)  # fmt: skip
_TEXTS = (
    '""', '" "', '"\\u0000"', '"a\\u0000b"', '"\\ud800"', '"\\udfff\\ud800"', '"\\uffff"',
    '"\\u202e\\u0007"', '"' + "x" * 5000 + '"', '"' + "\\u0416" * 3000 + '"', '"\\n\\r\\t"',
    '"inf"', '"nan"', '"NaN"', '"1e5"', '"1_000"', '"\\uff11\\uff12"', '"\\u0661\\u0662"', '" 12 "',
    '"+12.00"', '"12,00"', '"19.999"', '"-1.00"', '"0.00"', '"92233720368547758.08"', '"-0.00"',
    '"' + "9" * 60 + '.00"', '"\'; DROP TABLE torg_identity; --"', '"%s%n{0}{a.b}"', '"../../x"',
    '"<script>alert(1)</script>"', '"=1+1"', '"EUR"', '"eur"', '"XXX"', '"\\u20ac"',
)  # fmt: skip
_TIMES = (
    '"2027-01-01"', '"2027-01-01T00:00:00"', '"0001-01-01T00:00:00+14:00"',
    '"0001-01-01T00:00:00Z"',
    '"9999-12-31T23:59:59-14:00"', '"10000-01-01T00:00:00Z"', '"1969-12-31T23:59:59Z"',
    '"9999-12-31T23:59:59Z"', '"2027-02-30T00:00:00Z"', '"2027-01-01T25:00:00Z"',
    '"2027-01-01T00:00:00+99:99"', '"infinity"', '"-infinity"', '"now"', '"1e9"', "1893456000",
)  # fmt: skip
_SHAPES = (
    "null", "true", "false", "[]", "{}", "[[]]", "[null]", '{"a":1}', '{"amount":1}',
    '{"amount":"NaN","currency":"EUR"}', '{"amount":"1.00","currency":null}',
    '{"amount":"1.00","currency":"EUR","extra":1}', '{"amount":1.0,"currency":"EUR"}',
    '{"amount":"1e2","currency":"EUR"}', '{"amount":"1.00","currency":"\\u0000UR"}',
    '{"amount":"99999999999999999999.00","currency":"EUR"}', '{"amount":"1.0","currency":"EUR"}',
    '{"a":1,"a":2}', "[" * 33 + "]" * 33, "[" * 10000 + "]" * 10000, '{"a":' * 40 + "1" + "}" * 40,
    "[" + ",".join(["0"] * 2000) + "]",
)  # fmt: skip

VALUES: tuple[str, ...] = _NUMBERS + _TEXTS + _TIMES + _SHAPES

BODIES: tuple[bytes, ...] = (
    b"", b" ", b"null", b"[]", b'"text"', b"1", b"{", b'{"a"}', b"{'a': 1}", b"\xff\xfe{}", b"\x00",
    b'{"a":1}{"b":2}', b'{"a":NaN}', b"[" * 100000, b'{"\xed\xa0\x80":1}', b"\xef\xbb\xbf{}",
    b'{"a":1,"a":1}', b'{"__proto__":{"x":1}}', b'{"is_active":false,"id":1}', b"{}" + b" " * 4000,
)  # fmt: skip

QUERIES: tuple[str, ...] = (
    "limit=0", "limit=-1", "limit=101", "limit=1e3", "limit=9223372036854775808", "limit=NaN",
    "limit=%00", "limit=1_0", "limit=%EF%BC%91", "cursor=x", "cursor=%00", "cursor=e30",
    "cursor=eyJ2IjpbbnVsbF19", "sort=no_such_field", "sort=-", "sort=%00",
    "sort=id;--", "unknown=1",
    "search=%00", "search=%ED%A0%80", "search=%FF",
    "search=" + "x" * 3000, "search='%22%5C:*%26!()",
    "status=nonsense", "status=", "price_min=NaN", "price_max=1e400", "created_after=yesterday",
    "created_after=0001-01-01T00:00:00%2B14:00", "include_total=maybe", "embed=nothing",
    "&&&=&=&", "%00=1", "limit=1&limit=2",
)  # fmt: skip

PATH_IDS: tuple[str, ...] = (
    "0", "-1", "9223372036854775807", "9223372036854775808", "9" * 400, "1.5", "NaN", "%00",
    "%ED%A0%80", "%FF", "1%00", "..%2f..", "%2e%2e", "1'", "null", "\u0661",
)  # fmt: skip


def bodies(example: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """The example with one value after the other replaced by each hostile one.

    Yields:
        A name for the case (pointer and the value's beginning) and the raw body.
    """
    for pointer in _pointers(example, ()):
        for value in VALUES:
            yield f"/{'/'.join(pointer)}={value[:40]}", _with(example, pointer, value)


def _pointers(value: Any, prefix: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*prefix, key)
            yield from _pointers(inner, (*prefix, key))


def _with(example: dict[str, Any], pointer: tuple[str, ...], raw: str) -> bytes:
    marker = "\u241d marker \u241d"
    changed = copy.deepcopy(example)
    target = changed
    for key in pointer[:-1]:
        target = target[key]
    target[pointer[-1]] = marker
    return json.dumps(changed).replace(json.dumps(marker), raw).encode("utf-8", "surrogatepass")
