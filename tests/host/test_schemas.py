"""What fields accept, refuse and say; what the documents learn from them."""

import enum
from datetime import UTC, date, datetime
from decimal import Decimal as Exact
from typing import Any

import pytest
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from marshmallow import ValidationError

from torg.money import MAX_MINOR, Money
from torg.schemas import (
    Boolean,
    Date,
    Decimal,
    Email,
    Enum,
    Id,
    Integer,
    List,
    Message,
    MoneyField,
    Nested,
    QuerySchema,
    Schema,
    Slug,
    Text,
    Timestamp,
    Url,
    openapi_properties,
)


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Inner(Schema):
    name = Text(maximum=10, required=True)


def refused(field: Any, value: Any, base: type[Schema] = Schema) -> list[tuple[str, str]]:
    """Pointers below the field and codes of the messages."""
    schema = base.from_dict({"field": field})()
    with pytest.raises(ValidationError) as refusal:
        schema.load({"field": value})
    return list(places(refusal.value.normalized_messages()["field"], ""))


def places(messages: Any, pointer: str) -> Any:
    if isinstance(messages, dict):
        for key, inner in messages.items():
            yield from places(inner, f"{pointer}/{key}")
    else:
        for message in messages:
            assert isinstance(message, Message)
            yield pointer, message.code


def loaded(field: Any, value: Any, base: type[Schema] = Schema) -> Any:
    return base.from_dict({"field": field})().load({"field": value})["field"]


ODD: list[Any] = [None, True, 1, 1.9, 1.0, "", "1", "x", [], {}, [1], {"a": 1}, 1e300]


@pytest.mark.parametrize("value", [True, 1.0, 1.9, "1", "1_000", "", [], {}, float("inf")])
def test_only_a_whole_number_is_an_integer(value: Any) -> None:
    assert refused(Integer(), value) == [("", "not_an_integer")]


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 10**40])
def test_an_integer_fits_a_bigint(value: int) -> None:
    assert refused(Integer(), value) == [("", "out_of_range")]
    assert refused(Id(), 0) == [("", "out_of_range")]


@pytest.mark.parametrize(
    "text", ["1_000", "１", "١", " 1", "1 ", "+1", "1.0", "1e3", "0x1", "", "٣"]
)
def test_in_a_query_only_ascii_digits_are_an_integer(text: str) -> None:
    assert refused(Integer(), text, QuerySchema) == [("", "not_an_integer")]


@given(st.integers(-(2**63), 2**63 - 1))
def test_in_a_query_every_integer_is_read(number: int) -> None:
    assert loaded(Integer(), str(number), QuerySchema) == number
    assert loaded(List(Integer(), maximum=3), [str(number)], QuerySchema) == [number]


@pytest.mark.parametrize("value", ["true", 1, 0, "yes", None, [], "t"])
def test_only_true_and_false_are_booleans(value: Any) -> None:
    assert refused(Boolean(), value) in ([("", "not_a_boolean")], [("", "null")])


