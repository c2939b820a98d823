"""Ready answers: sent again without Flask, and never after what they show has changed."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from torg import cache, db, metrics, ready_answers
from torg.blueprint import Blueprint
from torg.errors import ConflictError
from torg.testing_processes import eventually


def invalidate(app, *names):
    with db.unit_of_work(app=app):
        cache.invalidate(*names)


def make_board(state):
    board = Blueprint("board")

    @board.route("/")
    @board.public
    @board.ready_answer(tags=("board",), seconds=60)
    @board.response(200)
    def show():
        """Show."""
        state.calls += 1
        if state.before_read is not None:
            state.before_read()
        return {"value": state.value}

    @board.route("/", methods=["PUT"])
    @board.public
    @board.response(200)
    def change():
        """Change."""
        state.value = "changed"
        cache.invalidate("board")
        return {}

    @board.route("/<int:number>")
    @board.public
    @board.ready_answer(tags=("board:{number}",), seconds=60)
    @board.response(200)
    def show_one(number):
        """Show one."""
        state.calls += 1
        return {"number": number, "value": state.value}

    @board.route("/failing")
    @board.public
    @board.ready_answer(tags=("board",), seconds=60)
    @board.response(200)
    def fail():
        """Fail."""
        state.calls += 1
        raise ConflictError

    return board


class State:
    def __init__(self):
        self.calls = 0
        self.value = "first"
        self.before_read = None


@pytest.fixture
def state():
    return State()


PATH = "/api/v1/board"


def test_the_second_answer_is_the_first_one_without_asking_the_view(make_api, state):
    client = make_api(make_board(state)).test_client()
    first, second = client.get(PATH), client.get(PATH)
    assert state.calls == 1
    assert first.data == second.data
    own = {"X-Request-Id", "Age", "Content-Length"}
    kept = {name: value for name, value in second.headers.items() if name not in own}
    assert {**dict(first.headers), **kept}.keys() == dict(first.headers).keys() | kept.keys()
    for name in ("ETag", "Content-Type", "Content-Security-Policy", "X-Content-Type-Options"):
        assert first.headers[name] == second.headers[name]
    assert second.headers["Age"] == "0"
    assert "Accept-Language" in second.headers["Vary"]


def test_each_answer_has_an_id_of_its_own_or_the_caller_s(make_api, state):
    client = make_api(make_board(state)).test_client()
    ids = {client.get(PATH).headers["X-Request-Id"] for _ in range(3)}
    assert len(ids) == 3
    given = client.get(PATH, headers={"X-Request-Id": "mine"}).headers["X-Request-Id"]
    assert (given, state.calls) == ("mine", 1)


def test_a_change_is_seen_by_the_next_request_in_every_process(make_api, state):
    clients = [make_api(make_board(state)).test_client() for _ in range(3)]
    for client in clients:
        client.get(PATH)
    clients[0].put(PATH)
    assert [client.get(PATH).json["value"] for client in clients] == ["changed"] * 3
    assert [client.get(PATH).json["value"] for client in clients] == ["changed"] * 3
    assert state.calls == 6


def test_a_change_during_the_making_is_not_hidden_by_it(make_api, state):
    """The view reads the old state, then somebody commits, then the answer is kept."""
    app = make_api(make_board(state))
    client = app.test_client()

    def change_behind():
        state.before_read = None
        invalidate(app, "board")

    state.before_read = change_behind
    client.get(PATH)
    state.value = "changed"
    assert client.get(PATH).json["value"] == "changed"


def test_a_tag_with_an_argument_forgets_one_only(make_api, state):
    app = make_api(make_board(state))
    client = app.test_client()
    for number in (1, 2):
        client.get(f"{PATH}/{number}")
    state.value = "changed"
    invalidate(app, "board:1")
    values = [client.get(f"{PATH}/{number}").json["value"] for number in (1, 2)]
    assert values == ["changed", "first"]


def test_query_and_language_are_other_answers(make_api, state):
    client = make_api(make_board(state)).test_client()
    client.get(PATH)
    client.get(f"{PATH}?a=1")
    client.get(PATH, headers={"Accept-Language": "ru,en;q=0.5"})
    assert state.calls == 3
    client.get(PATH, headers={"Accept-Language": "ru"})
    assert state.calls == 3


@pytest.mark.parametrize("name", ["Authorization", "X-Api-Key", "Cookie"])
def test_who_says_who_he_is_gets_no_ready_answer(make_api, state, name):
    client = make_api(make_board(state)).test_client(use_cookies=False)
    for _ in range(2):
        client.get(PATH, headers={name: "x=y"})
    assert state.calls == 2


def test_what_the_client_has_is_not_sent_again(make_api, state):
    client = make_api(make_board(state)).test_client()
    tag = client.get(PATH).headers["ETag"]
    answer = client.get(PATH, headers={"If-None-Match": tag})
    assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", tag)
    assert state.calls == 1


def test_refusals_are_made_each_time(make_api, state):
    client = make_api(make_board(state)).test_client()
    assert [client.get(f"{PATH}/failing").status_code for _ in range(2)] == [409, 409]
    assert state.calls == 2


def test_the_page_of_another_origin_gets_leave_for_itself_only(make_api, state):
    origins = ("https://a.example", "https://b.example")
    client = make_api(make_board(state), cors_origins=origins).test_client()
    for origin in (*origins, "https://evil.example"):
        answer = client.get(PATH, headers={"Origin": origin})
        allowed = answer.headers.get("Access-Control-Allow-Origin")
        assert allowed == (origin if origin in origins else None)
    assert state.calls == 1


def test_an_answer_lives_no_longer_than_it_says(make_api, state):
    board = Blueprint("board")

    @board.route("/")
    @board.public
    @board.ready_answer(tags=("board",), seconds=60)
    @board.response(200)
    def show():
        """Show."""
        state.calls += 1
        ready_answers.valid_for(60 if state.calls > 1 else 0)
        return {}

    client = make_api(board).test_client()
    for _ in range(4):
        client.get(PATH)
    assert state.calls == 2


@pytest.mark.parametrize("mode", ["refuse", "hang"])
def test_without_redis_every_answer_is_made(make_api, state, proxy, distant_redis_url, mode):
    client = make_api(make_board(state), redis_url=distant_redis_url).test_client()
    client.get(PATH)
    proxy.mode(mode)
    started = time.monotonic()
    for _ in range(3):
        assert client.get(PATH).status_code == 200
    assert state.calls == 4
    assert time.monotonic() - started < 5


def test_nothing_from_before_an_outage_is_trusted_after_it(
    make_api, state, proxy, distant_redis_url
):
    app = make_api(make_board(state), redis_url=distant_redis_url)
    client = app.test_client()
    client.get(PATH)
    proxy.mode("refuse")
    client.get(PATH)
    proxy.mode("pass")
    eventually(lambda: not app.extensions["torg.redis"].breaker.is_open)
    calls = state.calls
    client.get(PATH)
    assert state.calls == calls + 1
    client.get(PATH)
    assert state.calls == calls + 1


def test_a_memory_that_redis_lost_makes_new_answers(make_api, state, server):
    client = make_api(make_board(state)).test_client()
    client.get(PATH)
    server.flushall()
    client.get(PATH)
    assert state.calls == 2


def test_many_at_once_wait_for_the_one_that_makes_it(make_api, state):
    app = make_api(make_board(state))
    state.before_read = lambda: time.sleep(0.3)
    app.test_client().get(f"{PATH}/1")
    barrier = threading.Barrier(6)

    def ask(number):
        barrier.wait()
        # The first is given time to begin, so that the others find it at work.
        time.sleep(0.1 if number else 0)
        return app.test_client().get(PATH).status_code

    state.calls = 0
    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(ask, range(6))) == {200}
    assert state.calls == 1


def test_requests_are_counted_as_others_are(make_api, state):
    client = make_api(make_board(state)).test_client()
    for _ in range(3):
        client.get(PATH)
    samples = [
        sample.value
        for metric in metrics.registry.collect()
        for sample in metric.samples
        if sample.name == "torg_request_seconds_count"
        and sample.labels["route"] == PATH
        and sample.labels["plugin"] == "board"
    ]
    assert sum(samples) >= 3
