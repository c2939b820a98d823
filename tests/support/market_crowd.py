"""A market under a crowd: ticks of trading in which forked workers overlap and some are killed.

    python market_crowd.py URL REDIS DIRECTORY TICKS WORKERS KILLS DEALERS SUPPLIERS MODELS BUYERS

Every tick suppliers, promotions and offers move, and every worker runs all jobs at once with the
others, at the same moved moment. Prints JSON when it is done: how many were killed.
"""

import json
import os
import random
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from torg import db, testing_people
from torg.app import create_app
from torg.config import HostSettings, Settings
from torg_autotrade.generating import Trade
from torg_autotrade.services import runs

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
TICK = timedelta(minutes=10)
KINDS = ("review", "supply", "sales", "sales")


def application(url: str, redis: str, directory: str) -> Any:
    """The market's application on a migrated database."""
    host = HostSettings(
        database_url=url,
        redis_url=redis,
        data_dir=directory,
        plugins=("wallet", "autotrade"),
        log_level="error",
        secret_key="a key for simulations 0123456789 abcdef",
    )
    section = {"autotrade": {"offers_at_once": 10, "dealers_at_once": 3}}
    return create_app(Settings.build(host, section), extra=[testing_people])


def work(app: Any, now: datetime, seed: int) -> None:
    """One worker's tick: every job, in an order of its own."""
    kinds = list(KINDS)
    random.Random(seed).shuffle(kinds)
    for kind in kinds:
        with app.app_context():
            runs.run(kind, now=now, is_told=False)


def fork(app: Any, now: datetime, seed: int) -> int:
    """A worker in a process of its own; returns its id."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        # The parent's connections stay the parent's.
        with app.app_context():
            for engine in db.db.engines.values():
                engine.dispose(close=False)
        work(app, now, seed)
        code = 0
    finally:
        os._exit(code)


def main() -> None:
    """Trade on, tick after tick."""
    url, redis, directory, *numbers = sys.argv[1:]
    ticks, workers, kills, dealers, suppliers, models, buyers = map(int, numbers)
    app = application(url, redis, directory)
    chance, killed, failed = random.Random(5), 0, 0
    with app.app_context():
        trade = Trade.begin(
            random.Random(7),
            START,
            dealers=dealers,
            suppliers=suppliers,
            models=models,
            buyers=buyers,
        )
        trade.transaction(lambda: None)
    deadly = set(chance.sample(range(ticks), min(kills, ticks)))
    for number in range(ticks):
        now = START + TICK * (number + 1)
        with app.app_context():
            db.in_transaction(lambda n=number, t=now: trade.stir(n, t))
            db.in_transaction(lambda t=now: trade.offer(t, max(4, buyers // 8)))
        children = [fork(app, now, 100 * number + each) for each in range(workers)]
        if number in deadly:
            time.sleep(chance.uniform(0.005, 0.06))
            os.kill(children[0], signal.SIGKILL)
        for child in children:
            _, status = os.waitpid(child, 0)
            killed += os.WIFSIGNALED(status)
            failed += os.WIFEXITED(status) and os.WEXITSTATUS(status) != 0
    work(app, START + TICK * (ticks + 1), 0)
    print(json.dumps({"killed": killed, "failed": failed}))


if __name__ == "__main__":
    main()
