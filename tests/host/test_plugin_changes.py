"""A switched-off plugin is noticed once, and the others are told by name."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from torg import db, hookimpl, plugin_changes, plugins
from torg.db import session
from torg.manifest import Manifest
from torg.plugin_changes import PluginRow
from torg.plugins import Plugin, State

TOLD: list[str] = []
FAILING: list[bool] = []


@hookimpl
def torg_on_disable(plugin: str) -> None:
    if FAILING:
        raise RuntimeError
    TOLD.append(plugin)


@pytest.fixture
def app(make_app: Any) -> Any:
    """An application with a plugin that listens."""
    TOLD.clear()
    FAILING.clear()
    app = make_app([])
    registry = plugins.registry(app)
    module = ModuleType("listener")
    module.torg_on_disable = torg_on_disable  # type: ignore[attr-defined]
    manifest = Manifest(name="listener", package="listener", version="1", path=Path())
    registry.plugins["listener"] = Plugin(manifest, State.ACTIVE, module=module)
    registry.order.append("listener")
    registry.manager.register(module, name="listener")
    return app


def was_on(app: Any, name: str) -> None:
    with db.unit_of_work(app=app):
        session.merge(PluginRow(name=name, is_enabled=True))


def test_a_plugin_that_was_on_and_is_off_is_told_of_once(app: Any) -> None:
    was_on(app, "stall")

    assert plugin_changes.note(app) == ["stall"]
    assert plugin_changes.note(app) == []
    assert TOLD == ["stall"]


def test_one_that_came_back_and_went_again_is_told_of_again(app: Any) -> None:
    was_on(app, "stall")
    plugin_changes.note(app)
    was_on(app, "stall")

    plugin_changes.note(app)

    assert TOLD == ["stall", "stall"]


def test_a_plugin_that_is_on_is_remembered_and_not_told_of(app: Any) -> None:
    assert plugin_changes.note(app) == []

    with db.unit_of_work("read", app):
        assert session.get_one(PluginRow, "listener").is_enabled


def test_when_a_listener_fails_all_are_asked_again_at_the_next_look(app: Any) -> None:
    was_on(app, "stall")
    FAILING.append(True)
    with pytest.raises(plugin_changes.NotToldError, match="of plugin listener"):
        plugin_changes.note(app)
    FAILING.clear()

    assert plugin_changes.note(app) == ["stall"]
    assert TOLD == ["stall"]
