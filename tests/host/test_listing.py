"""Lists against a real PostgreSQL: every page, every sort, every filter."""

import itertools
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as Exact
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import (
    BigInteger,
    DateTime,
    Engine,
    ForeignKey,
    Numeric,
    String,
    create_engine,
    delete,
    func,
    select,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from torg import filters
from torg.cursor import InvalidCursorError
from torg.listing import Listing, NeverNull
from torg.schemas import Enum, Id, Integer, MoneyField, Schema, Text, Timestamp
from torg.search import search_column
from torg.testing import Environment

START = datetime(2026, 1, 1, tzinfo=UTC)


class Tables(DeclarativeBase):
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads this class attribute
        int: BigInteger(),
        datetime: DateTime(timezone=True),
    }


class Owner(Tables):
    __tablename__ = "owner"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20))


class Thing(Tables):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(50))
    note: Mapped[str | None] = mapped_column(String(50))
    rank: Mapped[int | None]
    flag: Mapped[bool]
    weight: Mapped[Exact | None] = mapped_column(Numeric(12, 3))
    score: Mapped[float | None]
    day: Mapped[date | None]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    price_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("owner.id"))
    vector: Mapped[str] = search_column("title", "note")


class Things(Listing):
    key = Thing.id
    sorts = {  # noqa: RUF012
        "title": Thing.title,
        "note": Thing.note,
        "rank": Thing.rank,
        "flag": Thing.flag,
        "weight": Thing.weight,
        "score": Thing.score,
        "day": Thing.day,
        "created_at": Thing.created_at,
        "ended_at": Thing.ended_at,
        "owner": Owner.name,
        "lower": NeverNull(func.lower(Thing.title)),
        "length": func.length(Thing.note, type_=BigInteger),
    }
    default_sort = "-created_at"
    filters = {  # noqa: RUF012
        "currency": filters.equals(Text(maximum=3), Thing.currency),
        "title": filters.one_of(Text(maximum=50), Thing.title),
        "price_min": filters.amount_at_least(Thing.price_minor, Thing.currency),
        "price_max": filters.amount_at_most(Thing.price_minor, Thing.currency),
        "created_after": filters.above(Timestamp(), Thing.created_at),
        "created_before": filters.below(Timestamp(), Thing.created_at),
        "rank_min": filters.at_least(Integer(), Thing.rank),
        "rank_max": filters.at_most(Integer(), Thing.rank),
        "state": filters.Filter(
            Enum(["noted", "plain"]), lambda word: Thing.note.is_not(None) == (word == "noted")
        ),
    }
    search = Thing.vector
    embeds = ("owner", "tags")


STATEMENT = select(
    Thing.id, Thing.title, Thing.price_minor, Thing.currency, Thing.created_at
).outerjoin(Owner, Thing.owner_id == Owner.id)


@pytest.fixture(scope="module")
def engine(torg_environment: Environment) -> Iterator[Engine]:
    url = torg_environment.create("torg_test_listing")
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg2:"))
    Tables.metadata.create_all(engine)
    yield engine
    engine.dispose()
    torg_environment.drop("torg_test_listing")


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with Session(engine) as session:
        session.add_all([Owner(id=1, name="Anna"), Owner(id=2, name="Борис")])
        session.flush()
        yield session
        session.rollback()


_ids = itertools.count(1)


def thing(**values: Any) -> Thing:
    given = {
        "id": next(_ids), "title": "a thing", "flag": True, "created_at": START,
        "price_minor": 100, "currency": "EUR",
    }  # fmt: skip
    return Thing(**{**given, **values})


def load(**query: str) -> dict[str, Any]:
    loaded: dict[str, Any] = Things.arguments()().load(query)
    return loaded


def walk(session: Session, statement: Any = STATEMENT, **query: str) -> list[int]:
    """The ids of all pages, one after the other."""
    ids: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        page = Things.page(statement, load(**query, **cursor), session=session)
        ids += [item.id for item in page["items"]]
        if page["next_cursor"] is None:
            return ids
        assert len(page["items"]) == int(query.get("limit", 50))
        cursor = {"cursor": page["next_cursor"]}


