"""The plugin as the host sees it: tables and models, commands, jobs, demo, texts, personal data."""

import json
import time
from datetime import UTC, datetime
from random import Random

import pytest
from click.testing import CliRunner

from torg import jobs as torg_jobs
from torg import migrate, outbox
from torg.db import unit_of_work
from torg.demo import Demo
from torg_autotrade import commands, personal, sample
from torg_autotrade.schemas import market as market_shapes
from torg_autotrade.schemas import trading as trading_shapes
from torg_autotrade.services import offers


def test_tables_and_models_agree(market):
    assert migrate.check(market.app, ["autotrade"]).drift.get("autotrade", []) == []


def test_the_demo_trades_through_a_year_and_leaves_sound_books(market):
    for _ in range(30):
        market.person()
    demo = Demo("autotrade", Random(1), datetime.now(UTC), "http://127.0.0.1:8000")
    started = time.monotonic()
    with unit_of_work(app=market.app):
        sample.fill(demo)
    print(f"the demo took {time.monotonic() - started:.1f} s")
    assert demo.tries
    (found,) = market.sql(
        "SELECT count(*) AS sales, min(sold_at) AS first, max(sold_at) AS last,"
        " (SELECT count(*) FROM autotrade_dealer) AS dealers,"
        " (SELECT count(*) FROM autotrade_supplier) AS suppliers,"
        " (SELECT count(*) FROM autotrade_car_model) AS models,"
        " (SELECT count(*) FROM autotrade_buyer) AS buyers FROM autotrade_sale"
    )
    assert (found.dealers, found.suppliers, found.models) == (4, 6, 40)
    assert found.sales > 60
    assert found.buyers <= 20
    assert (found.last - found.first).days > 300
    assert market.prove() == []


def run(market, *words):
    with market.app.app_context():
        return CliRunner().invoke(commands.group, list(words))


def test_generate_run_and_prove_work_from_the_command_line(market):
    said = run(market, "generate", "--yes", "--ticks", "3", "--models", "6", "--buyers", "5")
    assert said.exit_code == 0, said.output
    assert "sales" in said.output
    for kind in ("sales", "supply", "review"):
        assert run(market, "run", kind).exit_code == 0
        assert run(market, "run", kind, "--dry-run").exit_code == 0
    said = run(market, "prove")
    assert (said.exit_code, "the market is sound" in said.output) == (0, True)
    assert json.loads(run(market, "prove", "--json").stdout)["is_sound"] is True


def test_prove_exits_with_one_and_names_what_is_wrong(market):
    run(market, "generate", "--yes", "--ticks", "2", "--models", "4", "--buyers", "3")
    market.sql("UPDATE autotrade_dealer_stock SET quantity = quantity + 1 WHERE id = 1")
    said = run(market, "prove")
    assert said.exit_code == 1
    assert "AT1" in said.output


def test_a_person_is_shown_what_is_kept_and_forgotten_but_for_the_deals(market):
    model = market.car()
    anna = market.person(1_000_000)
    market.offer(anna, model, 500_000)
    with unit_of_work(app=market.app):
        offers.set_profile(anna.id, {"full_name": "Anna", "country": "DE", "city": "Kiel"})
    with unit_of_work(app=market.app):
        kept = personal.export(anna.id)
        json.dumps(kept)
        personal.erase(anna.id)
        left = personal.export(anna.id)
    assert kept["profile"]["full_name"] == "Anna"
    assert kept["offers"][0]["amount"] == {"amount": "5000.00", "currency": "EUR"}
    assert left["profile"]["full_name"] == ""
    assert left["offers"] == kept["offers"]


def test_every_job_is_declared_and_runs_on_empty_hands(market):
    with unit_of_work(app=market.app):
        for kind in ("sales", "supply", "review"):
            assert outbox.enqueue("autotrade.run", {"kind": kind})
        assert outbox.enqueue("autotrade.tidy", {})
    assert torg_jobs.run_due(market.app) >= 4
    assert market.sql("SELECT job, last_error FROM torg_outbox WHERE last_error IS NOT NULL") == []


def test_a_run_split_into_parts_does_all_of_the_work(make_market):
    market = make_market(parts=3)
    models = [market.car() for _ in range(4)]
    market.supplier(dict.fromkeys(models, 1_000_000))
    dealers = [market.dealer() for _ in range(4)]
    with unit_of_work(app=market.app):
        outbox.enqueue("autotrade.run", {"kind": "supply"})
    torg_jobs.run_due(market.app)
    torg_jobs.run_due(market.app)
    assert [market.stock(d, m).quantity for d in dealers for m in models] == [5] * 16


@pytest.mark.parametrize("module", [market_shapes, trading_shapes])
def test_every_amount_is_money_with_its_currency_and_no_number(module):
    shapes = [each for each in vars(module).values() if isinstance(each, type)]
    fields = {name for each in shapes for name in getattr(each, "_declared_fields", ())}
    assert fields & {"price", "total"}
    assert {name for name in fields if name.endswith("_minor")} == set()
