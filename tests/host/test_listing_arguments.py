"""The query parameters of a list and the checks of its declaration."""

from datetime import datetime
from typing import Any

import pytest
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from jsonschema import Draft202012Validator
from marshmallow import ValidationError
from sqlalchemy import DateTime, func
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from torg import filters
from torg.listing import Listing
from torg.schemas import Enum, Text, openapi_properties
from torg.search import search_column


class Tables(DeclarativeBase):
    pass


class Thing(Tables):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    note: Mapped[str | None]
    price_minor: Mapped[int]
    currency: Mapped[str]
    naive_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    vector: Mapped[str] = search_column("title", "note")


class Things(Listing):
    key = Thing.id
    sorts = {"title": Thing.title, "note": Thing.note, "created_at": Thing.created_at}  # noqa: RUF012
    default_sort = "-created_at"
    filters = {  # noqa: RUF012
        "currency": filters.equals(Text(maximum=3), Thing.currency),
        "price_min": filters.amount_at_least(Thing.price_minor, Thing.currency),
        "state": filters.equals(Enum(["noted", "plain"]), Thing.note),
    }
    search = Thing.vector
    embeds = ("owner", "tags")


def load(**query: str) -> dict[str, Any]:
    loaded: dict[str, Any] = Things.arguments()().load(query)
    return loaded


@pytest.mark.parametrize(
    ("query", "name", "code"),
    [
        ({"colour": "red"}, "colour", "unknown"),
        ({"limit": "0"}, "limit", "out_of_range"),
        ({"limit": "101"}, "limit", "out_of_range"),
        ({"limit": "1e1"}, "limit", "not_an_integer"),
        ({"limit": "9" * 5000}, "limit", "not_an_integer"),
        ({"sort": "colour"}, "sort", "not_allowed"),
        ({"sort": ""}, "sort", "not_allowed"),
        ({"sort": "--title"}, "sort", "not_allowed"),
        ({"sort": "title,-title"}, "sort", "repeated"),
        ({"sort": "title," * 1000}, "sort", "not_allowed"),
        ({"embed": "owner,secrets"}, "embed", "not_allowed"),
        ({"embed": "-owner"}, "embed", "not_allowed"),
        ({"include_total": "1"}, "include_total", "not_a_boolean"),
        ({"cursor": "a" * 5000}, "cursor", "too_long"),
        ({"cursor": "a b"}, "cursor", "wrong_format"),
        ({"price_min": "1e3"}, "price_min", "not_a_decimal"),
        ({"price_min": "-1"}, "price_min", "not_a_decimal"),
        ({"state": "lost"}, "state", "not_allowed"),
        ({"search": "a" * 201}, "search", "too_long"),
        ({"search": "a\x00"}, "search", "forbidden_character"),
    ],
)
def test_a_wrong_parameter_is_refused_by_name(query: dict[str, str], name: str, code: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        load(**query)

    (message,) = refusal.value.normalized_messages()[name]
    assert message.code == code


def test_a_word_that_cannot_be_sorted_by_names_those_that_can() -> None:
    with pytest.raises(ValidationError, match="title, note, created_at, id"):
        load(sort="colour")


def test_parameters_have_their_defaults() -> None:
    assert load() == {
        "limit": 50, "sort": ("-created_at",), "embed": (), "include_total": False,
    }  # fmt: skip
    assert load(embed="tags,owner")["embed"] == ("tags", "owner")


def test_every_parameter_is_documented_with_an_example_and_a_default_that_fit() -> None:
    plugin = MarshmallowPlugin()
    APISpec("t", "1", openapi_version="3.1.0", plugins=[plugin])
    plugin.converter.add_attribute_function(openapi_properties)
    schema = Things.arguments()

    described = plugin.converter.schema2parameters(schema, location="query")

    assert [each["name"] for each in described] == list(schema().fields)
    for each in described:
        Draft202012Validator(each["schema"]).validate(each["schema"]["example"])
        if "default" in each["schema"]:
            Draft202012Validator(each["schema"]).validate(each["schema"]["default"])


class TestADeclarationIsCheckedWhenItIsLoaded:
    def test_a_reserved_parameter_cannot_be_a_filter(self) -> None:
        with pytest.raises(ValueError, match="limit"):
            type("Bad", (Listing,), {"key": Thing.id, "filters": {"limit": None}})

    def test_the_default_sort_is_one_of_the_sorts(self) -> None:
        with pytest.raises(ValueError, match="colour"):
            type("Bad", (Listing,), {"key": Thing.id, "default_sort": "-colour"})

    @pytest.mark.parametrize(
        "column", [Thing.vector, func.array_agg(Thing.id), func.anything(), Thing.naive_at]
    )
    def test_a_column_whose_values_fit_no_cursor_cannot_be_sorted_by(self, column: Any) -> None:
        with pytest.raises(TypeError, match="cannot sort by odd"):
            type("Bad", (Listing,), {"key": Thing.id, "sorts": {"odd": column}})

    def test_a_search_column_is_made_of_column_names(self) -> None:
        assert isinstance(Thing.__table__.c.vector.type, TSVECTOR)
        with pytest.raises(ValueError, match="column name"):
            search_column("title); DROP TABLE thing")