FEW_TEXTS = st.sampled_from(["", "a", "A", "б", "it's \\ 'q' %s", "a a", "😀"])
THINGS = st.fixed_dictionaries(
    {
        "title": FEW_TEXTS,
        "note": st.none() | FEW_TEXTS,
        "rank": st.none() | st.integers(-2, 2) | st.sampled_from([2**63 - 1, -(2**63)]),
        "flag": st.booleans(),
        "weight": st.none() | st.decimals(-2, 2, places=3) | st.just(Exact("NaN")),
        "score": st.none() | st.sampled_from([0.1, -0.1, 1e300, float("inf"), float("nan")]),
        "day": st.none() | st.dates(date(2026, 1, 1), date(2026, 1, 3)),
        "created_at": st.integers(0, 3).map(lambda count: START + timedelta(microseconds=count)),
        "ended_at": st.none() | st.integers(0, 2).map(lambda days: START + timedelta(days)),
        "owner_id": st.none() | st.sampled_from([1, 2]),
    }
)
WORDS = st.lists(
    st.sampled_from([*Things.sorts, "id"]), min_size=1, max_size=4, unique=True
).flatmap(
    lambda words: st.tuples(*(st.sampled_from([word, f"-{word}"]) for word in words)).map(",".join)
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(THINGS, max_size=12), WORDS, st.integers(1, 4))
def test_walking_the_pages_shows_every_row_once_in_the_order_of_the_database(
    session: Session, rows: list[dict[str, Any]], sort: str, limit: int
) -> None:
    session.execute(delete(Thing))
    session.add_all([thing(**row) for row in rows])
    session.flush()
    columns = {**Things.sorts, "lower": func.lower(Thing.title), "id": Thing.id}
    words = sort.split(",")
    order = [
        columns[word.removeprefix("-")].desc() if word[0] == "-" else columns[word].asc()
        for word in words
    ]
    last = Thing.id.desc() if words[-1][0] == "-" else Thing.id.asc()
    expected = [row.id for row in session.execute(STATEMENT.order_by(*order, last))]

    assert walk(session, sort=sort, limit=str(limit)) == expected
    # A statement of its own for the walk takes the other way through the host.
    assert walk(session, STATEMENT.where(Thing.id > 0), sort=sort, limit=str(limit)) == expected


def test_a_page_costs_one_statement_and_the_total_one_more(
    session: Session, count_queries: Any
) -> None:
    session.add_all([thing() for _ in range(7)])
    session.flush()
    first = Things.page(STATEMENT, load(limit="3"), session=session)
    with count_queries() as count:
        page = Things.page(
            STATEMENT, load(limit="3", cursor=first["next_cursor"] or ""), session=session
        )
    assert count.total == 1
    assert len(page["items"]) == 3
    assert "total" not in page
    with count_queries() as count:
        page = Things.page(STATEMENT, load(limit="3", include_total="true"), session=session)
    assert count.total == 2
    assert page["total"] == 7
    assert "OFFSET" not in " ".join(count.statements)


def test_the_total_counts_rows_also_of_grouped_and_distinct_statements(session: Session) -> None:
    session.add_all([thing(owner_id=owner) for owner in (1, 1, 2, None)])
    session.flush()
    grouped = STATEMENT.group_by(Thing.id, Owner.name)

    for statement in (grouped, STATEMENT.distinct(), STATEMENT.where(Thing.owner_id == 1)):
        page = Things.page(statement, load(include_total="true"), session=session)
        assert page["total"] == len(page["items"])


def test_entities_come_back_as_themselves(session: Session) -> None:
    session.add_all([thing(), thing()])
    session.flush()

    page = Things.page(select(Thing), load(limit="1"), session=session)

    assert isinstance(page["items"][0], Thing)
    assert page["next_cursor"] is not None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"currency": "JPY"}, {"yen"}),
        ({"price_min": "19.99"}, {"euro", "yen", "dinar"}),
        ({"price_min": "20"}, {"yen", "dinar"}),
        ({"price_min": "19.9901"}, {"yen", "dinar"}),
        ({"price_max": "19.9899"}, {"unidad"}),
        ({"price_max": "20.5"}, {"euro", "dinar", "unidad"}),
        ({"price_min": "20.5", "price_max": "20.5"}, {"dinar"}),
        ({"price_min": "2050", "currency": "JPY"}, {"yen"}),
        ({"created_after": "2026-01-01T00:00:00Z"}, {"yen"}),
        ({"created_before": "2026-01-01T03:00:01+03:00"}, {"euro", "dinar", "unidad"}),
        ({"rank_min": "2", "rank_max": "3"}, {"yen", "dinar"}),
        ({"state": "noted"}, {"dinar"}),
    ],
)
def test_filters_choose_what_they_say(
    session: Session, query: dict[str, str], expected: set[str]
) -> None:
    session.add_all(
        [
            thing(title="euro", price_minor=1999, rank=1),
            thing(
                title="yen", price_minor=2050, currency="JPY", rank=2,
                created_at=START + timedelta(days=1),
            ),
            thing(title="dinar", price_minor=20500, currency="BHD", rank=3, note="x"),
            thing(title="unidad", price_minor=1, currency="CLF", rank=4),
        ]
    )  # fmt: skip
    session.flush()

    page = Things.page(STATEMENT, load(**query), session=session)

    assert {item.title for item in page["items"]} == expected


