"""Promises of the demo's data: filled once, the same each time, never among real people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import text

from torg import config, db, hookimpl
from torg.app import create_app
from torg.command_errors import CommandError
from torg.demo import Demo, background_demo, fill, function_named
from torg.manifest import Manifest

BASE = "http://127.0.0.1:8000"
Make = Callable[..., Any]


def never_ending(demo: Demo) -> None:
    """A background function for registration only."""
    demo.wait(0)


def plugin(name: str, fills: Callable[[Demo], object], folder: Path) -> ModuleType:
    """A pretend plugin whose demo data is `fills`."""
    module = ModuleType(f"torg_{name}")
    module.MANIFEST = Manifest(name, module.__name__, "1", folder, title=name)  # type: ignore[attr-defined]

    @hookimpl
    def torg_demo_data(demo: Demo) -> None:
        fills(demo)

    module.torg_demo_data = torg_demo_data  # type: ignore[attr-defined]
    return module


@pytest.fixture
def make(make_app: Callable[..., Any], tmp_path: Path) -> Iterator[Make]:
    """Applications with pretend plugins, all on one fresh migrated database."""
    settings = config.of(make_app([]))
    made = []

    def build(**fills: Callable[[Demo], object]) -> Any:
        extra = [plugin(name, each, tmp_path / name) for name, each in fills.items()]
        app = create_app(settings, extra=extra)
        made.append(app)
        return app

    yield build
    for app in made:
        with app.app_context():
            db.db.engine.dispose()


def people(app: Any) -> int:
    with db.unit_of_work("read", app) as session:
        return int(session.scalar(text("SELECT count(*) FROM torg_identity")))


def add_person(demo: Demo) -> None:
    db.session.execute(text("INSERT INTO torg_identity DEFAULT VALUES"))


def test_a_plugin_is_filled_once_however_often_the_demo_starts(make: Make) -> None:
    app = make(stall=add_person)
    assert fill(app, BASE).fresh == ("stall",)
    second = fill(app, BASE)
    assert (second.fresh, second.before) == ((), ("stall",))
    assert people(app) == 1


def test_a_plugin_enabled_later_is_filled_then(make: Make) -> None:
    fill(make(first=add_person), BASE)
    app = make(first=add_person, second=add_person)
    assert fill(app, BASE).fresh == ("second",)
    assert people(app) == 2


def test_the_same_seed_gives_the_same_data_whatever_other_plugins_there_are(make: Make) -> None:
    drawn: list[list[int]] = []

    def draw(demo: Demo) -> None:
        drawn.append([demo.random.randrange(1000) for _ in range(5)])

    def draw_much(demo: Demo) -> None:
        demo.random.random()

    fill(make(stall=draw), BASE)
    with db.unit_of_work(app=make()) as session:
        session.execute(text("DROP SCHEMA torg_demo CASCADE"))
    fill(make(earlier=draw_much, stall=draw), BASE)
    assert drawn[0] == drawn[1]


def test_data_and_its_record_are_kept_together_or_not_at_all(make: Make) -> None:
    def half(demo: Demo) -> None:
        add_person(demo)
        raise RuntimeError("half-way")

    app = make(broken=half, whole=add_person)
    filled = fill(app, BASE)
    assert filled.failures == {"broken": "RuntimeError: half-way"}
    assert filled.fresh == ("whole",)
    assert people(app) == 1
    assert fill(make(broken=add_person, whole=add_person), BASE).fresh == ("broken",)


def test_a_database_with_real_people_is_refused_and_unchanged(make: Make) -> None:
    app = make(stall=add_person)
    with db.unit_of_work(app=app) as session:
        session.execute(text("INSERT INTO torg_identity DEFAULT VALUES"))
    with pytest.raises(CommandError, match="people of a real deployment"):
        fill(app, BASE)
    assert people(app) == 1
    with db.unit_of_work("read", app) as session:
        assert session.scalar(text("SELECT to_regnamespace('torg_demo')")) is None


def test_what_plugins_register_is_there_at_every_start(make: Make) -> None:
    def register(demo: Demo) -> None:
        demo.login("anna", "user", "sells clocks")
        demo.show("See it", "curl {base_url}/x")
        demo.background(never_ending)

    app = make(stall=register)
    for filled in fill(app, BASE), fill(app, BASE):
        assert [each.username for each in filled.logins] == ["anna"]
        assert [each.command for each in filled.tries] == ["curl {base_url}/x"]
        assert filled.functions == (("stall", f"{__name__}:never_ending"),)


def test_a_background_function_is_found_again_by_its_name() -> None:
    assert function_named("torg.demo:fill") is fill


def test_only_functions_of_a_module_can_run_in_the_background(make: Make) -> None:
    def register(demo: Demo) -> None:
        demo.background(lambda demo: None)

    assert "is no module-level function" in fill(make(stall=register), BASE).failures["stall"]


def test_a_background_function_is_told_when_to_leave(make: Make) -> None:
    with db.unit_of_work("read", make()):
        demo = background_demo("stall", BASE, db.database_now())
    assert demo.wait(0) is False
    demo.stop()
    assert demo.wait(3600) is True


def test_a_person_nobody_made_is_named(make: Make) -> None:
    def ask(demo: Demo) -> None:
        demo.person("nobody-of-that-name")

    assert "nobody-of-that-name" in fill(make(stall=ask), BASE).failures["stall"]
