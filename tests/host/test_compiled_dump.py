"""The compiled dump gives what marshmallow's own dump gives, field by field."""

import enum
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, timedelta, timezone
from decimal import Decimal as Exact
from types import MappingProxyType, SimpleNamespace
from typing import Any

import marshmallow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import fields
from sqlalchemy.engine import result_tuple

from torg.clock import EARLIEST, LATEST
from torg.money import MAX_MINOR, Money, currencies
from torg.schemas import (
    Boolean,
    Date,
    Decimal,
    Enum,
    Id,
    Integer,
    List,
    MoneyField,
    Nested,
    Schema,
    Text,
    Timestamp,
)


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Inner(Schema):
    name = Text(maximum=10)
    at = Timestamp()


class Thing(Schema):
    id = Id()
    title = Text(maximum=80, data_key="public-title")
    renamed = Integer(attribute="number")
    flag = Boolean()
    ratio = Decimal(places=3, minimum=0, maximum=1)
    at = Timestamp()
    day = Date()
    status = Enum(["open", "closed"])
    colour = Enum(Colour)
    price = MoneyField(minor="price_minor")
    balance = MoneyField(signed=True)
    numbers = List(Integer(), maximum=5)
    moments = List(Timestamp(), maximum=5)
    inner = Nested(Inner)
    inners = List(Nested(Inner), maximum=5)
    anything = fields.Raw()
    uuid = fields.UUID()


MOMENTS = st.datetimes(
    EARLIEST.replace(tzinfo=None, year=1971), LATEST.replace(tzinfo=None, year=9997)
).flatmap(
    lambda moment: st.sampled_from(
        [moment.replace(tzinfo=zone) for zone in (UTC, timezone(timedelta(hours=-5, minutes=-30)))]
    )
)
INNERS = st.fixed_dictionaries({"name": st.text(max_size=5), "at": MOMENTS | st.none()})
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "id": st.integers(1, 2**63 - 1),
    "title": st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
    "number": st.integers(-5, 5),
    "flag": st.booleans() | st.none(),
    "ratio": st.decimals(0, 1, places=3) | st.none(),
    "at": MOMENTS,
    "day": st.dates() | st.none(),
    "status": st.sampled_from(["open", "closed"]),
    "colour": st.sampled_from(Colour) | st.none(),
    "price_minor": st.integers(0, MAX_MINOR) | st.none(),
    "currency": st.sampled_from(sorted(currencies())),
    "balance": st.builds(Money, st.integers(-MAX_MINOR, MAX_MINOR), st.just("BHD")) | st.none(),
    "numbers": st.lists(st.integers(0, 9), max_size=3) | st.none(),
    "moments": st.lists(MOMENTS, max_size=2),
    "inner": INNERS.map(lambda inner: SimpleNamespace(**inner)) | st.none(),
    "inners": st.lists(INNERS, max_size=2) | st.none(),
    "anything": st.none() | st.dictionaries(st.text(max_size=2), st.integers(0, 9), max_size=2),
    "uuid": st.uuids() | st.none(),
}
COMPLETE = st.fixed_dictionaries(VALUES)
PARTIAL = st.fixed_dictionaries({}, optional=VALUES)
ROW = result_tuple(list(VALUES))
ROW_REVERSED = result_tuple(list(reversed(VALUES)))
FEWER = settings(max_examples=40)


def row(values: dict[str, Any]) -> Any:
    return ROW([values[name] for name in VALUES])


SHAPES: list[Callable[[dict[str, Any]], Any]] = [
    lambda values: SimpleNamespace(**values),
    dict,
    MappingProxyType,
]


def ordinary(schema: Schema, obj: Any, *, many: bool = False) -> Any:
    return marshmallow.Schema.dump(schema, obj, many=many)


@FEWER
@given(st.lists(COMPLETE, max_size=4), st.sampled_from(SHAPES))
def test_objects_and_mappings_are_dumped_as_marshmallow_does(
    items: list[dict[str, Any]], shape: Callable[[dict[str, Any]], Any]
) -> None:
    objects = [shape(values) for values in items]
    schema = Thing()

    assert schema.dump(objects, many=True) == ordinary(schema, objects, many=True)
    for item in objects:
        assert schema.dump(item) == ordinary(schema, item)


@FEWER
@given(st.lists(COMPLETE, min_size=1, max_size=4))
def test_rows_of_a_query_are_dumped_as_marshmallow_does(items: list[dict[str, Any]]) -> None:
    rows = [row(values) for values in items]
    schema = Thing(many=True)

    assert schema.dump(rows) == ordinary(schema, rows, many=True)


