"""Many processes on the same accounts: sound books, no deadlock shown, one effect for each key.

TORG_LONG=1 runs them at the length the promises name.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "support" / "wallet_crowd.py"
LONG = os.environ.get("TORG_LONG") == "1"
PROCESSES = 16
HAMMER_SECONDS = 60 if LONG else 4
KEYS, KILLS = (10_000, 100) if LONG else (300, 5)
TRIES = 4


def crowd(books, *words):
    url = books.app.config["SQLALCHEMY_DATABASE_URI"]
    said = subprocess.run(
        [sys.executable, str(SCRIPT), url, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=1800 if LONG else 150,
    )
    assert said.stderr == ""
    return json.loads(said.stdout)


@pytest.mark.timeout(2000)
def test_sixteen_processes_on_six_accounts_leave_sound_books(books):
    accounts = [books.account(2000) for _ in range(6)]
    outcomes = crowd(books, "hammer", PROCESSES, HAMMER_SECONDS, *accounts)
    print(f"hammer: {outcomes}")
    assert [code for code in outcomes if code.startswith("broken")] == []
    assert outcomes["done"] > PROCESSES
    assert books.prove() == []
    balances = [books.balance(each) for each in accounts]
    assert min(each.available.minor for each in balances) >= 0
    assert sum(each.posted.minor for each in balances) == 12_000


@pytest.mark.timeout(2000)
def test_a_key_tried_four_times_at_once_by_processes_that_die_has_one_effect(books):
    bank, account = books.house(), books.account()
    told = crowd(books, "keys", TRIES, KEYS, KILLS, bank, account)
    print(f"keys: {KEYS} x {TRIES}, {told['killed']} processes killed")
    assert told["killed"] > 0
    assert books.balance(account).posted.minor == KEYS
    assert len(set(told["answers"][0])) == KEYS
    assert all(each == told["answers"][0] for each in told["answers"])
    assert books.prove() == []


_UNLOCKED = """
CREATE OR REPLACE FUNCTION wallet_lock(p_accounts bigint[]) RETURNS timestamptz LANGUAGE sql AS
    'SELECT clock_timestamp()'
"""


def test_without_the_locks_the_laws_alone_keep_the_books_sound_and_clients_notice(make_books):
    lockless = make_books()
    accounts = [lockless.account(2000) for _ in range(4)]
    lockless.sql(_UNLOCKED)
    outcomes = crowd(lockless, "hammer", 8, 2, *accounts)
    assert [code for code in outcomes if code.startswith("broken")] != []
    assert lockless.prove() == []
