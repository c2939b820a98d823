"""`torg user …`: the first administrator, and tokens for trying things out."""

from typing import Any

import pytest
from click.testing import CliRunner

from torg.command_errors import CommandError
from torg_auth.commands import user

CREATE = ["create", "--username", "chief", "--email", "chief@example.com"]


@pytest.fixture
def run(app: Any) -> Any:
    """Runs a command in the application."""

    def invoke(*arguments: str, **options: Any) -> Any:
        with app.app_context():
            return CliRunner().invoke(user, arguments, **options)

    return invoke


def test_an_administrator_is_made_and_can_sign_in(run: Any, api: Any) -> None:
    done = run(*CREATE, "--role", "admin", "--password", "a fine long sentence")
    assert done.exit_code == 0, done.output
    assert done.stdout == ""
    me = api.get("/me", token=api.token("chief")).get_json()
    assert me["roles"] == ["admin", "user"]
    assert me["email_verified"] is True
    assert api.get("/admin/users", token=api.token("chief")).status_code == 200


def test_a_password_that_is_not_given_is_made_up_and_printed_alone(run: Any, api: Any) -> None:
    done = run(*CREATE)
    password = done.stdout.strip()
    assert len(password) >= 16
    assert api.log_in("chief", password).status_code == 200


def test_a_password_can_be_asked_for(run: Any, api: Any) -> None:
    done = run(*CREATE, "--prompt", input="a fine long sentence\na fine long sentence\n")
    assert done.exit_code == 0
    assert "a fine long sentence" not in done.output
    assert api.log_in("chief").status_code == 200


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--password", "short"], "fewer than 10"),
        (["--password", "1234567890"], "most used"),
        (["--role", "emperor"], "no role emperor"),
    ],
)
def test_what_cannot_be_made_is_explained_and_leaves_nothing(
    run: Any, sql: Any, arguments: Any, words: Any
) -> None:
    done = run(*CREATE, *arguments)
    assert isinstance(done.exception, CommandError)
    assert words in str(done.exception)
    assert sql("SELECT count(*) FROM torg_identity") == [(0,)]


def test_a_taken_name_or_address_is_refused(run: Any, sql: Any) -> None:
    run(*CREATE)
    again = run("create", "--username", "CHIEF", "--email", "other@example.com")
    assert "is taken" in str(again.exception)
    other = run("create", "--username", "other", "--email", "Chief@example.com")
    assert "has the address" in str(other.exception)
    assert sql("SELECT count(*) FROM auth_user") == [(1,)]


def test_a_malformed_name_or_address_is_wrong_use(run: Any) -> None:
    assert run("create", "--username", "a b", "--email", "x@example.com").exit_code == 2
    assert run("create", "--username", "chief", "--email", "nowhere").exit_code == 2


def test_a_token_of_somebody_works(run: Any, api: Any) -> None:
    run(*CREATE)
    done = run("token", "Chief")
    assert done.exit_code == 0
    token = done.stdout.strip()
    assert api.get("/me", token=token).get_json()["username"] == "chief"
    [session] = api.get("/sessions", token=token).get_json()["items"]
    assert session["device_label"] == "Command line"


def test_a_token_of_nobody_is_explained(run: Any) -> None:
    done = run("token", "nobody")
    assert isinstance(done.exception, CommandError)
    assert "nobody" in str(done.exception)
