"""What dies does no harm: Redis away or hung, PostgreSQL restarted, workers killed, under load."""

import os
import signal
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from torg import embedded
from torg.testing_faults import FaultProxy
from torg.testing_processes import eventually

BIDDERS = 4


def money(cents: int) -> dict[str, str]:
    return {"amount": f"{cents // 100}.{cents % 100:02d}", "currency": "EUR"}


class Load:
    """Bidders who raise each other until told to stop; what they saw is kept."""

    def __init__(self, bidders: list[Any], auction: int) -> None:
        self.answers: Counter[int] = Counter()
        self.accepted: dict[int, int] = {}
        self.seconds: list[float] = []
        self._path = f"auctions/{auction}/bids"
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._bid, args=(each,)) for each in bidders]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def mark(self) -> int:
        return len(self.seconds)

    def _bid(self, bidder: Any) -> None:
        cents = 1000
        while not self._stop.is_set():
            started = time.monotonic()
            try:
                answer = bidder.post(self._path, {"amount": money(cents)})
            except requests.ConnectionError:
                self.answers[0] += 1
                continue
            self.seconds.append(time.monotonic() - started)
            self.answers[answer.status_code] += 1
            if answer.status_code == 201:
                self.accepted[answer.json()["seq"]] = cents
            elif answer.status_code == 422:
                assert answer.json()["code"] == "bid_too_low", answer.text
                cents = round(float(answer.json()["minimum_bid"]["amount"]) * 100)
            elif answer.status_code == 503:
                time.sleep(float(answer.headers["Retry-After"]) / 5)
            cents += 100 if answer.status_code == 201 else 0


def every_bid(caller: Any, auction: int) -> list[dict[str, Any]]:
    bids: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = caller.get(f"auctions/{auction}/bids?limit=100{cursor}").json()
        bids += page["items"]
        if page["next_cursor"] is None:
            return bids
        cursor = f"&cursor={page['next_cursor']}"


def assert_nothing_lost(caller: Any, auction: int, load: Load) -> None:
    bids = {bid["seq"]: bid["amount"] for bid in every_bid(caller, auction)}
    assert sorted(bids) == list(range(1, len(bids) + 1))
    for seq, cents in load.accepted.items():
        assert bids[seq] == money(cents)


@pytest.fixture
def redis_proxy(
    torg_environment: Any, fault_proxy: Callable[[tuple[str, int] | str], FaultProxy]
) -> FaultProxy:
    parts = urlsplit(torg_environment.redis_url)
    target = (
        parts.path if parts.scheme == "unix" else (str(parts.hostname), int(parts.port or 6379))
    )
    return fault_proxy(target)


def redis_url(environment: Any, proxy: FaultProxy) -> str:
    parts = urlsplit(environment.redis_url)
    host, port = proxy.address
    password = f":{parts.password}@" if parts.password else ""
    return f"redis://{password}{host}:{port}/0"


@pytest.mark.parametrize("fault", ["refuse", "hang"])
def test_bids_go_on_while_redis_is_away(
    market_with: Any, torg_environment: Any, redis_proxy: FaultProxy, new_auction: Any, fault: Any
) -> None:
    market = market_with(TORG_REDIS_URL=redis_url(torg_environment, redis_proxy))
    seller = market.person("seller")
    bidders = [market.person(f"bidder{number}") for number in range(BIDDERS)]
    auction = new_auction(seller)["id"]

    with Load(bidders, auction) as load:
        time.sleep(3)
        before = load.mark()
        redis_proxy.mode(fault)
        time.sleep(6)
        during = load.mark()
    redis_proxy.mode("pass")

    assert set(load.answers) <= {201, 422}, load.answers
    assert during - before > 50, "bids went on"
    assert_nothing_lost(seller, auction, load)
    slower = percentile(load.seconds[before:during]) - percentile(load.seconds[:before])
    # The promise is 0.1 s. Half a second, the client's time limit, is where a request waited for
    # Redis; below it only the machine's other work differs.
    assert slower < 0.5


def percentile(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20)[18]


@pytest.fixture
def own_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Servers]:
    """A PostgreSQL that the test may restart, with the safety of a real one."""
    directory = Path(tempfile.mkdtemp(prefix="torg-restart-"))
    directory.chmod(0o755)
    with embedded.start(directory) as servers:
        yield servers


def restart_postgresql(servers: embedded.Servers) -> None:
    """As an administrator restarts it: every connection is cut, for a second nobody answers."""
    pid = servers.pids()["postgres"]
    assert pid is not None
    os.kill(pid, signal.SIGINT)
    eventually(lambda: servers.dead() == ["postgres"])
    servers.revive()


def test_a_restart_of_postgresql_under_load_loses_no_acknowledged_bid(
    market_with: Any, own_servers: embedded.Servers, new_auction: Any
) -> None:
    market = market_with(
        TORG_DATABASE_URL=own_servers.database_url, TORG_REDIS_URL=own_servers.redis_url
    )
    seller = market.person("seller")
    bidders = [market.person(f"bidder{number}") for number in range(BIDDERS)]
    auction = new_auction(seller)["id"]

    with Load(bidders, auction) as load:
        time.sleep(2)
        for _ in range(2):
            restart_postgresql(own_servers)
            time.sleep(3)
        after = load.mark()
        time.sleep(1)
        assert load.mark() > after, "bids go on afterwards"

    assert set(load.answers) <= {201, 422, 503}, load.answers
    assert_nothing_lost(seller, auction, load)


def test_a_worker_killed_at_any_time_loses_no_mail_of_the_close(
    market: Any, new_auction: Any, wait_until: Callable[[str], None]
) -> None:
    seller = market.person("seller")
    bidders = [market.person(f"bidder{number}") for number in range(3)]
    auction = new_auction(seller, seconds=6)
    for number, bidder in enumerate(bidders):
        bidder.post(f"auctions/{auction['id']}/bids", {"amount": money(1000 + 100 * number)})
    worker = market.deployment.children[-1]
    for _ in range(4):
        worker.kill()
        worker = market.deployment.worker()
        time.sleep(1.5)
    wait_until(auction["ends_at"])

    def told() -> bool:
        finished = [m for m in market.mails.all() if "telescope" in str(m["Subject"]).lower()]
        reached = {str(m["To"]) for m in finished}
        return all(any(p.username in to for to in reached) for p in [seller, *bidders])

    eventually(told, seconds=45)
    assert market.caller().get(f"auctions/{auction['id']}").json()["status"] == "finished"
