"""One's own account, and what everybody may see of others."""

from typing import Any

from torg import etag, identity
from torg_auth.errors import UserNotFoundError
from torg_auth.queries import profiles as queries
from torg_auth.routes.blueprint import blueprint
from torg_auth.schemas import Permissions, Profile, ProfileChange, PublicProfile
from torg_auth.services import access, profiles
from torg_auth.services.callers import present_caller


@blueprint.route("/me", methods=["GET"])
@blueprint.requires("auth.profile.read")
@blueprint.response(200, Profile)
def show_me() -> queries.Profile:
    """Show one's own account."""
    return profiles.show(identity.current().id)


@blueprint.route("/me", methods=["PATCH"])
@blueprint.requires("auth.profile.change")
@blueprint.arguments(ProfileChange)
@blueprint.response(200, Profile)
@blueprint.if_match
def change_me(arguments: dict[str, Any]) -> queries.Profile:
    """Change some of one's own account. Name, address and password are changed elsewhere."""
    user_id = identity.current().id
    etag.require_match(Profile().dump(profiles.lock(user_id)))
    return profiles.change(user_id, arguments)


@blueprint.route("/me", methods=["DELETE"])
@blueprint.requires("auth.profile.change")
@blueprint.response(204)
def leave() -> None:
    """Deactivate one's own account: no sign-in, no session, no public profile any more."""
    profiles.leave(identity.current().id, present_caller())


@blueprint.route("/users/<string:username>", methods=["GET"])
@blueprint.public
@blueprint.response(200, PublicProfile)
@blueprint.fails(UserNotFoundError)
def show_user(username: str) -> queries.PublicProfile:
    """Show what everybody may see of an account."""
    return profiles.show_public(username)


@blueprint.route("/permissions", methods=["GET"])
@blueprint.requires("auth.permission.read")
@blueprint.response(200, Permissions)
def list_permissions() -> dict[str, Any]:
    """List every permission that the active plugins declare, and whether one has it."""
    return {"items": access.catalogue(identity.current()), "next_cursor": None}