def test_a_repeatable_filter_takes_any_of_its_values(session: Session) -> None:
    session.add_all([thing(title="a"), thing(title="b"), thing(title="c")])
    session.flush()
    arguments = Things.arguments()().load({"title": ["a", "c"]})

    page = Things.page(STATEMENT, arguments, session=session)

    assert sorted(item.title for item in page["items"]) == ["a", "c"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("running", {"run"}),
        ("RUNS", {"run"}),
        ("картинами", {"picture"}),
        ("КАРТИНА", {"picture"}),
        ("карт", {"picture"}),
        ("autom", {"machine"}),
        ("automobiles", {"machine"}),
        ("old auto", {"machine"}),
        ("runs or картина", {"run", "picture"}),
        ('"old picture"', set()),
        ('"старая картина"', {"picture"}),
        ("old -automobile", {"run"}),
        ("the", set()),
        ("", {"run", "picture", "machine"}),
        ("!!! ' \\ & | <-> (:* )", set()),
        ("'", set()),
        ("😀", set()),
        ("a:b:c & !", set()),
        ("_", set()),
    ],
)
def test_search_finds_stems_of_both_languages_and_beginnings_of_words(
    session: Session, text: str, expected: set[str]
) -> None:
    ids = {"run": next(_ids), "picture": next(_ids), "machine": next(_ids)}
    session.add_all(
        [
            thing(id=ids["run"], title="He runs", note="an old man"),
            thing(id=ids["picture"], title="Старая Картина"),
            thing(id=ids["machine"], title="An old automobile"),
        ]
    )
    session.flush()

    page = Things.page(STATEMENT, load(search=text), session=session)

    assert {item.id for item in page["items"]} == {ids[name] for name in expected}


@pytest.mark.parametrize("word", ["восток", "ВОСТОК", "nord", "ouest", "süd", "ost"])
def test_a_word_in_quotation_marks_of_any_kind_is_found(session: Session, word: str) -> None:
    number = next(_ids)
    title = "Автосалон «Восток», “Nord”, ‹Ouest›, „Süd“ — ‘Ost’"
    session.add(thing(id=number, title=title))
    session.flush()
    page = Things.page(STATEMENT, load(search=word), session=session)
    assert [item.id for item in page["items"]] == [number]


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40))
def test_no_search_text_is_an_error(session: Session, text: str) -> None:
    page = Things.page(STATEMENT, load(search=text), session=session)
    assert session.scalar(select(func.count(Thing.id))) >= len(page["items"])


@pytest.mark.parametrize(
    "change",
    [
        {"sort": "-created_at,id"},
        {"sort": "created_at"},
        {"sort": "title"},
        {"currency": "EUR"},
        {"search": "thing"},
        {"price_min": "0.00"},
    ],
)
def test_a_cursor_is_refused_with_another_sort_or_filter(
    session: Session, change: dict[str, str]
) -> None:
    session.add_all([thing(), thing()])
    session.flush()
    cursor = Things.page(STATEMENT, load(limit="1"), session=session)["next_cursor"] or ""

    with pytest.raises(InvalidCursorError) as refusal:
        Things.page(STATEMENT, load(cursor=cursor, **change), session=session)

    assert (refusal.value.status, refusal.value.code) == (422, "invalid_cursor")
    assert refusal.value.errors[0].pointer == "?cursor"


def test_a_cursor_works_with_another_limit_and_embed(session: Session) -> None:
    session.add_all([thing() for _ in range(5)])
    session.flush()
    first = Things.page(STATEMENT, load(limit="2"), session=session)
    query = {"limit": "100", "embed": "tags", "cursor": first["next_cursor"] or ""}

    page = Things.page(STATEMENT, load(**query), session=session)

    assert len(page["items"]) == 3


def test_the_envelope_dumps_a_page(session: Session) -> None:
    class ThingItem(Schema):
        id = Id()
        title = Text(maximum=50)
        price = MoneyField(minor="price_minor")
        created_at = Timestamp()

    session.add_all([thing(id=next(_ids), title="a"), thing(title="b")])
    session.flush()
    schema = Things.envelope(ThingItem, server_time=Timestamp(required=True))()
    page = Things.page(STATEMENT, load(limit="1", include_total="true"), session=session)

    dumped = schema.dump({**page, "server_time": START})

    assert schema.__class__.__name__ == "ThingItemPage"
    assert dumped["items"][0]["price"] == {"amount": "1.00", "currency": "EUR"}
    assert dumped["items"][0].keys() == {"id", "title", "price", "created_at"}
    assert dumped["next_cursor"] == page["next_cursor"]
    assert (dumped["total"], dumped["server_time"]) == (2, "2026-01-01T00:00:00Z")
    assert "total" not in schema.dump({"items": [], "next_cursor": None})
