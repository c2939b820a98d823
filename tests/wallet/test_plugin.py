"""The plugin as the host sees it: its tables and models agree, its command, its contract."""

import json
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner

import torg_wallet
from torg import contracts, migrate, outbox, plugin_imports
from torg import jobs as torg_jobs
from torg.db import unit_of_work
from torg.demo import Demo
from torg.health import Degraded, Failing
from torg.money import Money
from torg_wallet import checks, commands, jobs, personal, sample
from torg_wallet.services import payments, referrals


def test_tables_and_models_agree(books):
    assert migrate.check(books.app, ["wallet"]).drift.get("wallet", []) == []


def test_a_contract_package_is_no_other_plugin(books):
    folder = Path(torg_wallet.__file__).parent
    assert plugin_imports.problems("torg_wallet", folder, []) == []
    assert plugin_imports.problems("torg_else", folder, ["torg_wallet"]) != []


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


def test_a_person_is_shown_what_is_kept_and_forgotten_but_for_the_books(books):
    anna, ben = books.person("anna"), books.person("ben")
    account = books.account(1000, anna)
    books.held(account, 100)
    with unit_of_work(app=books.app):
        referrals.accept(ben.id, referrals.make_code(anna.id))
        payments.create_deposit(anna.id, Money(500, "EUR"), "manual")
    with unit_of_work(app=books.app):
        kept = personal.export(anna.id)
        json.dumps(kept)
        personal.erase(anna.id)
        left = personal.export(anna.id)
    assert kept["accounts"][0]["posted"] == {"amount": "10.00", "currency": "EUR"}
    assert [len(kept[name]) for name in ("entries", "holds", "deposits")] == [1, 1, 1]
    assert kept["referral_code"] is not None
    assert left["referral_code"] is None
    assert left["entries"] == kept["entries"]


def test_the_demo_gives_people_money_and_leaves_sound_books(books):
    for number in range(4):
        books.person(f"demo{number}")
    demo = Demo("wallet", Random(1), datetime.now(UTC), "http://127.0.0.1:8000")
    with unit_of_work(app=books.app):
        sample.fill(demo)
    held = "SELECT count(DISTINCT owner_id) FROM wallet_account WHERE posted_minor > 0"
    assert books.sql(held + " AND owner_id IS NOT NULL") == [(7,)]
    assert books.prove() == []


def test_the_health_checks_say_what_is_wrong(make_books):
    broken = make_books()
    broken.account(100)
    with unit_of_work("read", broken.app):
        assert checks.books_sum_to_zero() == "every currency sums to zero"
        assert checks.providers_make_sense() == "nothing contradicts what is booked"
    broken.sql("ALTER TABLE wallet_account DISABLE TRIGGER ALL")
    broken.sql("UPDATE wallet_account SET posted_minor = posted_minor + 1 WHERE id = 1")
    broken.sql(
        "INSERT INTO wallet_provider_event (provider, event_id, reference, status, amount_minor,"
        " currency, outcome) VALUES ('x', '1', 'DP0', 'failed', 1, 'EUR', 'contradicts')"
    )
    with unit_of_work("read", broken.app):
        with pytest.raises(Failing):
            checks.books_sum_to_zero()
        with pytest.raises(Degraded):
            checks.providers_make_sense()


def test_every_job_is_declared_and_runs_on_empty_hands(books):
    with unit_of_work(app=books.app):
        for name in ("expire_holds", "ask_silent", "settle_points", "prove"):
            assert outbox.enqueue(f"wallet.{name}", {})
    assert torg_jobs.run_due(books.app) >= 4
    dead = books.sql("SELECT job, last_error FROM torg_outbox WHERE last_error IS NOT NULL")
    assert dead == []
