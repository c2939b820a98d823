"""Every plugin's metrics keep to the contract `metrics`, whoever comes to count them."""

import importlib
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Text, cast, select, text

from torg import i18n, plugins
from torg.db import session, unit_of_work
from torg.manifest import discover
from torg_metrics import Aggregate, Facts, Metric, Ratio, Unit

PLUGINS = ("auth", "auction", "wallet", "shop", "autotrade")
METRICS = {name: tuple(importlib.import_module(f"torg_{name}.metrics").METRICS) for name in PLUGINS}
ALL = [each for found in METRICS.values() for each in found]


def _parts(countable: Metric | Ratio) -> tuple[Metric, ...]:
    return (countable.top, countable.bottom) if isinstance(countable, Ratio) else (countable,)


FACTS: dict[str, Facts] = {part.facts.name: part.facts for each in ALL for part in _parts(each)}
_NAMES = sorted(FACTS)
MARKET = ("auth", "wallet", "auction", "shop", "autotrade")


@pytest.fixture(scope="module")
def market(torg_environment, tmp_path_factory):
    from torg.testing import AppMaker

    maker = AppMaker(torg_environment, tmp_path_factory.mktemp("metrics"))
    yield maker(list(MARKET))
    maker.close()


def _values(facts: Facts) -> list[Metric]:
    return [part for each in ALL for part in _parts(each) if part.facts.name == facts.name]


def test_the_table_of_the_specification_is_covered():
    wanted = {
        "auth": ("registrations", "confirmation_rate", "active_users"),
        "auction": (
            *("auctions", "sell_through", "bids_per_auction", "bidders", "hammer_to_start"),
            *("extensions", "turnover", "last_bid_before_end"),
        ),
        "wallet": ("turnover", "deposits", "payouts", "outstanding_holds"),
        "shop": (
            *("gross_sales", "net_sales", "orders", "average_order", "units", "customers"),
            *("returning_rate", "conversion"),
        ),
        "autotrade": (
            *("cars_sold", "revenue", "cost", "profit", "margin", "unique_buyers"),
            *("days_in_stock", "stock_value", "turn_rate", "units_supplied", "supply_revenue"),
            *("dealers_served", "discount_given", "spent", "cars_bought", "average_discount"),
            "offers_refused",
        ),
    }
    names = {each.name for each in ALL}
    assert {f"{plugin}.{name}" for plugin, of in wanted.items() for name in of} <= names


def test_names_are_unique_and_begin_with_their_plugin():
    names = [each.name for each in ALL]
    assert len(names) == len(set(names))
    for plugin, found in METRICS.items():
        for each in found:
            assert each.name.startswith(f"{plugin}."), each.name
            assert all(part.facts.name.startswith(f"{plugin}.") for part in _parts(each))


def test_facts_of_one_name_are_one_object():
    for each in ALL:
        for part in _parts(each):
            assert FACTS[part.facts.name] is part.facts


def test_every_formula_is_a_sentence_of_what_equals_what():
    for each in ALL:
        assert " = " in each.formula, each.name


def test_parts_of_a_ratio_are_in_the_catalogue_too():
    names = {each.name for each in ALL}
    for each in ALL:
        assert {part.name for part in _parts(each)} <= names, each.name


@pytest.mark.parametrize("plugin", PLUGINS)
def test_every_title_and_formula_has_its_russian(plugin):
    texts = [word for each in METRICS[plugin] for word in (each.title, each.formula)]
    texts += [one.title for each in METRICS[plugin] for one in each.dimensions]
    package = Path(importlib.import_module(f"torg_{plugin}.metrics").__file__).parent
    assert i18n.untranslated("ru", texts, [package / "translations"]) == []


@pytest.mark.parametrize("name", _NAMES)
def test_rows_have_the_columns_that_the_contract_demands(name):
    facts = FACTS[name]
    columns = facts.select().selected_columns.keys()
    wanted = {"happened_at", "recorded_at", *(each.name for each in facts.dimensions)}
    for each in _values(facts):
        wanted |= {word for word in (each.value, each.where) if word is not None}
        if each.unit is Unit.MONEY:
            wanted.add("currency")
            assert each.value is not None
            assert each.aggregate is not Aggregate.DISTINCT
    assert wanted <= set(columns)
    assert len(columns) == len(set(columns))
    assert all(set(group) <= {each.name for each in facts.dimensions} for group in facts.together)


@pytest.mark.parametrize("when", ["recorded_at", "happened_at"])
@pytest.mark.parametrize("name", _NAMES)
def test_news_and_days_are_found_by_an_index(market, name, when):
    rows = FACTS[name].select().subquery("facts")
    some = select(rows).where(rows.c[when] > text("now()"))
    with unit_of_work("write", market):
        # On empty tables every plan costs the same: the planner is asked whether it has a choice.
        session.execute(text("SET LOCAL enable_seqscan = off"))
        statement = some.compile(session.get_bind(), compile_kwargs={"literal_binds": True})
        plan = "\n".join(session.scalars(text(f"EXPLAIN {statement}".replace(":", r"\:"))))
    assert "Seq Scan" not in plan, plan


@pytest.mark.parametrize("name", _NAMES)
def test_names_of_values_take_one_statement_and_none_is_no_trouble(market, name, count_queries):
    for dimension in FACTS[name].dimensions:
        if dimension.names is None:
            continue
        with unit_of_work("read", market):
            assert dict(dimension.names([])) == {}
            with count_queries() as counted:
                assert dict(dimension.names(["1", "2", "x", "99999999"])) == {}
            assert counted.total <= 1, counted.statements


@pytest.mark.parametrize("name", _NAMES)
def test_what_is_ones_own_is_one_column_that_the_facts_can_be_held_against(market, name):
    rows = FACTS[name].select().subquery("facts")
    for dimension in FACTS[name].dimensions:
        if dimension.own is None:
            continue
        own = dimension.own(1)
        assert len(own.selected_columns) == 1
        with unit_of_work("read", market):
            column = rows.c[dimension.name]
            assert session.execute(select(cast(column, Text)).where(column.in_(own))).all() == []


def test_metrics_are_asked_for_only_where_somebody_counts(market):
    present = plugins.registry(market)
    for name in MARKET:
        assert present.plugins[name].loaded, present.plugins[name].reason
    offered: list[Any] = [
        each
        for plugin in MARKET
        for each in present.plugins[plugin].module.stats_metrics()  # type: ignore[union-attr]
    ]
    assert sorted(each.name for each in offered) == sorted(each.name for each in ALL)
    assert "stats" in {each.name for each in discover()}
