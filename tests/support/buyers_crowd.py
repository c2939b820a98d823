"""A crowd of processes that order, killed at random and started again: prints JSON when it is done.

    python buyers_crowd.py URL REDIS DIRECTORY PROCESSES KILLS FIRST LAST

The buyers FIRST to LAST, shared among the processes, each order what is in their cart. Who was in
the middle of it when his process died tries again. Prints how many died and how buyers fared.
"""

import json
import random
import sys
import time
from collections import Counter
from typing import Any

from forked_child import Child

from torg import db, testing_people
from torg.app import create_app
from torg.config import HostSettings, Settings
from torg.errors import TorgError
from torg_shop.services import orders


def application(url: str, redis: str, directory: str) -> Any:
    """The shop's application on a migrated database."""
    host = HostSettings(
        database_url=url,
        redis_url=redis,
        data_dir=directory,
        plugins=("shop",),
        log_level="error",
        secret_key="a key for crowds 0123456789 abcdefgh",
    )
    return create_app(Settings.build(host, {}), extra=[testing_people])


def buy(app: Any, buyers: list[int]) -> None:
    """Order for one after the other; each tells how it ended."""
    # The parent's connections stay the parent's.
    with app.app_context():
        for engine in db.db.engines.values():
            engine.dispose(close=False)
    for buyer in buyers:
        try:
            db.in_transaction(lambda each=buyer: orders.place(each), app)
        except TorgError as refused:
            print(refused.code, flush=True)
        else:
            print("sold", flush=True)


def main() -> None:
    """Sell until everybody was served, and kill on the way."""
    url, redis, directory, *numbers = sys.argv[1:]
    processes, kills, first, last = map(int, numbers)
    app = application(url, redis, directory)
    chance, killed = random.Random(3), 0
    queues = [list(range(first + place, last + 1, processes)) for place in range(processes)]
    told: list[list[str]] = [[] for _ in queues]

    def born(place: int) -> Child:
        return Child(lambda: buy(app, queues[place][len(told[place]) :]))

    children = [born(place) for place in range(processes)]
    while any(len(each) < len(queue) for each, queue in zip(told, queues, strict=True)):
        time.sleep(chance.uniform(0.005, 0.03))
        for place, child in enumerate(children):
            told[place] += child.lines()
        if any(child.has_failed() for child in children):
            raise SystemExit("a process ended without being killed")
        busy = [place for place, queue in enumerate(queues) if len(told[place]) < len(queue)]
        if killed < kills and busy:
            place = chance.choice(busy)
            children[place].kill()
            told[place] += children[place].lines()
            children[place] = born(place)
            killed += 1
    for child in children:
        child.wait()
    print(json.dumps({"killed": killed, "told": Counter(word for each in told for word in each)}))


if __name__ == "__main__":
    main()
