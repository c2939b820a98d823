"""The plugin as the host sees it: tables and models, texts, demo."""

from datetime import UTC, datetime
from random import Random

from torg import migrate
from torg.db import unit_of_work
from torg.demo import Demo
from torg_stats import sample


def test_tables_and_models_agree(market):
    assert migrate.check(market.app, ["stats"]).drift.get("stats", []) == []


def test_the_demo_works_where_nothing_of_its_wishes_is_counted(market):
    demo = Demo("stats", Random(1), datetime.now(UTC), "http://127.0.0.1:8000")
    with unit_of_work(app=market.app):
        sample.fill(demo)
    assert market.sql("SELECT count(*) FROM stats_report") == [(0,)]
