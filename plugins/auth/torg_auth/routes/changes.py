"""Changing one's name, address, number and password, and taking a change back."""

from typing import Any

import flask

from torg import identity
from torg_auth import pages
from torg_auth.change_errors import (
    ChangeNotFoundError,
    NothingChangesError,
    PasswordWrongError,
    PhoneNotServedError,
    ValueTakenError,
)
from torg_auth.change_schemas import (
    Change,
    ChangeCode,
    ChangeRequest,
    Undoable,
    Undone,
    UndoToken,
    WaitingChanges,
)
from torg_auth.errors import (
    CodeInvalidError,
    LinkInvalidError,
    PasswordRefusedError,
    UsernameTakenError,
)
from torg_auth.routes.blueprint import blueprint
from torg_auth.services import changes, undoing
from torg_auth.services.callers import present_caller
from torg_auth.services.limiting import CHANGE, CODE


@blueprint.route("/me/changes", methods=["POST"])
@blueprint.requires("auth.profile.change")
@blueprint.limit(CHANGE.rate, by="identity", name=CHANGE.name)
@blueprint.arguments(ChangeRequest)
@blueprint.response(202, Change)
@blueprint.fails(
    PasswordWrongError,
    PasswordRefusedError,
    UsernameTakenError,
    NothingChangesError,
    PhoneNotServedError,
)
@blueprint.transaction("statement")
def ask_for_change(arguments: dict[str, Any]) -> changes.Asked:
    """Ask for a new username, e-mail address, telephone number or password.

    It takes effect when it is confirmed by a code: sent to the new address or number, or, for name
    and password, to where the owner is reached already.
    """
    return changes.ask(
        identity.current().id,
        arguments["kind"],
        arguments["value"],
        arguments["current_password"],
        present_caller(),
    )


@blueprint.route("/me/changes", methods=["GET"])
@blueprint.requires("auth.profile.read")
@blueprint.response(200, WaitingChanges)
def list_changes() -> dict[str, Any]:
    """List one's own changes that wait for their code, newest first: at most one of each kind."""
    return {"items": changes.waiting(identity.current().id), "next_cursor": None}


@blueprint.route("/me/changes/<int:change_id>/confirm", methods=["POST"])
@blueprint.requires("auth.profile.change")
@blueprint.limit(CODE.rate, name=CODE.name)
@blueprint.arguments(ChangeCode)
@blueprint.response(204)
@blueprint.fails(ChangeNotFoundError, CodeInvalidError, UsernameTakenError, ValueTakenError)
@blueprint.transaction("statement")
def confirm_change(arguments: dict[str, Any], change_id: int) -> None:
    """Make a change come true by its code. But for a new username, other sessions end."""
    caller = identity.current()
    changes.confirm(caller.id, change_id, arguments["code"], present_caller(), caller.session_id)


@blueprint.route("/me/changes/undo", methods=["GET"])
@blueprint.public
@blueprint.limit(CODE.rate, name=CODE.name)
@blueprint.arguments(UndoToken, location="query")
@blueprint.response(200, Undoable)
@blueprint.fails(LinkInvalidError)
def show_undo(arguments: dict[str, Any]) -> undoing.Undoable | flask.Response:
    """Show what an undo link takes back; to a browser, a page with a button. Changes nothing."""
    found = undoing.look(arguments["token"])
    return pages.undo_page(found.kind) if pages.is_wanted() else found


@blueprint.route("/me/changes/undo", methods=["POST"])
@blueprint.public
@blueprint.limit(CODE.rate, name=CODE.name)
@blueprint.arguments(UndoToken, location="query")
@blueprint.response(200, Undone)
@blueprint.fails(LinkInvalidError, UsernameTakenError, ValueTakenError)
@blueprint.transaction("statement")
def undo_change(arguments: dict[str, Any]) -> dict[str, Any] | flask.Response:
    """Take a change back by the link that was mailed. It works once; everybody is signed out."""
    kind = undoing.undo(arguments["token"], present_caller())
    return pages.undone_page() if pages.is_wanted() else {"kind": kind, "undone": True}
