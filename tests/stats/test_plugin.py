"""The plugin as the host sees it: tables and models, texts, demo."""

import inspect
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import torg_stats
from torg import i18n, migrate, translatable
from torg.db import unit_of_work
from torg.demo import Demo
from torg.errors import TorgError
from torg_stats import errors, sample


def test_tables_and_models_agree(market):
    assert migrate.check(market.app, ["stats"]).drift.get("stats", []) == []


def test_every_text_has_its_russian():
    here = Path(torg_stats.__file__).parent
    explanations = [
        inspect.cleandoc(kind.__doc__)
        for kind in vars(errors).values()
        if isinstance(kind, type)
        and issubclass(kind, TorgError)
        and kind.__module__ == errors.__name__
    ]
    assert translatable.untranslated(here) == []
    assert i18n.untranslated("ru", explanations, [here / "translations"]) == []


def test_the_demo_works_where_nothing_of_its_wishes_is_counted(market):
    demo = Demo("stats", Random(1), datetime.now(UTC), "http://127.0.0.1:8000")
    with unit_of_work(app=market.app):
        sample.fill(demo)
    assert market.sql("SELECT count(*) FROM stats_report") == [(0,)]
