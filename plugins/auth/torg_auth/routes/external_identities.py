"""One's own sign-ins at other providers."""

from typing import Any

from torg import identity
from torg_auth.errors import LastSignInError, LinkedIdentityNotFoundError
from torg_auth.queries import external_identities as queries
from torg_auth.routes.blueprint import blueprint
from torg_auth.schemas_personal import LinkedIdentities
from torg_auth.services import external_identities
from torg_auth.services.callers import present_caller


@blueprint.route("/me/external-identities", methods=["GET"])
@blueprint.requires("auth.profile.read")
@blueprint.response(200, LinkedIdentities)
def list_external_identities() -> dict[str, Any]:
    """List the accounts at other providers that sign in here, newest first."""
    return {"items": queries.linked_to(identity.current().id), "next_cursor": None}


@blueprint.route("/me/external-identities/<int:linked_id>", methods=["DELETE"])
@blueprint.requires("auth.profile.change")
@blueprint.response(204)
@blueprint.fails(LinkedIdentityNotFoundError, LastSignInError)
def unlink_external_identity(linked_id: int) -> None:
    """Take a sign-in at another provider away, unless it is the last way in."""
    external_identities.unlink(identity.current().id, linked_id, present_caller())
