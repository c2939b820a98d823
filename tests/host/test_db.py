"""The unit of work: all or nothing, actions only after a commit, retries as a whole."""

from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from torg import db
from torg.db import session
from torg.identity import IdentityRow, create_identity


@pytest.fixture
def app(make_app: Any) -> Any:
    return make_app([])


def count_identities() -> int:
    total: int = session.execute(select(func.count()).select_from(IdentityRow)).scalar_one()
    return total


def test_leaving_in_peace_commits(app: Any) -> None:
    with db.unit_of_work(app=app):
        create_identity()

    with db.unit_of_work("read", app):
        assert count_identities() == 1


def test_an_error_rolls_everything_back(app: Any) -> None:
    with pytest.raises(RuntimeError), db.unit_of_work(app=app):
        create_identity()
        raise RuntimeError

    with db.unit_of_work("read", app):
        assert count_identities() == 0


def test_an_inner_unit_of_work_shares_nothing_with_the_outer_one(app: Any) -> None:
    with pytest.raises(RuntimeError), db.unit_of_work(app=app):
        create_identity()
        with db.unit_of_work(app=app):
            create_identity()
        raise RuntimeError

    with db.unit_of_work("read", app):
        assert count_identities() == 1


class TestAfterCommit:
    def test_actions_run_once_after_the_commit(self, app: Any) -> None:
        seen: list[int] = []

        def look() -> None:
            with db.unit_of_work("read", app):
                seen.append(count_identities())

        with db.unit_of_work(app=app):
            create_identity()
            db.after_commit(look)
            assert seen == []

        assert seen == [1]

    def test_actions_never_run_for_a_rolled_back_change(self, app: Any) -> None:
        seen: list[str] = []

        with pytest.raises(RuntimeError), db.unit_of_work(app=app):
            db.after_commit(lambda: seen.append("ran"))
            raise RuntimeError
        with db.unit_of_work(app=app):
            create_identity()

        assert seen == []

    def test_one_that_fails_stops_neither_the_others_nor_the_commit(self, app: Any) -> None:
        seen: list[str] = []

        with db.unit_of_work(app=app):
            create_identity()
            db.after_commit(lambda: 1 / 0)
            db.after_commit(lambda: seen.append("ran"))

        assert seen == ["ran"]


class TestReading:
    def test_a_read_sends_no_begin_commit_or_rollback(self, app: Any) -> None:
        with db.unit_of_work("read", app):
            first = session.execute(text("SELECT pg_current_xact_id()::text")).scalar_one()
            second = session.execute(text("SELECT pg_current_xact_id()::text")).scalar_one()

        assert first != second, "each statement is a transaction of its own"

    def test_a_write_is_one_transaction(self, app: Any) -> None:
        with db.unit_of_work(app=app):
            first = session.execute(text("SELECT pg_current_xact_id()::text")).scalar_one()
            second = session.execute(text("SELECT pg_current_xact_id()::text")).scalar_one()

        assert first == second

    def test_a_connection_that_read_is_fit_to_write_again(self, app: Any) -> None:
        for mode in ("read", "write", "statement", "write", "read"):
            with db.unit_of_work(mode, app):
                count_identities()

        with pytest.raises(RuntimeError), db.unit_of_work(app=app):
            create_identity()
            raise RuntimeError
        with db.unit_of_work("read", app):
            assert count_identities() == 0


class TestRetries:
    def raise_as(self, code: str) -> None:
        session.execute(text(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{code}'; END $$"))

    @pytest.mark.parametrize("code", ["40001", "40P01"])
    def test_what_the_database_has_undone_is_run_again_as_a_whole(
        self, app: Any, code: str
    ) -> None:
        attempts = []

        def work() -> int:
            attempts.append(1)
            created = create_identity()
            if len(attempts) < 3:
                self.raise_as(code)
            return created

        db.in_transaction(work, app)

        assert len(attempts) == 3
        with db.unit_of_work("read", app):
            assert count_identities() == 1

    def test_a_broken_rule_is_not_tried_again(self, app: Any) -> None:
        attempts = []

        def work() -> None:
            attempts.append(1)
            self.raise_as("23505")

        with pytest.raises(IntegrityError):
            db.in_transaction(work, app)

        assert len(attempts) == 1

    def test_it_gives_up_when_the_trouble_lasts(self, app: Any) -> None:
        def attempt() -> None:
            with db.unit_of_work(app=app):
                self.raise_as("40001")

        with pytest.raises(DBAPIError):
            db.retrying(attempt, seconds=0.2)

    def test_a_lost_connection_before_the_commit_is_run_again(self, app: Any) -> None:
        attempts = []

        def work() -> None:
            attempts.append(1)
            create_identity()
            if len(attempts) == 1:
                own = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
                with db.unit_of_work("statement", app):
                    session.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": own})
                session.execute(text("SELECT 1"))

        db.in_transaction(work, app)

        assert len(attempts) == 2
        with db.unit_of_work("read", app):
            assert count_identities() == 1

    def test_a_connection_lost_during_the_commit_is_never_repeated(self, app: Any) -> None:
        attempts = []

        def work() -> None:
            attempts.append(1)
            create_identity()
            own = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
            with db.unit_of_work("statement", app):
                session.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": own})

        with pytest.raises(db.CommitUnknownError):
            db.in_transaction(work, app)

        assert len(attempts) == 1


def test_the_time_is_the_databases_and_moves_within_a_transaction(app: Any) -> None:
    with db.unit_of_work(app=app):
        first = db.database_now()
        session.execute(text("SELECT pg_sleep(0.01)"))
        second = db.database_now()

    assert first < second
    assert first.utcoffset() is not None
    assert IdentityRow.__tablename__ == "torg_identity"