def test_in_a_query_the_words_true_and_false_are_booleans() -> None:
    assert loaded(Boolean(), "true", QuerySchema) is True
    assert loaded(Boolean(), "false", QuerySchema) is False
    assert refused(Boolean(), "1", QuerySchema) == [("", "not_a_boolean")]


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        (Text(maximum=3), "abcd", "too_long"),
        (Text(maximum=3), "", "too_short"),
        (Text(maximum=3, strip=True), "  ", "too_short"),
        (Text(maximum=3, minimum=2), "a", "too_short"),
        (Text(maximum=9), "a\x00b", "forbidden_character"),
        (Text(maximum=9, multiline=True), "a\x00b", "forbidden_character"),
        (Text(maximum=9, control_characters=True), "a\x00b", "forbidden_character"),
        (Text(maximum=9, control_characters=True), "a\ud800", "forbidden_character"),
        (Text(maximum=9), "a\ud800b", "forbidden_character"),
        (Text(maximum=9), "a\nb", "forbidden_character"),
        (Text(maximum=9), "a\x85b", "forbidden_character"),
        (Text(maximum=9, multiline=True), "a\x0bb", "forbidden_character"),
        (Text(maximum=9, pattern="[a-z]+", example="a"), "ab1", "wrong_format"),
        (Text(maximum=9, pattern="[a-z]+", example="a"), "ab\n", "forbidden_character"),
        (Text(maximum=9), 5, "not_text"),
        (Text(maximum=9), ["a"], "not_text"),
        (Slug(), "Not-a-slug", "wrong_format"),
        (Slug(), "two--hyphens", "wrong_format"),
        (Email(), "no-at.example", "wrong_format"),
        (Email(), "a@b", "wrong_format"),
        (Email(), "a@b@c.de", "wrong_format"),
        (Email(), "a b@c.de", "wrong_format"),
        (Email(), "a" * 65 + "@c.de", "wrong_format"),
        (Email(), "a" * 300 + "@c.de", "too_long"),
        (Url(), "javascript:alert(1)", "wrong_format"),
        (Url(), "ftp://example.com/", "wrong_format"),
        (Url(), "//example.com/page", "wrong_format"),
        (Url(), "https://exa mple.com", "wrong_format"),
        (Url(), "https:///path-only", "not_an_address"),
        (Url(), "https://user:word@example.com", "not_an_address"),
        (Url(), "https://example.com:99999/", "not_an_address"),
        (Url(), "https://[::1/", "not_an_address"),
    ],
)
def test_a_text_out_of_bounds_is_refused(field: Any, value: Any, code: str) -> None:
    assert refused(field, value) == [("", code)]


def test_texts_that_are_fine_are_kept_as_they_are() -> None:
    assert loaded(Text(maximum=9), " ab ") == " ab "
    assert loaded(Text(maximum=9, strip=True), " ab ") == "ab"
    assert loaded(Text(maximum=9, multiline=True), "a\r\n\tb") == "a\r\n\tb"
    assert loaded(Text(maximum=9, minimum=0), "") == ""
    assert loaded(Text(maximum=2), "😀😀") == "😀😀"
    assert loaded(Email(), "имя@пример.рф") == "имя@пример.рф"
    assert loaded(Url(), "https://[::1]:8000/a?b=c#d") == "https://[::1]:8000/a?b=c#d"


@pytest.mark.parametrize("value", [1, 1.5, "1e3", "NaN", "1.234", "01", "+1", "", "1.", " 1", "１"])
def test_only_plain_digits_are_a_decimal(value: Any) -> None:
    field = Decimal(places=2, minimum=0, maximum=999)

    assert refused(field, value) == [("", "not_a_decimal")]


def test_a_decimal_has_bounds_and_stays_exact() -> None:
    field = Decimal(places=2, minimum=-5, maximum=500)

    assert refused(field, "500.01") == [("", "out_of_range")]
    assert loaded(field, "-0.10") == Exact("-0.10")
    assert Schema.from_dict({"n": field})().dump({"n": Exact("1E+2")}) == {"n": "100"}


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("2026-01-31T12:00:00", "offset_missing"),
        ("0001-01-01T00:00:00+14:00", "moment_out_of_range"),
        ("yesterday", "not_a_moment"),
        (1700000000, "not_a_moment"),
    ],
)
def test_a_moment_is_aware_and_storable(value: Any, code: str) -> None:
    assert refused(Timestamp(), value) == [("", code)]


@pytest.mark.parametrize("value", ["20260131", "2026-02-30", "0001-01-01", 5, "2026-W05-6"])
def test_a_date_is_a_plain_day_within_storable_years(value: Any) -> None:
    assert refused(Date(), value)[0][1] in ("not_a_date", "date_out_of_range")
    assert loaded(Date(), "2026-01-31") == date(2026, 1, 31)