@FEWER
@given(COMPLETE, COMPLETE)
def test_rows_of_two_queries_with_other_columns_are_never_mixed_up(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    turned = ROW_REVERSED([second[name] for name in reversed(VALUES)])
    rows = [row(first), turned, SimpleNamespace(**first), dict(second)]
    schema = Thing()

    assert schema.dump(rows, many=True) == ordinary(schema, rows, many=True)


@FEWER
@given(st.lists(PARTIAL, min_size=1, max_size=3), st.sampled_from(SHAPES))
def test_what_is_missing_is_left_out_as_marshmallow_does(
    items: list[dict[str, Any]], shape: Callable[[dict[str, Any]], Any]
) -> None:
    objects = [shape(values) for values in items]
    schema = Thing()

    assert schema.dump(objects, many=True) == ordinary(schema, objects, many=True)


@FEWER
@given(st.lists(COMPLETE, max_size=3), st.sampled_from([*SHAPES, row]))
def test_the_bytes_are_those_of_the_dump(
    items: list[dict[str, Any]], shape: Callable[[dict[str, Any]], Any]
) -> None:
    objects = [shape(values) for values in items]
    schema = Thing(many=True, exclude=("uuid",))

    assert json.loads(schema.dump_bytes(objects)) == schema.dump(objects)
    assert json.loads(schema.dumps(objects)) == schema.dump(objects)


@FEWER
@given(COMPLETE)
def test_only_and_exclude_reach_into_nested_schemas(values: dict[str, Any]) -> None:
    item = SimpleNamespace(**values)
    for schema in (
        Thing(only=("id", "inner.name", "inners.at")),
        Thing(exclude=("inner.at", "inners.name", "price")),
        Thing(only=("id", "inner")),
        Thing(),
    ):
        assert schema.dump(item) == ordinary(schema, item)


def test_a_nested_instance_with_an_only_of_its_own_keeps_to_it() -> None:
    instance = Inner()
    instance.dump({"name": "a", "at": None})
    outer = Schema.from_dict({"inner": Nested(instance, only=("name",))})()

    assert outer.dump({"inner": {"name": "a", "at": None}}) == {"inner": {"name": "a"}}


def test_a_schema_may_hold_itself() -> None:
    class Branch(Schema):
        name = Text(maximum=9)
        children = List(Nested(lambda: Branch()), maximum=9)

    tree = {"name": "a", "children": [{"name": "b", "children": []}]}

    assert Branch().dump(tree) == tree


def test_hooks_and_computed_fields_are_obeyed() -> None:
    class Louder(Schema):
        name = Text(maximum=9)
        length = fields.Function(lambda item: len(item["name"]))

        @marshmallow.post_dump
        def shout(self, data: dict[str, Any], **_keywords: Any) -> dict[str, Any]:
            return {**data, "name": data["name"].upper()}

    class Outer(Schema):
        inner = Nested(Louder)
        inners = List(Nested(Louder), maximum=9)

    class Doubled(Integer):
        def _serialize(self, value: Any, attr: Any, obj: Any, **_keywords: Any) -> Any:
            return value * 2

    schema = Schema.from_dict({"n": Doubled(), "m": List(Doubled(), maximum=2)})(many=True)
    loud = {"name": "AB", "length": 2}

    assert Outer().dump({"inner": {"name": "ab"}, "inners": [{"name": "ab"}]}) == {
        "inner": loud,
        "inners": [loud],
    }
    assert schema.dump([{"n": 2, "m": [3]}]) == [{"n": 4, "m": [6]}]
    assert Louder().dump_bytes({"name": "ab"}) == b'{"name":"AB","length":2}'


def test_a_schema_that_changes_its_fields_when_bound_shares_no_code() -> None:
    class Bound(Schema):
        price = MoneyField(minor="price_minor")
        suffix = ""

        def on_bind_field(self, field_name: str, field_obj: Any) -> None:
            field_obj.minor += type(self).suffix

    item = {"price_minor": 100, "price_minor_b": 200, "currency": "EUR"}
    first = Bound()
    assert first.dump(item)["price"]["amount"] == "1.00"
    Bound.suffix = "_b"
    assert Bound().dump(item)["price"]["amount"] == "2.00"
    assert first.dump(item)["price"]["amount"] == "1.00"


def test_defaults_fill_what_is_missing() -> None:
    schema = Schema.from_dict(
        {
            "a": Decimal(places=2, minimum=0, maximum=9, dump_default=Exact("1.50")),
            "b": List(Integer(), maximum=2, dump_default=list),
        }
    )()

    assert schema.dump({}) == ordinary(schema, {}) == {"a": "1.50", "b": []}


def test_generators_and_nothing_are_dumped_too() -> None:
    assert Inner(many=True).dump(iter([{"name": "a"}])) == [{"name": "a"}]
    assert Inner(many=True).dump([]) == []
    assert Inner().dump(None) == ordinary(Inner(), None)


def test_an_error_while_dumping_is_not_hidden() -> None:
    @dataclass
    class Naive:
        at: str

    with pytest.raises(AttributeError):
        Schema.from_dict({"at": Timestamp()})().dump(Naive(at="yesterday"))


def test_odd_names_are_dumped_without_compiling() -> None:
    schema = Schema.from_dict({"a": Integer(attribute="x.y"), "b": Integer(attribute="class")})()

    assert schema.dump({"x": {"y": 1}, "class": 2}) == {"a": 1, "b": 2}


def test_a_key_cannot_break_out_of_the_code() -> None:
    key = 'it\'s "quoted"\n{}'
    schema = Schema.from_dict({"a": Integer(data_key=key)})()

    assert schema.dump({"a": 1}) == {key: 1}


def test_values_that_come_ready_are_dumped_as_they_are() -> None:
    class Ready(Schema):
        comes_ready = True
        name = Text(maximum=10)

    inner = {"name": "a"}
    outer = Schema.from_dict({"one": Nested(Ready), "many": List(Nested(Ready), maximum=3)})()
    dumped = outer.dump({"one": inner, "many": [inner, inner]})

    assert dumped == {"one": inner, "many": [inner, inner]}
    assert dumped["one"] is inner
    assert outer.dump({"one": None, "many": []}) == {"one": None, "many": []}
