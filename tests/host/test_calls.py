"""The unit of work around a request: what commits, what rolls back, what is run again."""

import psycopg2
import pytest
from sqlalchemy import text

from torg import db, http, identity
from torg.blueprint import Blueprint
from torg.errors import ConflictError
from torg.schemas import Schema, Text


class Note(Schema):
    title = Text(maximum=40, required=True)


class SoldOutError(ConflictError):
    """Nothing is left."""

    code = "sold_out"
    title = "Sold out"
    detail = "Nothing is left of {what}."


def run(statement, **facts):
    return db.session.execute(text(statement), facts)


SERIALISATION = "DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$"
END_OWN_CONNECTION = "SELECT pg_terminate_backend(pg_backend_pid())"


class Desk:
    """A blueprint whose views do what a test puts into `work`."""

    def __init__(self):
        self.calls = 0
        self.work = lambda: None
        self.blueprint = desk = Blueprint("desk")

        def serve():
            self.calls += 1
            result = self.work()
            return {"calls": self.calls, "result": result}

        @desk.route("/", methods=["POST"])
        @desk.public
        @desk.response(201)
        def write():
            """Write."""
            return serve()

        @desk.route("/")
        @desk.public
        @desk.response(200)
        def read():
            """Read."""
            return serve()

        @desk.route("/single", methods=["POST"])
        @desk.public
        @desk.idempotent
        @desk.transaction("statement")
        @desk.response(201)
        def write_in_one_statement():
            """Write in one statement."""
            return serve()

        @desk.route("/mine", methods=["POST"])
        @desk.requires()
        @desk.transaction("statement")
        @desk.response(201)
        def write_mine():
            """Write in one statement, signed in."""
            return serve()


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def app(make_api, desk, api_database):
    _execute(
        api_database,
        "CREATE TABLE note (title text,"
        " CONSTRAINT one_title UNIQUE (title) DEFERRABLE INITIALLY DEFERRED)",
    )
    yield make_api(desk.blueprint)
    _execute(api_database, "DROP TABLE note")


def _execute(url, statement):
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def titles(app):
    def read():
        with db.unit_of_work("read", app) as session:
            return sorted(session.execute(text("SELECT title FROM note")).scalars())

    return read


def add(title):
    run("INSERT INTO note VALUES (:title)", title=title)


def test_an_answer_commits(client, desk, titles):
    desk.work = lambda: add("a")
    assert client.post("/api/v1/desk").status_code == 201
    assert titles() == ["a"]


def test_a_refusal_rolls_back(client, desk, titles):
    def work():
        add("a")
        raise SoldOutError(what="vases")

    desk.work = work
    answer = client.post("/api/v1/desk")
    assert (answer.status_code, answer.json["code"]) == (409, "sold_out")
    assert answer.json["detail"] == "Nothing is left of vases."
    assert titles() == []


def test_a_failure_rolls_back_and_says_nothing_of_itself(client, desk, titles):
    def work():
        add("a")
        raise KeyError("the secret name")

    desk.work = work
    answer = client.post("/api/v1/desk")
    assert (answer.status_code, answer.json["code"]) == (500, "internal_error")
    assert b"secret" not in answer.data
    assert titles() == []


def test_a_violation_at_commit_is_a_conflict_that_names_no_constraint(client, desk, titles):
    desk.work = lambda: add("a") or add("a")
    answer = client.post("/api/v1/desk")
    assert (answer.status_code, answer.json["code"]) == (409, "conflict")
    assert b"one_title" not in answer.data
    assert titles() == []


def test_a_value_that_the_database_cannot_take_is_refused(client, desk):
    desk.work = lambda: run("SELECT CAST('x' AS integer)")
    answer = client.post("/api/v1/desk")
    assert (answer.status_code, answer.json["code"]) == (422, "value_refused")


@pytest.mark.parametrize("failure", [SERIALISATION, END_OWN_CONNECTION])
def test_what_the_database_undid_is_run_again_as_a_whole(client, desk, titles, failure):
    def work():
        add(f"call {desk.calls}")
        if desk.calls < 3:
            run(failure)

    desk.work = work
    assert client.post("/api/v1/desk").status_code == 201
    assert (desk.calls, titles()) == (3, ["call 3"])


