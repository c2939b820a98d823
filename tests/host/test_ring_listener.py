"""What comes out of Redis into a worker: rings, and nothing of all that could be forged."""

import json
import os
import pickle
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from torg import doorbell, ring_listener

pytest_plugins = ("work_bench",)


@pytest.fixture
def store(bench) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(bench.redis_url) as connection:
        yield connection


class TestForged:
    """Whoever can write to Redis can wake workers up, and nothing else."""

    @pytest.fixture
    def forge(self, store):
        def forging(name: str, data: bytes, **fields: bytes | str) -> None:
            store.hset(f"rq:job:{name}", mapping={"data": zlib.compress(data), **fields})
            store.rpush("rq:queue:torg_default", name)

        return forging

    def test_foreign_functions_pickles_and_callbacks_do_not_run(
        self, bench, store, forge, tmp_path
    ) -> None:
        farm = bench.farm()
        farm.start()
        marker = tmp_path / "owned"
        command = f"touch {marker}"

        class Pickled:
            def __reduce__(self) -> Any:
                return os.system, (command,)

        forge("system", json.dumps(["os.system", None, [command], {}]).encode())
        forge("pickled", pickle.dumps(("os.system", None, (command,), {})))
        forge("reduced", pickle.dumps(Pickled()))
        forge("instance", json.dumps([doorbell.RING, "os", [1], {}]).encode())
        forge("words", json.dumps([doorbell.RING, None, [command], {}]).encode())
        forge("keywords", json.dumps([doorbell.RING, None, [1], {"x": command}]).encode())
        forge("huge", json.dumps([doorbell.RING, None, ["x" * 10**6], {}]).encode())
        ring = json.dumps([doorbell.RING, None, [1], {}]).encode()
        forge(
            "callbacks",
            ring,
            success_callback_name="os.system",
            failure_callback_name="os.system",
            meta=pickle.dumps(Pickled()),
            result=pickle.dumps(Pickled()),
            webhooks=json.dumps([{"url": "http://127.0.0.1:1/", "events": ["finished"]}]),
            created_at="never",
            timeout="soon",
        )
        store.rpush("rq:queue:torg_default", "no such ring", b"\xff\xfe", "a:b:c")
        forge("last", ring)

        bench.until(lambda: store.llen("rq:queue:torg_default") == 0)
        bench.until(lambda: not store.exists("rq:job:last"))
        job_id = bench.enqueue("work.note")
        bench.until(lambda: bench.row(job_id)["state"] == "done")
        assert not marker.exists()
        assert len(farm.alive) == 1
        os.kill(farm.alive[0], 0)

    def test_commands_and_suspension_of_rq_stop_no_worker(self, bench, store) -> None:
        farm = bench.farm()
        child = farm.start()
        bench.until(lambda: store.smembers("rq:workers"))

        store.set("rq:suspended", 1)
        for key in store.smembers("rq:workers"):
            channel = key.decode().replace("rq:worker:", "rq:pubsub:")
            store.publish(channel, json.dumps({"command": "shutdown"}))
        job_id = bench.enqueue("work.note")

        bench.until(lambda: bench.row(job_id)["state"] == "done")
        os.kill(child, 0)

    def test_a_refused_ring_is_named_in_the_log(self, bench, store, forge, capsys) -> None:
        bench.build(log_level="error")
        forge("evil", json.dumps(["os.system", None, ["true"], {}]).encode())
        listener = ring_listener.RingListener(["default"], store)

        listener.work(burst=True, logging_level=None)

        line = json.loads(capsys.readouterr().err.splitlines()[-1])
        assert (line["event"], line["ring"]) == ("ring_refused", "evil")


class TestHearing:
    def test_a_ring_wakes_whoever_listens_and_leaves_nothing_in_redis(self, bench, store) -> None:
        heard: list[int] = []
        doorbell.listen(heard.append)
        try:
            job_id = bench.enqueue("work.note")
            bench.app.extensions[doorbell.EXTENSION].flush()

            ring_listener.RingListener(["default"], store).work(burst=True, logging_level=None)
        finally:
            doorbell.stop_listening(heard.append)

        assert heard == [job_id]
        assert store.keys("rq:job:*") == []
        assert store.keys("rq:queue:*") == []
