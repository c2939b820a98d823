"""Addresses outside of `/api/v1`: whoever claims them serves them, and nobody else's are taken."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from openapi_spec_validator import OpenAPIV31SpecValidator

from torg import manifest, openapi, root_paths
from torg.plugins import State, registry

MANIFEST = 'name = "{name}"\ntitle = "Pretend"\nroot_paths = {claims}\n{more}'
PLUGIN = '''
from torg import hookimpl, identity
from torg.blueprint import Blueprint
from torg.schemas import Schema, Text

blueprint = Blueprint("{name}", at_root=True, description="Pretend")


class Note(Schema):
    """A note."""

    text = Text(maximum=20, required=True, example="hello")


@blueprint.route("{rule}", methods=["POST"])
@blueprint.public
@blueprint.limit("1000 per minute")
@blueprint.arguments(Note)
@blueprint.response(201, Note)
def echo(arguments):
    """Say it again."""
    return arguments


@blueprint.route("{rule}own", methods=["GET"])
@blueprint.requires()
@blueprint.response(200, Note)
def show_own():
    """Show who asks."""
    return {{"text": str(identity.current().id)}}


@blueprint.route("{rule}broken", methods=["GET"])
@blueprint.public
@blueprint.response(200, Note)
def fail():
    """Fail."""
    raise RuntimeError("a secret of the server")


@hookimpl
def torg_blueprints():
    return [blueprint]
'''
CLAIMS = '["/literal/notes"]'


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Puts a third party's distribution on the path, as pip would."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    names: list[str] = []

    def installing(
        name: str, *, rule: str = "/literal/notes/", claims: str = CLAIMS, more: str = ""
    ) -> None:
        package = site / f"rooted_{name}"
        package.mkdir()
        (package / "__init__.py").touch()
        text = MANIFEST.format(name=name, claims=claims, more=more)
        (package / "plugin.toml").write_text(text, "utf-8")
        (package / "plugin.py").write_text(PLUGIN.format(name=name, rule=rule), "utf-8")
        metadata = site / f"rooted_{name}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: rooted-{name}\nVersion: 1.0\n"
        )
        (metadata / "entry_points.txt").write_text(f"[torg.plugins]\n{name} = rooted_{name}\n")
        names.append(name)

    yield installing
    for name in names:
        for module in [each for each in sys.modules if each.startswith(f"rooted_{name}")]:
            del sys.modules[module]


def assert_quarantined(app: Any, name: str, *causes: str) -> None:
    plugin = registry(app).plugins[name]
    assert plugin.state is State.QUARANTINED
    for cause in causes:
        assert cause in plugin.reason, plugin.reason


def test_a_third_party_serves_whole_addresses_with_all_the_host_s_manners(
    install: Callable[..., None], make_app: Any
) -> None:
    install("rooted")
    app = make_app(["rooted"])
    client = app.test_client()

    for address in ("/literal/notes", "/literal/notes/"):
        answer = client.post(address, json={"text": "kept"})
        assert (answer.status_code, answer.json) == (201, {"text": "kept"})
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Request-Id"]
        assert "RateLimit" in answer.headers
    wrong = client.post("/literal/notes", json={"text": 7})
    assert wrong.status_code == 422
    assert wrong.json["errors"][0]["pointer"] == "/text"
    assert client.get("/literal/notes/own").status_code == 401
    anna = app.extensions["torg.testing"].add("anna")
    assert client.get("/literal/notes/own/", headers=anna.headers).status_code == 200
    broken = client.get("/literal/notes/broken")
    assert (broken.status_code, broken.json["code"]) == (500, "internal_error")
    assert "secret" not in broken.get_data(as_text=True)
    for address in ("/literal/notes", "/literal/notes/"):
        refused = client.get(address)
        assert (refused.status_code, refused.json["code"]) == (405, "method_not_allowed")
        assert "POST" in refused.headers["Allow"]
    missing = client.get("/literal/notes/nothing")
    assert (missing.status_code, missing.content_type) == (404, "application/problem+json")
    large = client.post("/literal/notes", data=b" " * 2_000_000, content_type="application/json")
    assert large.status_code == 413


def test_the_documents_show_whole_addresses(install: Callable[..., None], make_app: Any) -> None:
    install("rooted")
    app = make_app(["rooted"])

    document = openapi.document(app)
    assert list(openapi.document(app, "rooted")["paths"]) == [
        "/literal/notes/", "/literal/notes/own", "/literal/notes/broken",
    ]  # fmt: skip
    assert document["paths"]["/literal/notes/"]["post"]["operationId"] == "rooted_echo"
    assert document["paths"]["/literal/notes/own"]["get"]["security"] == [{"bearer": []}]
    assert openapi.check(app, "rooted") == []
    OpenAPIV31SpecValidator(document).validate()


def test_a_plugin_that_is_off_leaves_its_addresses_unknown(
    install: Callable[..., None], make_app: Any
) -> None:
    install("rooted")

    answer = make_app([]).test_client().post("/literal/notes", json={"text": "x"})
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")


def test_a_plugin_that_cannot_run_answers_for_its_addresses(
    install: Callable[..., None], make_app: Any
) -> None:
    install("rooted", more="colour = 'red'\n")
    app = make_app(["rooted"])

    answer = app.test_client().post("/literal/notes/anything", json={})
    assert (answer.status_code, answer.json["plugin"]) == (503, "rooted")
    assert app.test_client().get("/literal").status_code == 404


@pytest.mark.parametrize(
    "claim",
    ["/docs", "/openapi.json", "/errors", "/errors/mine", "/api", "/api/v1/mine", "/health"],
)
def test_a_page_of_the_host_is_nobody_s_and_the_plugin_is_named(
    install: Callable[..., None], make_app: Any, claim: str
) -> None:
    install("rooted", rule=f"{claim}/", claims=f'["{claim}"]')
    app = make_app(["rooted"])

    assert_quarantined(app, "rooted", f"the root path {claim} clashes with")
    client = app.test_client()
    assert client.get("/docs").status_code == 200
    assert client.get("/health/live").status_code == 200


@pytest.mark.parametrize("claim", ["/literal", "/literal/notes", "/literal/notes/deep"])
def test_two_plugins_never_share_an_address_and_both_are_named(
    install: Callable[..., None], make_app: Any, claim: str
) -> None:
    install("first")
    install("second", rule=f"{claim}/", claims=f'["{claim}"]')
    app = make_app(["first", "second"])

    assert_quarantined(app, "second", "plugin second", "plugin first's")
    assert app.test_client().post("/literal/notes", json={"text": "x"}).status_code == 201


def test_an_address_that_was_not_claimed_is_refused(
    install: Callable[..., None], make_app: Any
) -> None:
    install("rooted", rule="/elsewhere/")
    app = make_app(["rooted"])

    assert_quarantined(app, "rooted", "/elsewhere/", "root_paths")
    assert app.test_client().post("/elsewhere", json={"text": "x"}).status_code == 404


@pytest.mark.parametrize(
    "claims",
    ['"/notes"', '["notes"]', '["/notes/"]', '["/"]', '["/Notes"]', '["/notes/<id>"]', "[7]"],
)
def test_a_claim_of_another_form_is_a_problem_of_the_manifest(tmp_path: Path, claims: str) -> None:
    (tmp_path / "plugin.toml").write_text(f'name = "a"\ntitle = "A"\nroot_paths = {claims}\n')

    assert "root_paths" in (manifest.read(tmp_path, "torg_a", "1", "a").problem or "")


_words = some.lists(some.sampled_from(["a", "b", "ab"]), min_size=1, max_size=3)


@given(claim=_words, address=_words)
def test_a_claim_covers_whole_words_alone(claim: list[str], address: list[str]) -> None:
    covers = root_paths.covers("/" + "/".join(claim), "/" + "/".join(address))

    assert covers == (address[: len(claim)] == claim)
    assert covers == root_paths.covers("/" + "/".join(claim), "/" + "/".join(address) + "/")
