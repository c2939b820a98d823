"""Prepared statements give what SQLAlchemy gives, in the same unit of work, and outlive changes."""

from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import psycopg2
import pytest
from sqlalchemy import ARRAY, BigInteger, bindparam, func, literal, select, text
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DataError

from torg import db, prepared
from torg.db import session
from torg.identity import IdentityRow, create_identity
from torg.prepared import NotPreparableError, Prepared, widened

COUNT = Prepared(text("SELECT count(*) FROM torg_identity"), "count")
ECHO = Prepared(
    text("SELECT :moment AS moment, '100%(a)s' AS share, :moment AS again"), "m", "s", "a"
)


@pytest.fixture
def app(make_app: Any) -> Any:
    return make_app([])


@pytest.mark.parametrize("mode", ["read", "statement", "write"])
def test_rows_are_those_of_the_ordinary_way(app: Any, mode: Any) -> None:
    plain = select(IdentityRow.id, IdentityRow.is_active, IdentityRow.created_at).where(
        IdentityRow.id == func.any(bindparam("ids", type_=ARRAY(BigInteger)))
    )
    with db.unit_of_work(app=app):
        ids = [create_identity() for _ in range(3)]

    with db.unit_of_work(mode, app):
        expected = session.execute(plain, {"ids": ids[1:]}).all()
        found = Prepared(plain).rows({"ids": ids[1:]})

    assert found == [tuple(row) for row in expected]
    assert [row._asdict() for row in found] == [dict(row._mapping) for row in expected]
    assert [row.id for row in found] == ids[1:]


def test_values_of_the_statement_itself_are_kept(app: Any) -> None:
    with db.unit_of_work("read", app):
        assert Prepared(select(literal(5).label("five"), literal("%s").label("text"))).rows() == [
            (5, "%s")
        ]
        assert ECHO.rows({"moment": "now"}) == [("now", "100%(a)s", "now")]


def test_json_is_decoded(app: Any) -> None:
    value = sql_cast(text("""'{"a": [1, null]}'"""), JSONB).label("value")
    with db.unit_of_work("read", app):
        assert Prepared(select(value)).scalar() == {"a": [1, None]}


def test_without_rows_there_is_no_scalar(app: Any) -> None:
    with db.unit_of_work("read", app):
        assert Prepared(text("SELECT 1 WHERE false"), "one").scalar() is None


def test_a_statement_whose_text_depends_on_its_values_is_refused() -> None:
    with pytest.raises(NotPreparableError):
        _ = Prepared(select(IdentityRow.id).where(IdentityRow.id.in_([1, 2]))).written


def test_an_entity_and_a_name_twice_are_refused() -> None:
    with pytest.raises(NotPreparableError):
        _ = Prepared(select(IdentityRow)).written
    with pytest.raises(NotPreparableError):
        _ = Prepared(text("SELECT 1, 2"), "one", "one").written


class TestUnitOfWork:
    def test_a_transaction_sees_its_own_writes_and_takes_them_back(self, app: Any) -> None:
        with pytest.raises(RuntimeError), db.unit_of_work(app=app):
            create_identity()
            assert COUNT.scalar() == 1
            raise RuntimeError

        with db.unit_of_work("read", app):
            assert COUNT.scalar() == 0

    def test_a_write_after_it_is_still_in_a_transaction(self, app: Any) -> None:
        with db.unit_of_work("read", app):
            COUNT.scalar()

        with pytest.raises(RuntimeError), db.unit_of_work(app=app):
            COUNT.scalar()
            create_identity()
            raise RuntimeError

        with db.unit_of_work("read", app):
            assert COUNT.scalar() == 0

    def test_a_read_asks_on_one_connection_and_gives_it_back_at_its_end(self, app: Any) -> None:
        with app.app_context():
            pool = db.db.engine.pool
        with db.unit_of_work("read", app):
            assert pool.checkedout() == 0
            COUNT.scalar()
            COUNT.scalar()
            assert pool.checkedout() == 1
        assert pool.checkedout() == 0

    def test_what_is_read_after_the_end_holds_no_connection_for_longer(self, app: Any) -> None:
        with db.unit_of_work("read", app):
            pool = db.db.engine.pool
            COUNT.scalar()
        with app.app_context():
            db.begin("read")
            COUNT.scalar()
        assert pool.checkedout() == 0

    def test_a_read_that_fails_gives_its_connection_back_too(self, app: Any) -> None:
        with app.app_context():
            pool = db.db.engine.pool
        with pytest.raises(LookupError), db.unit_of_work("read", app):
            COUNT.scalar()
            raise LookupError
        assert pool.checkedout() == 0

    def test_it_is_counted_like_every_statement(self, app: Any, count_queries: Any) -> None:
        with db.unit_of_work("read", app), count_queries() as count:
            numbers = db.start_statistics()
            COUNT.scalar()

        assert (count.total, numbers.statements) == (1, 1)