def test_a_read_survives_a_restart_of_the_database(client, desk):
    desk.work = lambda: run(END_OWN_CONNECTION) if desk.calls == 1 else run("SELECT 7").scalar()
    assert client.get("/api/v1/desk").json == {"calls": 2, "result": 7}


def test_an_unknown_commit_is_not_repeated_but_told(app, client, desk, titles):
    run_at_commit = """
        CREATE FUNCTION end_connection() RETURNS trigger LANGUAGE plpgsql AS
          'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END';
        CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON note DEFERRABLE INITIALLY DEFERRED
          FOR EACH ROW EXECUTE FUNCTION end_connection();
    """
    with db.unit_of_work(app=app) as session:
        session.execute(text(run_at_commit))
    desk.work = lambda: add("a")
    answer = client.post("/api/v1/desk")
    with db.unit_of_work(app=app) as session:
        session.execute(text("DROP FUNCTION end_connection CASCADE"))
    assert (answer.status_code, answer.json["code"]) == (503, "database_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    assert desk.calls == 1


def test_a_statement_that_may_have_committed_is_not_repeated(client, desk):
    desk.work = lambda: run(END_OWN_CONNECTION)
    answer = client.post("/api/v1/desk/single")
    assert (answer.status_code, answer.json["code"]) == (503, "database_unavailable")
    assert desk.calls == 1


def test_a_statement_that_the_database_undid_is_repeated(client, desk, titles):
    desk.work = lambda: run(SERIALISATION) if desk.calls == 1 else add("a")
    assert client.post("/api/v1/desk/single").status_code == 201
    assert titles() == ["a"]


def test_a_stale_connection_is_found_before_the_statement(app, client, desk, titles, api_database):
    ann = app.extensions["torg.testing"].add("ann", permissions=[])
    desk.work = lambda: add("a")
    _execute(
        api_database,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    assert client.post("/api/v1/desk/mine", headers=ann.headers).status_code == 201
    assert (desk.calls, titles()) == (1, ["a"])


def test_without_a_database_every_call_is_told_to_come_back(make_api, desk):
    away = "postgresql://nobody@127.0.0.1:9/none"
    client = make_api(desk.blueprint, database_url=away).test_client()
    desk.work = lambda: run("SELECT 1")
    answer = client.get("/api/v1/desk")
    assert (answer.status_code, answer.json["code"]) == (503, "database_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1


def test_a_read_costs_no_statement_of_its_own(client, desk, count_queries):
    desk.work = lambda: run("SELECT 1").scalar()
    client.get("/api/v1/desk")
    with count_queries() as count:
        client.get("/api/v1/desk")
    assert count.statements == ["SELECT 1"]


def test_who_asks_costs_one_statement(app, client, desk, count_queries):
    ann = app.extensions["torg.testing"].add("ann", permissions=[])
    client.post("/api/v1/desk/mine", headers=ann.headers)
    with count_queries() as count:
        assert client.post("/api/v1/desk/mine", headers=ann.headers).status_code == 201
    assert count.total == 1


def test_actions_after_the_commit_run_for_what_was_committed_only(client, desk):
    done = []
    desk.work = lambda: db.after_commit(lambda: done.append(desk.calls))
    client.post("/api/v1/desk")

    def refuse():
        db.after_commit(lambda: done.append("never"))
        raise SoldOutError(what="x")

    desk.work = refuse
    client.post("/api/v1/desk")
    assert done == [1]


def test_a_deactivated_person_is_out_from_the_next_request_on(app, client):
    ann = app.extensions["torg.testing"].add("ann", permissions=[])
    assert client.post("/api/v1/desk/mine", headers=ann.headers).status_code == 201
    with db.unit_of_work(app=app):
        identity.set_active(ann.id, active=False)
    assert client.post("/api/v1/desk/mine", headers=ann.headers).status_code == 401


def test_the_host_s_prefix_is_the_one_of_the_documents():
    assert http.API_PREFIX == "/api/v1"
