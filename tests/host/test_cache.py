"""Kept values: computed once, never seen again after a change."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from torg import cache, db
from torg.errors import ConflictError
from torg.money import Money
from torg.testing import AppMaker
from torg.testing_processes import eventually


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
    def test_without_redis_everything_is_computed(self, make_api, proxy, distant_redis_url, mode):
        app, fill = make_api(redis_url=distant_redis_url), Counting()
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


def test_a_change_while_redis_is_away_is_told_when_it_is_back(make_api, proxy, distant_redis_url):
    """The writer cannot reach Redis, the reader can: it may be behind for a moment, no longer."""
    reader, writer = make_api(), make_api(redis_url=distant_redis_url)
    fill = Counting()
    remember(reader, fill)
    fill.value = "new"
    proxy.mode("refuse")
    invalidate(writer, "lots")
    assert remember(writer, fill) == "new"
    proxy.mode("pass")
    eventually(lambda: remember(reader, fill) == "new")


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


def test_a_test_begins_with_nothing_that_another_has_kept(torg_environment, tmp_path):
    for number in range(2):
        maker = AppMaker(torg_environment, tmp_path / str(number))
        try:
            with maker([]).app_context():
                found = cache.remember("host:kept", lambda n=number: n, seconds=60)
        finally:
            maker.close()
        assert found == number
