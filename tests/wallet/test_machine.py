"""Random histories against a plain model: after every step the books are the model's, and sound.

TORG_LONG=1 runs 10,000 steps. The database's clock is the test's: expiry is a step like any other.
"""

import itertools
import os
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from torg import db
from torg.db import database_now, unit_of_work
from torg.errors import TorgError
from torg.money import Money
from torg_ledger import (
    Entry,
    ExpiryPassedError,
    HoldClosedError,
    HoldExceededError,
    InsufficientFundsError,
    KeyReusedError,
    ReversalError,
)
from torg_wallet.services import expiry

LONG = os.environ.get("TORG_LONG") == "1"
EXAMPLES, STEPS = (240, 50) if LONG else (8, 25)
PEOPLE = 4
_numbers = itertools.count(1)

_CLOCK = """
CREATE TABLE test_clock (ahead interval NOT NULL);
INSERT INTO test_clock VALUES ('0 s');
CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
    'SELECT pg_catalog.clock_timestamp() + ahead FROM public.test_clock';
CREATE FUNCTION public.statement_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS
    'SELECT pg_catalog.statement_timestamp() + ahead FROM public.test_clock';
DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database());
END $$;
"""


def euro(minor):
    return Money(minor, "EUR")


@dataclass
class ModelHold:
    reference: str
    account: int
    remaining: int
    expires: float | None
    captured: int = 0
    open: bool = True


@dataclass
class ModelTransfer:
    reference: str
    entries: dict[int, int]
    left: dict[int, int]
    is_reversal: bool


@dataclass
class Model:
    """What the books should be: five numbers and two lists."""

    posted: dict[int, int]
    bank: int
    holds: list[ModelHold] = field(default_factory=list)
    transfers: list[ModelTransfer] = field(default_factory=list)
    now: float = 0.0

    def expire(self):
        for hold in self.holds:
            if hold.open and hold.expires is not None and hold.expires <= self.now:
                hold.open, hold.remaining = False, 0

    def available(self, account):
        pending = sum(each.remaining for each in self.holds if each.account == account)
        return self.posted[account] - pending

    def allows(self, entries, released=0, held=None):
        return all(
            account == self.bank
            or minor > 0
            or self.available(account) + (released if account == held else 0) + minor >= 0
            for account, minor in entries.items()
        )

    def apply(self, reference, entries, *, is_reversal=False):
        for account, minor in entries.items():
            self.posted[account] += minor
        left = {account: -minor for account, minor in entries.items()}
        self.transfers.append(ModelTransfer(reference, entries, left, is_reversal))


