"""Kept values and ready answers: computed once, never seen again after a change."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from torg import cache, db
from torg.blueprint import Blueprint
from torg.errors import ConflictError
from torg.money import Money
from torg.testing_faults import FaultProxy


@pytest.fixture
def proxy(torg_environment):
    relay = FaultProxy(torg_environment.redis_url.removeprefix("unix://").partition("?")[0])
    yield relay
    relay.close()


@pytest.fixture
def server(torg_environment):
    client = redis.Redis.from_url(torg_environment.redis_url)
    yield client
    client.close()


def through(proxy):
    host, port = proxy.address
    return f"redis://{host}:{port}"


def wait_for(condition):
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


class Counting:
    """A computation that counts how often it is done."""

    def __init__(self, value="value"):
        self.calls = 0
        self.value = value

    def __call__(self):
        self.calls += 1
        return self.value


def remember(app, fill, key="shop:top", tags=("lots",), seconds=60):
    with app.app_context():
        return cache.remember(key, fill, tags=tags, seconds=seconds)


def invalidate(app, *names):
    with db.unit_of_work(app=app):
        cache.invalidate(*names)


class TestRemember:
    def test_a_value_is_computed_once_for_all_processes(self, make_api):
        fill = Counting({"a": [1, None, "ж"]})
        first, second = make_api(), make_api()
        assert remember(first, fill) == remember(second, fill) == {"a": [1, None, "ж"]}
        assert fill.calls == 1

    def test_values_look_the_same_kept_or_not(self, make_api):
        fill = Counting((Money(500, "EUR"), 2))
        app, lonely = make_api(), make_api(redis_url="")
        expected = [{"amount": "5.00", "currency": "EUR"}, 2]
        assert [remember(app, fill), remember(app, fill), remember(lonely, fill)] == [expected] * 3

    def test_a_kept_nothing_is_something(self, make_api):
        fill, app = Counting(None), make_api()
        assert remember(app, fill) is remember(app, fill) is None
        assert fill.calls == 1

    def test_a_change_is_seen_by_every_process_after_its_commit(self, make_api):
        fill, first, second = Counting(), make_api(), make_api()
        remember(first, fill)
        fill.value = "new"
        invalidate(second, "lots")
        assert remember(first, fill) == "new"

    def test_another_tag_forgets_nothing(self, make_api):
        fill, app = Counting(), make_api()
        remember(app, fill)
        invalidate(app, "carts")
        remember(app, fill)
        assert fill.calls == 1

    def test_what_was_rolled_back_forgets_nothing(self, make_api):
        fill, app = Counting(), make_api()
        remember(app, fill)

        def change_in_vain():
            with db.unit_of_work(app=app):
                cache.invalidate("lots")
                raise ConflictError

        with pytest.raises(ConflictError):
            change_in_vain()
        remember(app, fill)
        assert fill.calls == 1

    def test_one_fills_while_the_others_wait(self, make_api):
        app = make_api()
        fill = Counting()

        def slowly():
            time.sleep(0.3)
            return fill()

        with ThreadPoolExecutor(8) as pool:
            found = set(pool.map(lambda _: remember(app, slowly), range(8)))
        assert (found, fill.calls) == ({"value"}, 1)

    def test_a_filler_that_fails_is_followed_by_another(self, make_api, monkeypatch):
        monkeypatch.setattr(cache, "_WAIT_SECONDS", 0.1)
        app = make_api()
        with pytest.raises(ZeroDivisionError):
            remember(app, lambda: 1 // 0)
        assert remember(app, Counting()) == "value"

    @pytest.mark.parametrize("mode", ["refuse", "hang"])
    def test_without_redis_everything_is_computed(self, make_api, proxy, mode):
        app, fill = make_api(redis_url=through(proxy)), Counting()
        proxy.mode(mode)
        started = time.monotonic()
        assert [remember(app, fill) for _ in range(3)] == ["value"] * 3
        assert fill.calls == 3
        assert time.monotonic() - started < 5

    def test_nothing_but_json_is_ever_kept(self, make_api, server):
        remember(make_api(), Counting({"a": 1}))
        kept = [server.get(key) for key in server.keys("torg:cache:*")]
        assert [json.loads(raw) for raw in kept if raw.startswith(b"{")] == [{"a": 1}]

    def test_what_somebody_else_wrote_into_redis_runs_nothing(self, make_api, server):
        app = make_api()
        remember(app, Counting())
        (key,) = [key for key in server.keys("torg:cache:shop:top:*") if b"filling" not in key]
        server.set(key, b"cos\nsystem\n(S'echo broken'\ntR.")
        with pytest.raises(ValueError, match="JSON"):
            remember(app, Counting())


class TestStore:
    def test_flask_caching_keeps_json_in_redis(self, make_api):
        with make_api().app_context():
            assert cache.store.set("k", {"a": [1]}, timeout=60)
            assert cache.store.get("k") == {"a": [1]}
            assert cache.store.has("k")
            assert not cache.store.add("k", 2)
            assert cache.store.delete("k")
            assert cache.store.get("k") is None

    def test_without_redis_it_keeps_nothing_and_fails_nobody(self, make_api):
        with make_api(redis_url="").app_context():
            assert not cache.store.set("k", 1)
            assert cache.store.get("k") is None
            assert not cache.store.delete("k")

    def test_memoized_functions_work_with_it(self, make_api):
        calls = []

        @cache.store.memoize(timeout=60)
        def double(number):
            calls.append(number)
            return 2 * number

        with make_api().app_context():
            assert [double(2), double(2), double(3)] == [4, 4, 6]
        assert calls == [2, 3]


def test_a_change_while_redis_is_away_is_told_when_it_is_back(make_api, proxy):
    """The writer cannot reach Redis, the reader can: it may be behind for a moment, no longer."""
    reader, writer = make_api(), make_api(redis_url=through(proxy))
    fill = Counting()
    remember(reader, fill)
    fill.value = "new"
    proxy.mode("refuse")
    invalidate(writer, "lots")
    assert remember(writer, fill) == "new"
    proxy.mode("pass")
    wait_for(lambda: remember(reader, fill) == "new")


def test_tags_are_never_counted(make_api, server):
    """A counter that starts anew after Redis lost its memory would come by old values again."""
    app = make_api()
    with app.app_context():
        seen = set()
        for _ in range(20):
            seen.add(cache.versioned("lots"))
            server.flushall()
            seen.add(cache.versioned("lots"))
            cache.tags().change(["lots"])
        assert len(seen) == 40


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


class TestReadyAnswers:
    def test_the_second_answer_is_the_first_one_without_asking_the_view(self, make_api, state):
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

    def test_each_answer_has_an_id_of_its_own_or_the_caller_s(self, make_api, state):
        client = make_api(make_board(state)).test_client()
        ids = {client.get(PATH).headers["X-Request-Id"] for _ in range(3)}
        assert len(ids) == 3
        given = client.get(PATH, headers={"X-Request-Id": "mine"}).headers["X-Request-Id"]
        assert (given, state.calls) == ("mine", 1)

    def test_a_change_is_seen_by_the_next_request_in_every_process(self, make_api, state):
        clients = [make_api(make_board(state)).test_client() for _ in range(3)]
        for client in clients:
            client.get(PATH)
        clients[0].put(PATH)
        assert [client.get(PATH).json["value"] for client in clients] == ["changed"] * 3
        assert [client.get(PATH).json["value"] for client in clients] == ["changed"] * 3
        assert state.calls == 6

    def test_a_change_during_the_making_is_not_hidden_by_it(self, make_api, state):
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

    def test_a_tag_with_an_argument_forgets_one_only(self, make_api, state):
        app = make_api(make_board(state))
        client = app.test_client()
        for number in (1, 2):
            client.get(f"{PATH}/{number}")
        state.value = "changed"
        invalidate(app, "board:1")
        values = [client.get(f"{PATH}/{number}").json["value"] for number in (1, 2)]
        assert values == ["changed", "first"]

    def test_query_and_language_are_other_answers(self, make_api, state):
        client = make_api(make_board(state)).test_client()
        client.get(PATH)
        client.get(f"{PATH}?a=1")
        client.get(PATH, headers={"Accept-Language": "ru,en;q=0.5"})
        assert state.calls == 3
        client.get(PATH, headers={"Accept-Language": "ru"})
        assert state.calls == 3

    @pytest.mark.parametrize("name", ["Authorization", "X-Api-Key", "Cookie"])
    def test_who_says_who_he_is_gets_no_ready_answer(self, make_api, state, name):
        client = make_api(make_board(state)).test_client(use_cookies=False)
        for _ in range(2):
            client.get(PATH, headers={name: "x=y"})
        assert state.calls == 2

    def test_what_the_client_has_is_not_sent_again(self, make_api, state):
        client = make_api(make_board(state)).test_client()
        tag = client.get(PATH).headers["ETag"]
        answer = client.get(PATH, headers={"If-None-Match": tag})
        assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", tag)
        assert state.calls == 1

    def test_refusals_are_made_each_time(self, make_api, state):
        client = make_api(make_board(state)).test_client()
        assert [client.get(f"{PATH}/failing").status_code for _ in range(2)] == [409, 409]
        assert state.calls == 2

    def test_the_page_of_another_origin_gets_leave_for_itself_only(self, make_api, state):
        origins = ("https://a.example", "https://b.example")
        client = make_api(make_board(state), cors_origins=origins).test_client()
        for origin in (*origins, "https://evil.example"):
            answer = client.get(PATH, headers={"Origin": origin})
            allowed = answer.headers.get("Access-Control-Allow-Origin")
            assert allowed == (origin if origin in origins else None)
        assert state.calls == 1

    def test_an_answer_lives_no_longer_than_it_says(self, make_api, state):
        from torg import ready_answers

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
    def test_without_redis_every_answer_is_made(self, make_api, state, proxy, mode):
        client = make_api(make_board(state), redis_url=through(proxy)).test_client()
        client.get(PATH)
        proxy.mode(mode)
        started = time.monotonic()
        for _ in range(3):
            assert client.get(PATH).status_code == 200
        assert state.calls == 4
        assert time.monotonic() - started < 5

    def test_nothing_from_before_an_outage_is_trusted_after_it(self, make_api, state, proxy):
        app = make_api(make_board(state), redis_url=through(proxy))
        client = app.test_client()
        client.get(PATH)
        proxy.mode("refuse")
        client.get(PATH)
        proxy.mode("pass")
        wait_for(lambda: not app.extensions["torg.redis"].breaker.is_open)
        calls = state.calls
        client.get(PATH)
        assert state.calls == calls + 1
        client.get(PATH)
        assert state.calls == calls + 1

    def test_a_memory_that_redis_lost_makes_new_answers(self, make_api, state, server):
        client = make_api(make_board(state)).test_client()
        client.get(PATH)
        server.flushall()
        client.get(PATH)
        assert state.calls == 2

    def test_many_at_once_wait_for_the_one_that_makes_it(self, make_api, state):
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

    def test_requests_are_counted_as_others_are(self, make_api, state):
        from torg import metrics

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
