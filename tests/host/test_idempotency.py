"""Exactly one effect for each key, whatever is repeated, raced or killed in between."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import flask
import psycopg2
import pytest
from sqlalchemy import text

from torg import db, idempotency
from torg.blueprint import Blueprint
from torg.errors import ConflictError
from torg.schemas import Integer, Schema

END_OWN_CONNECTION = "SELECT pg_terminate_backend(pg_backend_pid())"


class Amount(Schema):
    amount = Integer(required=True)


class EmptyPurseError(ConflictError):
    """There is not so much in the purse."""

    code = "empty_purse"


@pytest.fixture
def database(api_database):
    connection = psycopg2.connect(api_database)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE payment (id bigserial, who bigint, amount bigint)")
        yield cursor
        cursor.execute("DROP TABLE payment")
    connection.close()


class Till:
    """A blueprint that takes payments; `before_end` runs inside the transaction."""

    def __init__(self):
        self.before_end = lambda: None
        self.calls = 0
        self.blueprint = till = Blueprint("till")

        def take(arguments):
            self.calls += 1
            statement = text("INSERT INTO payment (amount) VALUES (:amount) RETURNING id")
            number = db.session.execute(statement, arguments).scalar_one()
            self.before_end()
            return {"payment": number}, {"Location": f"/api/v1/till/{number}"}

        @till.route("/", methods=["POST"])
        @till.public
        @till.arguments(Amount)
        @till.response(201)
        @till.idempotent
        def pay(arguments):
            """Pay."""
            return take(arguments)

        @till.route("/mine", methods=["POST"])
        @till.requires()
        @till.arguments(Amount)
        @till.response(201)
        @till.idempotent
        @till.transaction("statement")
        def pay_mine(arguments):
            """Pay, signed in."""
            return take(arguments)

        @till.route("/once", methods=["POST"])
        @till.public
        @till.response(201)
        @till.idempotent
        def pay_once():
            """Pay unless somebody has paid."""
            self.before_end()
            paid = db.session.execute(text("SELECT count(*) FROM payment")).scalar_one()
            if paid:
                raise EmptyPurseError
            db.session.execute(text("INSERT INTO payment (amount) VALUES (1)"))
            return {}


@pytest.fixture
def till():
    return Till()


@pytest.fixture
def app(make_api, till, database):
    return make_api(till.blueprint)


@pytest.fixture
def client(app):
    return app.test_client()


def pay(client, key, amount=5, address="/api/v1/till", **headers):
    return client.post(
        address, json={"amount": amount}, headers={"Idempotency-Key": key, **headers}
    )


def count(database):
    database.execute("SELECT count(*) FROM payment")
    return database.fetchone()[0]


def test_a_repeat_gets_the_first_answer_and_has_no_effect(client, database, till):
    first, second = pay(client, "k1"), pay(client, "k1")
    assert first.status_code == second.status_code == 201
    assert first.data == second.data
    assert first.headers["Location"] == second.headers["Location"]
    assert first.mimetype == second.mimetype == "application/json"
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert (till.calls, count(database)) == (1, 1)


def test_a_repeat_with_a_last_slash_is_the_same_request(client, database):
    first, second = pay(client, "k1"), pay(client, "k1", address="/api/v1/till/")
    assert (first.status_code, first.data) == (second.status_code, second.data)
    assert second.headers["Idempotency-Replayed"] == "true"
    assert count(database) == 1


def test_without_a_key_every_call_has_its_effect(client, database):
    for _ in range(2):
        client.post("/api/v1/till", json={"amount": 5})
    assert count(database) == 2


def test_another_body_under_the_same_key_is_refused(client, database):
    pay(client, "k1")
    answer = pay(client, "k1", amount=6)
    assert (answer.status_code, answer.json["code"]) == (422, "idempotency_key_reused")
    answer = client.post("/api/v1/till?x=1", json={"amount": 5}, headers={"Idempotency-Key": "k1"})
    assert (answer.status_code, answer.json["code"]) == (422, "idempotency_key_reused")
    assert count(database) == 1


def test_a_refusal_is_not_kept_and_leaves_the_key_free(client, database, till):
    def refuse():
        raise EmptyPurseError

    till.before_end = refuse
    assert pay(client, "k1").status_code == 409
    till.before_end = lambda: None
    answer = pay(client, "k1")
    assert answer.status_code == 201
    assert "Idempotency-Replayed" not in answer.headers
    assert count(database) == 1


def test_a_key_belongs_to_its_caller_and_its_route(app, client, database):
    people = app.extensions["torg.testing"]
    ann, bob = people.add("ann", permissions=[]), people.add("bob", permissions=[])
    for who in (ann, bob, ann):
        pay(client, "k1", address="/api/v1/till/mine", **who.headers)
    pay(client, "k1")
    assert count(database) == 3


def test_a_replay_is_for_those_only_who_may_call(app, client):
    ann = app.extensions["torg.testing"].add("ann", permissions=[])
    pay(client, "k1", address="/api/v1/till/mine", **ann.headers)
    assert pay(client, "k1", address="/api/v1/till/mine").status_code == 401


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "\xe9", "tab\t"])
def test_a_key_that_is_none_is_refused(client, database, key):
    answer = pay(client, key)
    assert (answer.status_code, answer.json["code"]) == (422, "idempotency_key_invalid")
    assert count(database) == 0


def test_the_longest_key_is_a_key(client):
    assert pay(client, "~" * 255).status_code == 201


def test_who_asks_while_the_first_is_at_work_is_told_to_wait(app, till, database):
    at_work, may_end = threading.Event(), threading.Event()

    def wait():
        at_work.set()
        assert may_end.wait(30)

    till.before_end = wait
    with ThreadPoolExecutor() as pool:
        first = pool.submit(pay, app.test_client(), "k1")
        assert at_work.wait(30)
        second = pay(app.test_client(), "k1")
        may_end.set()
        assert first.result().status_code == 201
    assert (second.status_code, second.json["code"]) == (409, "request_in_progress")
    assert second.headers["Retry-After"] == "1"
    assert count(database) == 1


def test_many_at_once_have_one_effect_each_key(app, database):
    def call(number):
        for _ in range(200):
            answer = pay(app.test_client(), f"k{number % 5}")
            if answer.status_code != 409:
                return answer.status_code, answer.data
            time.sleep(0.01)
        return None

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(call, range(40)))
    assert {status for status, _ in answers} == {201}
    assert len({body for _, body in answers}) == 5
    assert count(database) == 5


def test_a_lost_connection_after_the_effect_has_the_effect_once(client, till, database):
    def lose():
        if till.calls == 1:
            db.session.execute(text(END_OWN_CONNECTION))

    till.before_end = lose
    assert pay(client, "k1").status_code == 201
    assert (till.calls, count(database)) == (2, 1)


def test_an_answer_that_came_to_be_between_look_and_work_is_given(app, client, till, database):
    """The second request looks at the key just before the first one commits."""

    def other_commits():
        till.before_end = lambda: None
        keyed = database.connection.cursor()
        with app.test_request_context(
            "/api/v1/till/once", method="POST", headers={"Idempotency-Key": "k1"}
        ):
            digest = idempotency._keyed(flask.request, "k1", "till_pay_once")
        keyed.execute("INSERT INTO payment (amount) VALUES (1)")
        keyed.execute(
            "INSERT INTO torg_idempotency (digest, request_hash, status, headers, body)"
            " VALUES (%s, %s, 201, '{}', 'kept')",
            (digest.digest, digest.request_hash),
        )

    till.before_end = other_commits
    answer = client.post("/api/v1/till/once", headers={"Idempotency-Key": "k1"})
    assert (answer.status_code, answer.data) == (201, b"kept")
    assert answer.headers["Idempotency-Replayed"] == "true"
    assert count(database) == 1


def test_keys_are_forgotten_after_two_days_and_never_within_one(app, client, database):
    for key, age in (("old", "3 days"), ("young", "25 hours"), ("new", "1 hour")):
        pay(client, key)
        database.execute(
            "UPDATE torg_idempotency SET created_at = clock_timestamp() - %s::interval"
            " WHERE created_at > clock_timestamp() - interval '1 minute'",
            (age,),
        )
    with db.unit_of_work(app=app):
        assert idempotency.prune() == 1
    with db.unit_of_work(app=app):
        assert idempotency.prune(timedelta(0)) == 1
    assert pay(client, "new").headers["Idempotency-Replayed"] == "true"
