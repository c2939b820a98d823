"""A crowd of processes on the same books, forked from one warm parent: prints JSON when it is done.

    python wallet_crowd.py URL hammer PROCESSES SECONDS ACCOUNT…
    python wallet_crowd.py URL keys PROCESSES KEYS KILLS FROM TO

`hammer` moves, holds, captures, voids and reverses at random, and prints how often what happened.
`keys` has every process post one cent for every key while they are killed at random and started
again; it prints what reference each of them was given for each key.
"""

import json
import random
import sys
import time
from collections import Counter
from typing import Any

import flask
from forked_child import Child
from sqlalchemy.exc import SQLAlchemyError

from torg import db
from torg.errors import TorgError
from torg.money import Money
from torg_ledger import Entry
from torg_wallet.services.ledger import LedgerService

BOOKS = LedgerService()


def application(url: str) -> flask.Flask:
    """The least application that has a database."""
    app = flask.Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"pool_size": 1, "max_overflow": 0}
    db.init(app)
    return app


def euro(minor: int) -> Money:
    """So many cents."""
    return Money(minor, "EUR")


class Hammer:
    """One process that does whatever comes to its mind."""

    def __init__(self, app: flask.Flask, seed: int, accounts: list[int]) -> None:
        self.app = app
        self.seed = seed
        self.chance = random.Random(seed)
        self.accounts = accounts
        self.number = 0
        self.outcomes: Counter[str] = Counter()
        self.holds: list[str] = []
        self.transfers: list[str] = []

    def run(self, seconds: float) -> None:
        """Act until the time is over."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            act = self.chance.choice(
                [self.move, self.move, self.move_both_ways, self.hold, self.close, self.reverse]
            )
            try:
                db.in_transaction(act, self.app)
                self.outcomes["done"] += 1
            except TorgError as refused:
                self.outcomes[refused.code] += 1
            except SQLAlchemyError as broken:
                self.outcomes[f"broken: {type(broken).__name__}: {broken}"] += 1

    def named(self) -> dict[str, Any]:
        """What every call carries."""
        self.number += 1
        return {"source": f"hammer{self.seed}", "purpose": "hammer", "key": str(self.number)}

    def move(self) -> None:
        """Move money between two or three accounts."""
        chosen = self.chance.sample(self.accounts, self.chance.choice([2, 2, 3]))
        amounts = [self.chance.randint(1, 400) for _ in chosen[1:]]
        entries = [Entry(chosen[0], euro(-sum(amounts)))]
        entries += [Entry(to, euro(minor)) for to, minor in zip(chosen[1:], amounts, strict=True)]
        self.transfers.append(BOOKS.post(entries, **self.named()).reference)

    def move_both_ways(self) -> None:
        """Two transfers in one transaction, over accounts in any order: what deadlocks are for."""
        self.move()
        self.move()

    def hold(self) -> None:
        """Set money aside."""
        account = self.chance.choice(self.accounts)
        held = BOOKS.hold(
            account, euro(self.chance.randint(1, 300)), expires_at=None, **self.named()
        )
        self.holds.append(held.reference)

    def close(self) -> None:
        """Capture or void a hold of one's own."""
        if not self.holds:
            return
        reference = self.holds.pop(self.chance.randrange(len(self.holds)))
        if self.chance.random() < 0.5:
            BOOKS.void(reference)
            return
        to = Entry(self.chance.choice(self.accounts), euro(self.chance.randint(1, 300)))
        BOOKS.capture(reference, [to], closes=self.chance.random() < 0.7, **self.named())

    def reverse(self) -> None:
        """Take back a transfer, in part or whole."""
        if not self.transfers:
            return
        reference = self.chance.choice(self.transfers)
        amount = self.chance.choice([None, euro(self.chance.randint(1, 200))])
        named = self.named()
        BOOKS.reverse(reference, source=named["source"], key=named["key"], amount=amount)


def hammer(url: str, processes: int, seconds: int, *accounts: int) -> None:
    """Run so many hammers and print what happened to all of them."""

    def life(seed: int) -> None:
        one = Hammer(application(url), seed, list(accounts))
        one.run(seconds)
        print(json.dumps(one.outcomes))

    children = [Child(lambda seed=seed: life(seed)) for seed in range(processes)]  # type: ignore[misc]
    outcomes: Counter[str] = Counter()
    for each in children:
        each.wait()
        outcomes.update(json.loads(each.lines()[0]))
    print(json.dumps(outcomes))


def keys(url: str, processes: int, number: int, kills: int, bank: int, account: int) -> None:
    """Have every key tried by every process, and kill some of them on the way."""

    def life(first: int) -> None:
        app = application(url)
        for each in range(first, number):
            entries = [Entry(bank, euro(-1)), Entry(account, euro(1))]
            named = {"source": "keys", "purpose": "key", "key": f"key-{each}"}
            posted = db.in_transaction(lambda e=entries, n=named: BOOKS.post(e, **n), app)  # type: ignore[misc]
            print(posted.reference, flush=True)

    def born(first: int) -> Child:
        return Child(lambda: life(first))

    chance, killed = random.Random(7), 0
    answers: list[list[str]] = [[] for _ in range(processes)]
    children = [born(0) for _ in range(processes)]
    while any(len(each) < number for each in answers):
        time.sleep(chance.uniform(0.1, 0.5))
        for place, child in enumerate(children):
            answers[place] += child.lines()
        working = [place for place, each in enumerate(answers) if 0 < len(each) < number]
        if killed < kills and working:
            place = chance.choice(working)
            children[place].kill()
            answers[place] += children[place].lines()
            children[place] = born(len(answers[place]))
            killed += 1
    for child in children:
        child.wait()
    print(json.dumps({"killed": killed, "answers": answers}))


if __name__ == "__main__":
    {"hammer": hammer, "keys": keys}[sys.argv[2]](sys.argv[1], *map(int, sys.argv[3:]))