def test_a_choice_is_one_of_the_words() -> None:
    assert loaded(Enum(["open", "closed"]), "open") == "open"
    assert loaded(Enum(Colour), "red") is Colour.RED
    for value in ("Open", ["open"], {"open": 1}, 1):
        assert refused(Enum(["open", "closed"]), value) == [("", "not_allowed")]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("19.99", [("", "not_money")]),
        (19.99, [("", "not_money")]),
        ({"amount": "1.00"}, [("/currency", "required")]),
        ({"amount": 1, "currency": "EUR"}, [("/amount", "not_text")]),
        ({"amount": "1.00", "currency": ["EUR"]}, [("/currency", "not_text")]),
        ({"amount": "1.0", "currency": "EUR"}, [("/amount", "malformed_amount")]),
        ({"amount": "1.00", "currency": "XXX"}, [("/currency", "unknown_currency")]),
        ({"amount": "9" * 30 + ".00", "currency": "EUR"}, [("/amount", "amount_out_of_range")]),
        ({"amount": "-1.00", "currency": "EUR"}, [("/amount", "amount_too_small")]),
        ({"amount": "1.00", "currency": "EUR", "tip": 1}, [("/tip", "unknown")]),
    ],
)
def test_money_is_refused_at_the_wrong_place(value: Any, expected: Any) -> None:
    assert refused(MoneyField(), value) == expected


def test_money_is_bounded_by_amount_and_currency() -> None:
    field = MoneyField(minimum_minor=1, maximum_minor=100_00, currencies=["EUR", "USD"])

    assert loaded(field, {"amount": "100.00", "currency": "USD"}) == Money(10000, "USD")
    assert loaded(MoneyField(signed=True), {"amount": "-1", "currency": "JPY"}) == Money(-1, "JPY")
    for amount, currency, expected in (
        ("0.00", "EUR", ("/amount", "amount_too_small")),
        ("100.01", "EUR", ("/amount", "amount_too_large")),
        ("1.00", "GBP", ("/currency", "currency_not_accepted")),
    ):
        assert refused(field, {"amount": amount, "currency": currency}) == [expected]


def test_a_list_is_bounded_before_its_items_are_looked_at() -> None:
    field = List(Integer(), maximum=2, minimum=1, unique=True)

    assert loaded(field, [1, 2]) == [1, 2]
    assert refused(field, ["x"] * 500_000) == [("", "too_many")]
    assert refused(field, []) == [("", "too_few")]
    assert refused(field, [1, 1]) == [("", "repeated")]
    assert refused(field, {"0": 1}) == [("", "not_a_list")]
    assert refused(field, [1, "x"]) == [("/1", "not_an_integer")]
    assert refused(List(Nested(Inner), maximum=2), [{}]) == [("/0/name", "required")]


def test_an_unbounded_list_of_objects_cannot_be_declared() -> None:
    with pytest.raises(ValueError, match="List"):
        Nested(Inner, many=True)


def test_names_that_are_not_declared_are_refused() -> None:
    with pytest.raises(ValidationError) as refusal:
        Inner().load({"name": "x", "is_admin": True})

    assert refusal.value.normalized_messages()["is_admin"][0].code == "unknown"


def test_a_message_carries_what_a_translation_needs() -> None:
    message = Message("too_long", "At most {maximum}.", maximum=3)

    assert message == "At most 3."
    assert (message.template, message.facts) == ("At most {maximum}.", {"maximum": 3})


FIELDS: dict[str, Any] = {
    "id": Id(required=True),
    "integer": Integer(minimum=-5, maximum=-2),
    "flag": Boolean(),
    "text": Text(maximum=30, minimum=7, description="A text."),
    "stripped": Text(maximum=30, strip=True, allow_none=True),
    "slug": Slug(),
    "email": Email(),
    "url": Url(),
    "ratio": Decimal(places=3, minimum=0, maximum=1, allow_none=True),
    "at": Timestamp(allow_none=True),
    "day": Date(),
    "status": Enum(["open", "closed"], allow_none=True),
    "colour": Enum(Colour),
    "price": MoneyField(),
    "delta": MoneyField(signed=True, allow_none=True),
    "fee": MoneyField(minimum_minor=1, maximum_minor=50, currencies=["JPY"]),
    "numbers": List(Integer(), maximum=3, minimum=2),
    "inner": Nested(Inner),
}
Everything = Schema.from_dict(FIELDS, name="Everything")