class Machine(RuleBasedStateMachine):
    """Post, hold, capture, void, reverse, expire, retry."""

    books = None
    steps = 0

    def __init__(self):
        super().__init__()
        books = type(self).books()
        self.books = books
        people = [books.account() for _ in range(PEOPLE)]
        bank = books.house("test:machine")
        before = books.balance(bank).posted.minor
        self.model = Model({**dict.fromkeys(people, 0), bank: before}, bank)
        self.accounts = [*people, bank]
        self.done = []

    def call(self, act, expected, *, remember=True):
        """Do it, and see that it ends as the model expects; returns what came back, if anything."""
        try:
            result = db.in_transaction(lambda: act(self.books.ledger), self.books.app)
        except TorgError as refusal:
            result = refusal
        if expected is not None:
            assert type(result) is expected
            return None
        assert not isinstance(result, TorgError), repr(result)
        if remember:
            self.done.append((act, result))
        return result

    def post_entries(self, entries, key):
        sides = [Entry(account, euro(minor)) for account, minor in entries.items()]
        return lambda ledger: ledger.post(sides, source="machine", purpose="machine", key=key)

    @rule(data=st.data(), parts=st.lists(st.integers(1, 500), min_size=1, max_size=3))
    def post(self, data, parts):
        chosen = data.draw(st.permutations(self.accounts))[: len(parts) + 1]
        entries = {chosen[0]: -sum(parts), **dict(zip(chosen[1:], parts, strict=True))}
        expected = None if self.model.allows(entries) else InsufficientFundsError
        posted = self.call(self.post_entries(entries, f"post-{next(_numbers)}"), expected)
        if posted:
            self.model.apply(posted.reference, entries)

    @rule(account=st.integers(0, PEOPLE - 1), minor=st.integers(1, 900))
    def fund(self, account, minor):
        entries = {self.model.bank: -minor, self.accounts[account]: minor}
        posted = self.call(self.post_entries(entries, f"fund-{next(_numbers)}"), None)
        self.model.apply(posted.reference, entries)

    @rule(
        account=st.integers(0, PEOPLE - 1),
        minor=st.integers(1, 500),
        lasts=st.sampled_from([None, -3600, 3600, 7200]),
    )
    def hold(self, account, minor, lasts):
        chosen, model = self.accounts[account], self.model
        expires_at = None
        if lasts is not None:
            with unit_of_work("read", self.books.app):
                expires_at = database_now() + timedelta(seconds=lasts)
        expected = None
        if model.available(chosen) < minor:
            expected = InsufficientFundsError
        elif lasts is not None and lasts < 0:
            expected = ExpiryPassedError
        key = f"hold-{next(_numbers)}"
        named = {"source": "machine", "purpose": "machine", "key": key, "expires_at": expires_at}
        held = self.call(lambda ledger: ledger.hold(chosen, euro(minor), **named), expected)
        if held:
            expires = None if lasts is None else model.now + lasts
            model.holds.append(ModelHold(held.reference, chosen, minor, expires))

    @precondition(lambda self: self.model.holds)
    @rule(data=st.data(), minor=st.integers(1, 500), closes=st.booleans())
    def capture(self, data, minor, closes):
        hold = data.draw(st.sampled_from(self.model.holds))
        target = data.draw(st.sampled_from([a for a in self.accounts if a != hold.account]))
        expected = None
        if not hold.open:
            expected = HoldClosedError
        elif minor > hold.remaining:
            expected = HoldExceededError
        key = f"capture-{next(_numbers)}"
        named = {"source": "machine", "purpose": "machine", "key": key, "closes": closes}
        taken = self.call(
            lambda ledger: ledger.capture(hold.reference, [Entry(target, euro(minor))], **named),
            expected,
        )
        if taken:
            hold.captured += minor
            hold.remaining = 0 if closes else hold.remaining - minor
            hold.open = hold.remaining > 0
            self.model.apply(taken.reference, {hold.account: -minor, target: minor})

    @precondition(lambda self: self.model.holds)
    @rule(data=st.data())
    def void(self, data):
        hold = data.draw(st.sampled_from(self.model.holds))
        expected = HoldClosedError if not hold.open and hold.captured else None
        self.call(lambda ledger: ledger.void(hold.reference), expected, remember=False)
        hold.open, hold.remaining = False, 0

    @precondition(lambda self: self.model.transfers)
    @rule(data=st.data(), minor=st.none() | st.integers(1, 600))
    def reverse(self, data, minor):
        transfer = data.draw(st.sampled_from(self.model.transfers))
        if minor is not None and len(transfer.entries) != 2:
            minor = None
        sign = {account: -1 if value > 0 else 1 for account, value in transfer.entries.items()}
        entries = {a: sign[a] * minor for a in sign} if minor else dict(transfer.left)
        exceeded = transfer.is_reversal or any(
            not entries[a] or abs(entries[a]) > abs(transfer.left[a]) for a in entries
        )
        asked = entries if any(entries.values()) else {a: -v for a, v in transfer.entries.items()}
        expected = ReversalError if exceeded else None
        if not self.model.allows(asked):
            expected = InsufficientFundsError
        amount = euro(minor) if minor else None
        key = f"reverse-{next(_numbers)}"
        back = self.call(
            lambda ledger: ledger.reverse(
                transfer.reference, source="machine", key=key, amount=amount
            ),
            expected,
        )
        if back:
            for account, value in entries.items():
                transfer.left[account] -= value
            self.model.apply(back.reference, entries, is_reversal=True)

    @rule(seconds=st.sampled_from([60, 3500, 4000]), sweep=st.booleans())
    def wait(self, seconds, sweep):
        self.books.sql("UPDATE test_clock SET ahead = ahead + %s * interval '1 s'", seconds)
        self.model.now += seconds
        self.model.expire()
        if sweep:
            db.in_transaction(expiry.expire_holds, self.books.app)

    @precondition(lambda self: self.done)
    @rule(data=st.data())
    def retry(self, data):
        act, first = data.draw(st.sampled_from(self.done))
        again = self.call(act, None, remember=False)
        assert again.reference == first.reference

    @precondition(lambda self: self.done)
    @rule(minor=st.integers(1, 500))
    def reuse_a_key(self, minor):
        key = f"reused-{next(_numbers)}"
        entries = {self.model.bank: -minor, self.accounts[0]: minor}
        posted = self.call(self.post_entries(entries, key), None)
        self.model.apply(posted.reference, entries)
        other = {self.model.bank: -minor - 1, self.accounts[0]: minor + 1}
        self.call(self.post_entries(other, key), KeyReusedError)

    @invariant()
    def the_books_are_the_models(self):
        with unit_of_work("read", self.books.app):
            for account in self.accounts:
                balance = self.books.ledger.balance(account)
                assert balance.posted.minor == self.model.posted[account]
                assert balance.available.minor == self.model.available(account)

    @invariant()
    def the_proof_finds_nothing(self):
        type(self).steps += 1
        assert self.books.prove() == []


@pytest.fixture
def supply(make_books):
    """Books with a clock of the test's; new ones after some histories, so that proofs stay fast."""
    made = []
    uses = itertools.count()

    def current():
        if next(uses) % 10 == 0:
            books = make_books()
            books.sql(_CLOCK)
            with books.app.app_context():
                db.db.engine.dispose()
            from torg_wallet.services.ledger import LedgerService

            books.ledger = LedgerService()
            made.append(books)
        return made[-1]

    return current


@pytest.mark.timeout(3600)
def test_any_history_keeps_the_books_sound(supply):
    machine = type("BooksMachine", (Machine,), {"books": staticmethod(supply)})
    run_machine(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    print(f"machine: {machine.steps} steps")
