"""The routes below /api/v1/guestbook."""

from typing import Any

from torg import identity
from torg.blueprint import Blueprint

from torg_guestbook import models, schemas, services

blueprint = Blueprint("guestbook", description="Notes")


@blueprint.route("/notes", methods=["POST"])
@blueprint.requires("guestbook.note.write")
@blueprint.arguments(schemas.NewNote)
@blueprint.response(201, schemas.Note)
def write_note(arguments: dict[str, Any]) -> models.Note:
    """Write a note."""
    return services.write_note(identity.current().id, arguments["text"])