def document() -> dict[str, Any]:
    plugin = MarshmallowPlugin()
    spec = APISpec("t", "1", openapi_version="3.1.0", plugins=[plugin])
    plugin.converter.add_attribute_function(openapi_properties)
    spec.components.schema("Everything", schema=Everything)
    return dict(spec.to_dict()["components"]["schemas"])


def test_the_documents_state_types_bounds_and_formats() -> None:
    found = document()["Everything"]["properties"]

    assert found["id"] == {
        "type": "integer", "format": "int64", "minimum": 1, "maximum": 2**63 - 1, "example": 1,
    }  # fmt: skip
    assert found["text"]["maxLength"] == 30
    assert found["at"]["type"] == ["string", "null"]
    assert found["at"]["format"] == "date-time"
    assert found["ratio"]["type"] == ["string", "null"]
    assert found["status"]["enum"] == ["open", "closed", None]
    assert found["numbers"]["maxItems"] == 3
    assert found["price"]["type"] == "object"
    assert found["price"]["properties"]["amount"]["type"] == "string"
    assert found["price"]["properties"]["currency"]["pattern"] == "^[A-Z]{3}$"
    assert found["delta"]["type"] == ["object", "null"]


def test_every_field_has_an_example_that_its_schema_and_the_field_accept() -> None:
    for name, described in document()["Everything"]["properties"].items():
        if name == "inner":
            continue
        Draft202012Validator(described).validate(described["example"])
        loaded(FIELDS[name], described["example"])


@given(st.data())
def test_a_text_is_accepted_exactly_when_its_documented_schema_accepts_it(data: Any) -> None:
    field = data.draw(
        st.sampled_from(
            [
                Text(maximum=4),
                Text(maximum=4, minimum=0, multiline=True),
                Text(maximum=4, control_characters=True),
            ]
        )
    )
    text = data.draw(st.text(st.sampled_from("ab \n\t\x00\x01\x7f\x85é"), max_size=6))
    validator = Draft202012Validator({"type": "string", **field.openapi()})
    try:
        accepted = loaded(field, text) == text
    except ValidationError:
        accepted = False
    # Python's `$` also matches before a line break at the end, which ECMA 262's does not.
    documented = validator.is_valid(text) and not (
        text.endswith("\n") and field._has_forbidden("\n") is not None
    )

    assert accepted == documented


@given(
    st.sampled_from([f for f in FIELDS.values() if not isinstance(f, Nested)]),
    st.sampled_from(ODD)
    | st.text(max_size=20)
    | st.floats()
    | st.integers()
    | st.binary(max_size=3),
)
def test_no_value_makes_a_field_crash(field: Any, value: Any) -> None:
    try:
        loaded(field, value)
    except ValidationError as refusal:
        assert list(places(refusal.normalized_messages()["field"], ""))  # noqa: PT017


def test_money_and_moments_are_loaded_ready_for_use() -> None:
    schema = Schema.from_dict({"price": MoneyField(), "at": Timestamp()})()
    body = {"price": {"amount": "19.99", "currency": "EUR"}, "at": "2026-01-31T15:00:00+03:00"}

    values = schema.load(body)

    assert values == {"price": Money(1999, "EUR"), "at": datetime(2026, 1, 31, 12, tzinfo=UTC)}
    assert schema.dump(values) == {**body, "at": "2026-01-31T12:00:00Z"}
    assert MAX_MINOR == 2**63 - 1