class TestErrors:
    def test_are_those_of_sqlalchemy(self, app: Any) -> None:
        with pytest.raises(DataError), db.unit_of_work("read", app):
            Prepared(text("SELECT 1 / (:number)::int"), "one").rows({"number": 0})

    def test_a_changed_table_repeats_the_unit_of_work(self, app: Any) -> None:
        everything = Prepared(text("SELECT * FROM torg_changing"), "one")
        with db.unit_of_work(app=app):
            session.execute(text("CREATE TABLE torg_changing (one int)"))
            session.execute(text("INSERT INTO torg_changing VALUES (1)"))
        with db.unit_of_work("read", app):
            everything.rows()
        with db.unit_of_work(app=app):
            session.execute(text("ALTER TABLE torg_changing ALTER one TYPE text"))

        assert db.in_transaction(everything.rows, app) == [("1",)]

    def test_a_broken_connection_is_replaced(self, app: Any) -> None:
        with db.unit_of_work("read", app):
            COUNT.scalar()
            process = db.present_unit().connection.dbapi_connection.info.backend_pid
        with psycopg2.connect(
            app.config["SQLALCHEMY_DATABASE_URI"].replace("+psycopg2", "")
        ) as own:
            own.cursor().execute("SELECT pg_terminate_backend(%s)", (process,))

        def attempt() -> Any:
            with db.unit_of_work("read", app):
                return COUNT.scalar()

        assert db.retrying(attempt) == 0

    def test_more_statements_than_a_connection_keeps_are_no_problem(
        self, app: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(prepared, "_MOST_PER_CONNECTION", 2)
        several = [Prepared(text(f"SELECT {number}"), "number") for number in range(5)]

        with db.unit_of_work("read", app):
            assert [each.scalar() for each in (*several, *several)] == [*range(5), *range(5)]


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-01-31 12:00:00.5+00", datetime(2026, 1, 31, 12, 0, 0, 500_000, UTC)),
        ("2026-01-31 12:00:00+00", datetime(2026, 1, 31, 12, 0, 0, 0, UTC)),
        ("0001-01-01 00:00:00+00", datetime(1, 1, 1, 0, 0, 0, 0, UTC)),
        ("9999-12-31 23:59:59.999999+00", datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC)),
        ("infinity", datetime.max),
        (None, None),
    ],
)
def test_moments_are_read_as_the_driver_would(app: Any, written: Any, moment: Any) -> None:
    statement = Prepared(text("SELECT (:written)::timestamptz"), "moment")
    with db.unit_of_work("read", app):
        found = statement.scalar({"written": written})

    assert found == moment or found.replace(tzinfo=None) == moment.replace(tzinfo=None)


def test_moments_of_another_zone_keep_it(app: Any) -> None:
    with db.unit_of_work(app=app):
        session.execute(text("SET LOCAL TimeZone = 'Asia/Kolkata'"))
        found = Prepared(text("SELECT '2026-01-31 12:00Z'::timestamptz"), "moment").scalar()

    assert found == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert found.tzinfo == timezone(timedelta(hours=5, minutes=30))


def test_widened_rows_have_the_further_columns_at_their_end() -> None:
    make = prepared.row_maker(("id", "owner_id"))
    rows = [make((1, 7)), make((2, 8))]

    wide = widened(rows, ("owner",), lambda row: ({7: "anna"}.get(row.owner_id),))

    assert [row._asdict() for row in wide] == [
        {"id": 1, "owner_id": 7, "owner": "anna"},
        {"id": 2, "owner_id": 8, "owner": None},
    ]
    assert widened([], ("owner",), lambda row: SimpleNamespace()) == []
