"""The plugin as the host sees it: its tables and models agree, its command, its contract."""

import json

import pytest
from click.testing import CliRunner

from torg import contracts, migrate
from torg.db import unit_of_work
from torg_wallet import commands, jobs


def test_tables_and_models_agree(books):
    assert migrate.check(books.app, ["wallet"]).drift.get("wallet", []) == []


def test_the_contract_is_offered_in_version_one(books):
    with books.app.app_context():
        assert contracts.find("ledger", ">=1,<2") is not None
        assert contracts.find("ledger", ">=2") is None


def run(books, *words):
    with books.app.app_context():
        return CliRunner().invoke(commands.group, list(words))


def test_prove_says_that_the_books_are_sound(books):
    books.account(100)
    said = run(books, "prove")
    assert (said.exit_code, "the books are sound" in said.output) == (0, True)
    assert json.loads(run(books, "prove", "--json").output)["is_sound"] is True


def test_prove_exits_with_one_and_names_what_is_wrong(make_books):
    broken = make_books()
    broken.account(100)
    broken.sql("ALTER TABLE wallet_account DISABLE TRIGGER ALL")
    broken.sql("UPDATE wallet_account SET posted_minor = posted_minor + 1 WHERE id = 1")
    said = run(broken, "prove")
    assert said.exit_code == 1
    assert "LE3: account 1" in said.output


def test_the_nightly_job_fails_when_the_books_are_broken(make_books):
    broken = make_books()
    broken.sql("ALTER TABLE wallet_entry DISABLE TRIGGER ALL")
    with unit_of_work("read", broken.app), pytest.raises(jobs.BooksBrokenError):
        jobs.prove({}, None)
