"""The shared Redis client: it answers, or it says at once that it cannot."""

import os
import threading
import time

import pytest
import redis

from torg import redis_client
from torg.redis_client import PROBE_SECONDS, RedisUnavailable, connect
from torg.testing_processes import eventually

pytest_plugins = ("work_bench",)


@pytest.fixture
def client(proxy):
    """A guarded client through the relay."""
    made = connect("redis://{}:{}".format(*proxy.address), 0.25)
    yield made
    made.close()


class TestAnswering:
    def test_commands_pipelines_and_scripts_work(self, client) -> None:
        client.set("key", b"value")
        with client.pipeline() as pipeline:
            pipeline.get("key")
            pipeline.incr("count")
            assert pipeline.execute() == [b"value", 1]

        assert client.register_script("return ARGV[1]")(args=["x"]) == b"x"

    def test_an_error_of_the_command_itself_does_not_open_the_breaker(self, client) -> None:
        client.set("key", "text")

        with pytest.raises(redis.exceptions.ResponseError):
            client.incr("key")

        assert not client.breaker.is_open
        assert client.get("key") == b"text"


@pytest.mark.parametrize("mode", ["hang", "refuse"])
class TestAway:
    def test_the_first_command_waits_shortly_and_the_others_not_at_all(
        self, client, proxy, mode: str
    ) -> None:
        client.ping()
        proxy.mode(mode)

        started = time.monotonic()
        with pytest.raises(redis.exceptions.RedisError):
            client.get("key")
        first = time.monotonic() - started
        started = time.monotonic()
        for _ in range(1000):
            with pytest.raises(RedisUnavailable):
                client.get("key")
        others = time.monotonic() - started

        assert first < 2, "0.25 s are promised"
        assert others < 2, "a thousand refusals cost no waiting"

    def test_pipelines_are_refused_too(self, client, proxy, mode: str) -> None:
        proxy.mode(mode)
        with pytest.raises(redis.exceptions.RedisError):
            client.ping()

        with client.pipeline() as pipeline:
            pipeline.get("key")
            with pytest.raises(RedisUnavailable):
                pipeline.execute()

    def test_it_comes_back_by_itself(self, client, proxy, mode: str) -> None:
        proxy.mode(mode)
        with pytest.raises(redis.exceptions.RedisError):
            client.ping()

        proxy.mode("pass")

        eventually(lambda: not client.breaker.is_open, 10)
        assert client.ping()

    def test_no_request_does_the_asking(self, client, proxy, mode: str) -> None:
        proxy.mode(mode)
        with pytest.raises(redis.exceptions.RedisError):
            client.ping()

        longest = 0.0
        until = time.monotonic() + 4 * PROBE_SECONDS
        while time.monotonic() < until:
            started = time.thread_time()
            with pytest.raises(RedisUnavailable):
                client.get("key")
            longest = max(longest, time.thread_time() - started)
        assert longest < 0.1


class TestProcesses:
    def test_a_forked_child_finds_its_own_way_back(self, client, proxy) -> None:
        proxy.mode("refuse")
        with pytest.raises(redis.exceptions.RedisError):
            client.ping()
        proxy.mode("pass")

        child = os.fork()
        if child == 0:
            code = 1
            try:
                with pytest.raises(RedisUnavailable):
                    client.ping()
                eventually(lambda: not client.breaker.is_open, 10)
                code = 0 if client.ping() else 1
            finally:
                os._exit(code)

        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    def test_threads_share_one_probe(self, client, proxy) -> None:
        proxy.mode("refuse")

        def ask() -> None:
            with pytest.raises(redis.exceptions.RedisError):
                client.ping()

        threads = [threading.Thread(target=ask) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        probes = [each for each in threading.enumerate() if each.name == "redis-probe"]
        assert len([each for each in probes if each is client.breaker._thread]) == 1


class TestSettings:
    def test_without_an_address_every_command_is_refused_at_once(self, bench) -> None:
        app = bench.build(redis_url="")

        with pytest.raises(RedisUnavailable, match="no redis_url"):
            redis_client.client(app).get("key")
        assert redis_client.is_away(app)

    def test_an_application_has_one_client(self, bench) -> None:
        assert redis_client.client(bench.app) is redis_client.client(bench.app)

    def test_no_wait_is_longer_than_half_a_second(self) -> None:
        made = connect("redis://127.0.0.1:1", 60)

        assert made.connection_pool.connection_kwargs["socket_timeout"] == 0.5
