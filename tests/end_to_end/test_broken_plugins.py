"""A broken plugin is named, and the host and the other plugins go on."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from torg import migrate
from torg.app import create_app
from torg.config import HostSettings, Settings
from torg.plugins import StartError, State, registry
from torg.testing_processes import eventually

GOOD_MANIFEST = 'name = "{name}"\ntitle = "Pretend"\nurl_prefix = "{name}"\n'
GOOD_PLUGIN = '''
from torg import hookimpl
from torg.blueprint import Blueprint

blueprint = Blueprint("{name}", description="Pretend")


@blueprint.route("/things")
@blueprint.public
@blueprint.response(200)
def things():
    """List things."""
    return {{"items": []}}


@hookimpl
def torg_blueprints():
    return [blueprint]
'''


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Puts a pretend distribution with a plugin on the path, as pip would."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    names: list[str] = []

    def installing(name: str, plugin: str = GOOD_PLUGIN, manifest: str = GOOD_MANIFEST) -> None:
        package = site / f"pretend_{name}"
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "plugin.toml").write_text(manifest.format(name=name), "utf-8")
        (package / "plugin.py").write_text(plugin.format(name=name), "utf-8")
        metadata = site / f"pretend_{name}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: pretend-{name}\nVersion: 1.0\n"
        )
        (metadata / "entry_points.txt").write_text(f"[torg.plugins]\n{name} = pretend_{name}\n")
        names.append(name)

    yield installing
    for name in names:
        for module in [each for each in sys.modules if each.startswith(f"pretend_{name}")]:
            del sys.modules[module]


def assert_named(app: Any, name: str, cause: str) -> None:
    """The host serves the good plugin, and says of the other what is wrong with it."""
    plugin = registry(app).plugins[name]
    assert not plugin.loaded
    assert cause in plugin.reason
    client = app.test_client()
    assert client.get("/api/v1/good/things").status_code == 200
    assert client.get("/openapi.json").status_code == 200
    answer = client.get(f"/api/v1/{name}/things")
    assert answer.status_code == 503
    assert answer.content_type == "application/problem+json"
    ready = client.get("/health/ready").get_data(as_text=True)
    assert name in ready


BROKEN = {
    "import": ("raise RuntimeError('no such luck')", "no such luck"),
    "exit at import": ("raise SystemExit(3)", "end the process"),
    "syntax": ("def (", "SyntaxError"),
    "unknown hook": (
        "from torg import hookimpl\n\n@hookimpl\ndef torg_blueprint():\n    return []\n",
        "torg_blueprint",
    ),
    "unknown argument": (
        "from torg import hookimpl\n\n@hookimpl\ndef torg_blueprints(nothing):\n    return []\n",
        "nothing",
    ),
    "hook raises": (
        "from torg import hookimpl\n\n@hookimpl\ndef torg_jobs():\n    raise ValueError('oh no')\n",
        "oh no",
    ),
    "hook ends the process": (
        "from torg import hookimpl\n\n@hookimpl\ndef torg_jobs():\n    raise SystemExit(3)\n",
        "end the process",
    ),
    "settings that are no model": (
        "from torg import hookimpl\n\n@hookimpl\ndef torg_settings():\n    return 7\n",
        "pydantic model",
    ),
    "unknown permission": (
        GOOD_PLUGIN.replace("@blueprint.public", '@blueprint.requires("bad.thing.raed")'),
        "bad.thing.raed, which plugin.toml does not declare",
    ),
    "permission of another": (
        GOOD_PLUGIN.replace("@blueprint.public", '@blueprint.requires("good.thing.read")'),
        "good.thing.read, which plugin.toml does not declare",
    ),
    "route without access": (GOOD_PLUGIN.replace("@blueprint.public\n", ""), "things"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_plugin_with_broken_code_is_named_and_the_host_is_up(
    install: Callable[..., None], make_app: Any, how: str
) -> None:
    code, cause = BROKEN[how]
    install("good")
    install("bad", plugin=code)

    app = make_app(["good", "bad"])

    assert registry(app).plugins["bad"].state is State.QUARANTINED
    assert_named(app, "bad", cause)
    assert "\n" not in registry(app).plugins["bad"].reason


def test_a_permission_of_a_required_plugin_may_be_asked_for(
    install: Callable[..., None], make_app: Any
) -> None:
    permission = '[permissions]\n"good.thing.read" = {{ title = "Read", roles = ["user"] }}\n'
    code, _cause = BROKEN["permission of another"]
    install("good", manifest=GOOD_MANIFEST + permission)
    install("more", plugin=code, manifest=GOOD_MANIFEST + 'requires = {{ good = ">=1" }}\n')

    app = make_app(["good", "more"])

    assert registry(app).plugins["more"].state is State.ACTIVE
    assert app.test_client().get("/api/v1/more/things").status_code == 401


def test_a_misspelt_permission_is_answered_with_the_nearest_declared_one(
    install: Callable[..., None], make_app: Any
) -> None:
    permission = '[permissions]\n"bad.thing.read" = {{ title = "Read", roles = ["user"] }}\n'
    code, _cause = BROKEN["unknown permission"]
    install("bad", plugin=code, manifest=GOOD_MANIFEST + permission)

    app = make_app(["bad"])

    assert "did you mean bad.thing.read?" in registry(app).plugins["bad"].reason


def test_a_plugin_that_fails_when_all_is_ready_works_on_and_is_named(
    install: Callable[..., None], make_app: Any
) -> None:
    broken = "\n@hookimpl\ndef torg_ready(app):\n    raise OSError('no\\nspace')\n"
    install("good", plugin=GOOD_PLUGIN + broken)

    app = make_app(["good"])

    plugin = registry(app).plugins["good"]
    assert (plugin.state, plugin.reason) == (
        State.ACTIVE,
        "its torg_ready failed: OSError: no space",
    )
    client = app.test_client()
    assert client.get("/api/v1/good/things").status_code == 200
    ready = client.get("/health/ready").json
    assert ready["parts"]["plugins"]["status"] == "degraded"
    assert "good is active with an error" in ready["parts"]["plugins"]["detail"]


def test_a_plugin_that_waits_for_a_misspelt_event_is_named(
    install: Callable[..., None], make_app: Any
) -> None:
    listening = (
        "\n@hookimpl\ndef torg_subscriptions():\n    from torg.events import Subscription\n"
        "    return [Subscription('wallet.deposit_endd', print)]\n"
    )
    install("good", plugin=GOOD_PLUGIN + listening)

    alone = registry(make_app(["good"])).plugins["good"]
    beside = registry(make_app(["auth", "wallet", "good"])).plugins["good"]

    assert (alone.state, alone.reason) == (State.ACTIVE, "")
    assert beside.state is State.ACTIVE
    assert beside.reason.endswith("did you mean wallet.deposit_ended?")


def test_a_plugin_with_a_wrong_manifest_is_named_and_never_imported(
    install: Callable[..., None], make_app: Any
) -> None:
    install("good")
    install("bad", manifest=GOOD_MANIFEST + 'colour = "red"\n')

    app = make_app(["good", "bad"])

    assert_named(app, "bad", "colour")
    assert "pretend_bad.plugin" not in sys.modules


def test_a_plugin_whose_requirement_is_missing_is_blocked_and_named(
    install: Callable[..., None], make_app: Any
) -> None:
    install("good")
    install("bad", manifest=GOOD_MANIFEST + 'requires = {{ absent = ">=1" }}\n')

    app = make_app(["good", "bad"])

    assert registry(app).plugins["bad"].state is State.BLOCKED
    assert_named(app, "bad", "absent")


def test_a_service_that_is_promised_and_not_given_takes_both_sides_out_of_service(
    install: Callable[..., None], make_app: Any
) -> None:
    install("good")
    install("bad", manifest=GOOD_MANIFEST + 'provides = {{ till = "1.0" }}\n')
    install("buyer", manifest=GOOD_MANIFEST + 'consumes = {{ till = ">=1" }}\n')

    app = make_app(["good", "bad", "buyer"])

    assert_named(app, "bad", "plugin.toml says it provides till; torg_services does not")
    assert registry(app).plugins["buyer"].state is State.BLOCKED
    assert_named(app, "buyer", "enable or mend bad")


def test_two_plugins_of_one_prefix_are_both_named(
    install: Callable[..., None], make_app: Any
) -> None:
    install("good")
    install("late", manifest='name = "late"\ntitle = "Late"\nurl_prefix = "good"\n')

    app = make_app(["good", "late"])

    reason = registry(app).plugins["late"].reason
    assert "good" in reason
    assert app.test_client().get("/api/v1/good/things").status_code == 200


def test_an_address_that_a_running_plugin_does_not_serve_is_404(
    install: Callable[..., None], make_app: Any
) -> None:
    manifest = GOOD_MANIFEST + 'root_paths = ["/literal/quiet"]\n'
    install("quiet", plugin="import torg\n", manifest=manifest)

    client = make_app(["quiet"]).test_client()

    for address in ("/api/v1/quiet/things", "/literal/quiet"):
        assert client.get(address).status_code == 404


def test_a_broken_plugin_that_is_required_stops_the_start_by_name(
    install: Callable[..., None], make_app: Any
) -> None:
    install("bad", plugin="raise RuntimeError('no such luck')")

    with pytest.raises(StartError, match=r"bad.*no such luck"):
        make_app(["bad"], required_plugins=("bad",))


def test_a_disabled_plugin_is_never_imported_and_its_routes_are_404(
    install: Callable[..., None], make_app: Any
) -> None:
    install("good")
    install("off")

    app = make_app(["good"])

    assert "pretend_off.plugin" not in sys.modules
    assert app.test_client().get("/api/v1/off/things").status_code == 404


def test_a_plugin_that_waits_for_its_migrations_begins_once_they_are_applied(
    torg_environment: Any, make_app: Any, tmp_path: Path
) -> None:
    url = torg_environment.create("torg_test_pending")
    make_app.adopt("torg_test_pending")
    settings = HostSettings(database_url=url, plugins=("auth",), debug=True, data_dir=str(tmp_path))
    app = create_app(Settings.build(settings))
    client = app.test_client()
    waiting = client.get("/api/v1/auth/permissions")
    assert (waiting.status_code, waiting.json["code"]) == (503, "plugin_unavailable")
    assert registry(app).plugins["auth"].state is State.PENDING

    other_process = create_app(Settings.build(settings))
    migrate.upgrade(other_process)

    eventually(lambda: client.get("/api/v1/auth/permissions").status_code == 401)
