"""One's picture and status, and all data about oneself: taken away, or forgotten."""

from typing import Any

from torg import identity
from torg.listing import Page
from torg_auth.errors import (
    CredentialsWrongError,
    PictureMissingError,
    PictureRefusedError,
    SessionNeededError,
)
from torg_auth.queries import lists
from torg_auth.queries import personal as queries
from torg_auth.queries import profiles as profile_queries
from torg_auth.routes.blueprint import blueprint
from torg_auth.schemas import Profile
from torg_auth.schemas_personal import (
    Erasure,
    Export,
    PictureFile,
    PictureText,
    Status,
    StatusChange,
)
from torg_auth.services import avatars, privacy, statuses
from torg_auth.services.callers import present_caller
from torg_auth.services.limiting import AVATAR, EXPORT, STATUS


@blueprint.route("/me/avatar", methods=["PUT"])
@blueprint.requires("auth.profile.change")
@blueprint.limit(AVATAR.rate, by="identity", name=AVATAR.name)
@blueprint.arguments(PictureFile, location="files", required=False)
@blueprint.arguments(PictureText, required=False)
@blueprint.response(200, Profile)
@blueprint.fails(PictureMissingError, PictureRefusedError)
def replace_avatar(files: dict[str, Any], arguments: dict[str, Any]) -> profile_queries.Profile:
    """Set one's own picture: as base64 in JSON, or as an upload named `image`.

    PNG, JPEG, WebP or GIF of at most 5 MiB. It is drawn anew, at most 512 pixels wide and high.
    """
    content = avatars.content_of(files.get("image"), arguments.get("image"))
    return avatars.replace(identity.current().id, content)


@blueprint.route("/me/avatar", methods=["DELETE"])
@blueprint.requires("auth.profile.change")
@blueprint.response(204)
def remove_avatar() -> None:
    """Remove one's own picture."""
    avatars.remove(identity.current().id)


@blueprint.route("/me/status", methods=["PUT"])
@blueprint.requires("auth.profile.change")
@blueprint.limit(STATUS.rate, by="identity", name=STATUS.name)
@blueprint.arguments(Status)
@blueprint.response(200, Profile)
def change_status(arguments: dict[str, Any]) -> profile_queries.Profile:
    """Set one's own status text; an empty one takes it away. A mail confirms each change."""
    return statuses.change(identity.current().id, arguments["text"])


@blueprint.route("/me/status/history", methods=["GET"])
@blueprint.requires("auth.profile.read")
@blueprint.arguments(lists.StatusChanges.arguments(), location="query")
@blueprint.response(200, lists.StatusChanges.envelope(StatusChange))
def list_status_changes(arguments: dict[str, Any]) -> Page:
    """List what one's own status was, newest first."""
    return lists.StatusChanges.page(queries.status_changes(identity.current().id), arguments)


@blueprint.route("/me/export", methods=["GET"])
@blueprint.requires("auth.data.export")
@blueprint.limit(EXPORT.rate, by="identity", name=EXPORT.name)
@blueprint.response(200, Export)
def export_me() -> tuple[privacy.Export, dict[str, str]]:
    """Take away all that this server keeps about oneself, by plugin."""
    caller = identity.current()
    privacy.note_export(caller.id, present_caller())
    return privacy.export(caller.id), {"Cache-Control": "no-store"}


@blueprint.route("/me/erase", methods=["POST"])
@blueprint.requires("auth.data.erase")
@blueprint.arguments(Erasure)
@blueprint.response(204)
@blueprint.fails(CredentialsWrongError, SessionNeededError)
@blueprint.transaction("statement")
def erase_me(arguments: dict[str, Any]) -> None:
    """Be forgotten, for good: every session ends, name and addresses go, bookings stay nameless."""
    privacy.erase(identity.current(), arguments["current_password"], present_caller())
