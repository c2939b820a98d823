"""The plugin as the host sees it: tables, events, health, commands, people's data, the demo."""

import inspect
import json
import re
from collections import Counter
from pathlib import Path

import click.testing
import pytest

import torg_auction
from torg import events, health, i18n, jobs, migrate, outbox, plugins
from torg.config import settings
from torg.db import db, session, unit_of_work
from torg.demo import background_demo, fill
from torg.events import Subscription
from torg_auction import commands, domain, personal
from torg_auction import demo as auction_demo


def euro(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


class TestTables:
    def test_are_those_of_the_models(self, site):
        assert migrate.check(site.app, ["auction"]).drift == {"auction": []}

    def test_go_and_come_back(self, make_site):
        app = make_site().app
        with app.app_context():
            migrate.downgrade(db.engine, migrate.streams_of(app), {"auction": "base"})
            left = session.execute(
                db.text(
                    "SELECT relname FROM pg_class WHERE relname LIKE 'auction%' UNION ALL"
                    " SELECT proname FROM pg_proc WHERE proname LIKE 'auction%' UNION ALL"
                    " SELECT typname FROM pg_type WHERE typname LIKE 'auction%'"
                )
            ).scalars()
            assert list(left) == []
            session.remove()
        steps = ["auction_0001", "auction_0002", "auction_0003", "auction_0004"]
        assert migrate.upgrade(app) == steps
        assert migrate.check(app, ["auction"]).sound


class TestEvents:
    @pytest.fixture
    def heard(self, site):
        found: list[tuple[str, dict]] = []
        registry = site.app.extensions["torg.events"]
        before = list(registry.subscriptions)
        for name in ("auction.created", "auction.bid_placed", "auction.closed"):
            registry.subscribe(
                "testkit",
                Subscription(
                    name, lambda payload, name=name: found.append((name, payload)), "in_transaction"
                ),
            )
        yield found
        registry.subscriptions = before

    def test_tell_of_creation_prices_and_closing_once(self, site, heard):
        owner, ann = site.person(), site.person()
        lot = site.create(owner, buy_now_price=euro("99.00"))["id"]
        site.call("POST", f"/{lot}/buy-now", ann)
        for _ in range(2):
            jobs.run_due(site.app)
        mine = [(name, payload) for name, payload in heard if payload["auction_id"] == lot]
        assert [name for name, _ in mine] == [
            "auction.created",
            "auction.closed",
            "auction.bid_placed",
        ]
        closed = mine[1][1]
        assert (closed["outcome"], closed["winner_id"], closed["hammer_price"]) == (
            "bought_now",
            ann.id,
            euro("99.00"),
        )
        assert mine[2][1]["amount"] == euro("99.00")

    def test_a_subscriber_that_fails_loses_no_event(self, site, heard):
        lot = site.create()["id"]
        site.bid(lot, site.person(), "10.00")
        failing = Subscription("auction.bid_placed", refuse, "in_transaction")
        registry = site.app.extensions["torg.events"]
        registry.subscribe("testkit", failing)
        jobs.run_due(site.app)
        registry.subscriptions.pop()
        site.database.all("UPDATE torg_outbox SET run_at = now() WHERE state = 'queued'")
        jobs.run_due(site.app)
        told = [name for name, payload in heard if payload["auction_id"] == lot]
        assert "auction.bid_placed" in told

    def test_are_declared_with_a_version(self, site):
        with site.app.app_context():
            declared = events.registry().declared
        assert {name for name in declared if name.startswith("auction.")} == {
            "auction.created",
            "auction.bid_placed",
            "auction.closed",
        }


def refuse(_payload) -> None:
    raise RuntimeError("not now")


class TestHealth:
    def test_is_well_when_nothing_is_overdue(self, make_site):
        assert part(make_site()).status == "ok"

    def test_is_degraded_when_an_auction_waits_for_over_a_minute(self, make_site):
        site = make_site()
        site.database.auction(owner_id=site.person().id, ends_in=-90)
        found = part(site)
        assert (found.status, found.critical) == ("degraded", False)
        assert "1 auctions" in found.detail


def part(site) -> health.Part:
    (found,) = [each for each in health.readiness(site.app).parts if "closing" in each.name]
    return found


class TestCommands:
    def test_prove_replays_every_log(self, site):
        site.get(f"/{site.ended(site.person(), [(site.person(), 1500)])}")
        result = run(site, "prove", "--json")
        assert result.exit_code == 0, result.output
        assert json.loads(result.output)["problems"] == {}

    def test_prove_proves_a_wild_auction(self, site, bidding):
        soft = {"soft_window_seconds": 7200, "soft_extension_seconds": 9, "soft_max_extensions": 3}
        owner, *crowd = (site.person() for _ in range(6))
        lot = site.database.auction(owner_id=owner.id, reserve_price_minor=4000, **soft)
        with site.database.cursor() as cursor:
            for number in range(200):
                kind = ("amount", "maximum", "maximum")[number % 3]
                offer = 1000 + 37 * number + 100 * (number % 7)
                bidding(cursor, lot, crowd[number * 7 % 5].id, **{kind: offer})
        result = run(site, "prove", "--auction", str(lot))
        assert (result.exit_code, result.output) == (0, "1 of 1 auctions follow from their bids\n")

    def test_prove_finds_a_log_that_was_forged_past_the_laws(self, make_site):
        site = make_site()
        lot = site.create()["id"]
        for amount in ("10.00", "20.00", "30.00"):
            site.bid(lot, site.person(), amount)
        site.database.all(
            "ALTER TABLE auction_bid DISABLE TRIGGER USER;"
            "UPDATE auction_bid SET amount_minor = 1001 WHERE seq = 3;"
            "ALTER TABLE auction_bid ENABLE TRIGGER USER"
        )
        result = run(site, "prove")
        assert result.exit_code == 1
        assert f"auction {lot}: bid 3 breaks the rule bid_too_low" in result.output

    def test_close_due_closes(self, make_site):
        site = make_site()
        site.ended(site.person())
        assert run(site, "close-due").output == "1 closed\n"
        assert run(site, "close-due").output == "0 closed\n"


def run(site, *arguments: str) -> click.testing.Result:
    with site.app.app_context():
        return click.testing.CliRunner().invoke(commands.group, list(arguments))


class TestPersonalData:
    def test_is_shown_to_its_person(self, site):
        ann, ben, owner = site.person(), site.person(), site.person()
        made = site.create(ann, title="Mine")["id"]
        open_lot = site.create(owner)["id"]
        site.bid(open_lot, ann, maximum="70.00")
        won = site.ended(owner, [(ben, 1000), (ann, 1500)])
        site.get(f"/{won}")
        site.call("PUT", f"/{open_lot}/watch", ann)
        with unit_of_work(app=site.app):
            kept = personal.export(ann.id)
        json.dumps(kept)
        assert [each["id"] for each in kept["auctions"]] == [made]
        assert {each["auction_id"] for each in kept["bids"]} == {open_lot, won}
        assert kept["won"] == [won]
        assert kept["watched"] == [open_lot]
        assert kept["maxima"] == [], "the auction is not over yet"

    def test_what_is_ones_own_alone_is_forgotten_and_bids_stay(self, site):
        ann, lot = site.person(), site.create()["id"]
        site.bid(lot, ann, "10.00")
        site.call("PUT", f"/{lot}/watch", ann)
        site.call("PUT", "/preferences", ann, json={"announcements": False})
        with unit_of_work(app=site.app):
            personal.erase(ann.id)
            kept = personal.export(ann.id)
        assert (kept["watched"], kept["announcements"]) == ([], True)
        assert len(kept["bids"]) == 1

    def test_a_bidder_whose_name_is_gone_leaves_the_page_whole(self, site):
        ann, lot = site.person(), site.create()["id"]
        site.bid(lot, ann, "10.00")
        site.people._people.pop(ann.id)
        site.database.all("SELECT 1")
        shown = site.get(f"/{lot}", site.person())
        assert (shown["high_bidder"], shown["bids"][0]["username"]) == (None, None)


@pytest.fixture(scope="module")
def demo_site(make_site):
    site = make_site(demo=True)
    site.database.all("CREATE SCHEMA torg_demo")
    site.database.all(
        "CREATE TABLE torg_demo.filled (id bigint GENERATED ALWAYS AS IDENTITY,"
        " plugin text UNIQUE, filled_at timestamptz DEFAULT now(), registered jsonb)"
    )
    for _ in range(6):
        site.person("demo")
    filled = fill(site.app, "http://127.0.0.1:8000")
    assert filled.failures == {}
    return site


class TestDemo:
    def test_has_thirty_auctions_of_every_kind(self, demo_site):
        items = demo_site.get(limit=100)["items"]
        assert len(items) == 30
        kinds = Counter(item["status"] for item in items)
        assert kinds["active"] >= 10
        assert kinds["upcoming"] >= 2
        assert kinds["finished"] >= 2
        assert any(item["outcome"] == "bought_now" for item in items)

    def test_is_proven_by_its_logs(self, demo_site):
        assert run(demo_site, "prove").exit_code == 0

    def test_has_a_bot_that_keeps_bidding(self, demo_site):
        with demo_site.app.app_context():
            demo = background_demo("auction", settings().host.base_url, None)
            waits = iter([False] * 8 + [True])
            demo.wait = lambda _seconds: next(waits)
            auction_demo.keep_bidding(demo)
        lots = demo_site.get(search="lightning", sort="-id", limit=1)["items"]
        assert lots[0]["bid_count"] > 0


def test_without_the_plugin_its_routes_are_not_there(make_app):
    app = make_app([])
    assert app.test_client().get("/api/v1/auctions").status_code == 404


def test_every_setting_is_described(site):
    with site.app.app_context():
        plugin = plugins.registry().plugins["auction"]
        model = plugins.registry().invoke(plugin, "torg_settings")
    assert all(each.description for each in model.model_fields.values())


def test_every_job_is_declared(site):
    with unit_of_work(app=site.app):
        for job in ("announce", "tell_bid", "close", "close_due", "tell_closed", "tell_ending"):
            with session.begin_nested() as undone:
                assert outbox.enqueue(f"auction.{job}", {})
                undone.rollback()


class TestRussian:
    def test_has_every_rule_of_new_auctions(self, site):
        source = inspect.getsource(domain)
        rules = re.findall(r'"([A-Z][^"]+\.)",?\n', source) + re.findall(
            r'yield "[^"]+", "[^"]+", "([^"]+)"', source
        )
        folder = Path(torg_auction.__file__).parent / "translations"
        assert len(rules) >= 12
        assert i18n.untranslated("ru", rules, [folder]) == []

    def test_speaks_to_whoever_asks_for_it(self, site):
        lot = site.create()["id"]
        answer = site.bid(lot, site.person(), "1.00", headers={"Accept-Language": "ru"})
        assert answer.json["title"] == "Ставка слишком мала"
        assert answer.json["detail"] == "Сейчас принимаются ставки от 10.00 EUR."
        assert answer.json["errors"][0]["message"] == answer.json["detail"]
        past = {**site.terms(), "ends_at": "2020-01-01T00:00:00Z"}
        refused = site.call("POST", "", site.person(), json=past, headers={"Accept-Language": "ru"})
        assert refused.json["errors"][0]["message"] == "Окончание должно быть в будущем."
