"""What roles carry, and why somebody may or may not."""

from typing import Any

from torg import etag, identity
from torg.listing import Page
from torg_auth.errors import (
    OwnAccessError,
    PermissionUnknownError,
    RoleNameInvalidError,
    RoleNeededError,
    RoleNotFoundError,
    UserNotFoundError,
)
from torg_auth.queries import lists
from torg_auth.queries import profiles as queries
from torg_auth.routes.blueprint import blueprint
from torg_auth.schemas import Role
from torg_auth.schemas_personal import Explanation, Question, RolePermissions
from torg_auth.services import roles
from torg_auth.services.callers import present_caller


@blueprint.route("/permissions/explain", methods=["GET"])
@blueprint.requires("auth.permission.read")
@blueprint.arguments(Question, location="query")
@blueprint.response(200, Explanation)
@blueprint.fails(UserNotFoundError, identity.PermissionMissingError)
def explain_permission(arguments: dict[str, Any]) -> roles.Explanation:
    """Say why one may use a permission, or why not; staff may ask about others."""
    asker = identity.current()
    return roles.explain(arguments["permission"], arguments.get("user_id"), asker)


@blueprint.route("/admin/roles", methods=["GET"])
@blueprint.requires("auth.role.read")
@blueprint.arguments(lists.Roles.arguments(), location="query")
@blueprint.response(200, lists.Roles.envelope(Role))
def list_roles(arguments: dict[str, Any]) -> Page:
    """List the roles with the permissions that they carry."""
    return lists.Roles.page(queries.roles(), arguments)


@blueprint.route("/admin/roles/<string:name>", methods=["GET"])
@blueprint.requires("auth.role.read")
@blueprint.response(200, Role)
@blueprint.fails(RoleNotFoundError)
def show_role(name: str) -> queries.RoleEntry:
    """Show a role with the permissions that it carries."""
    return roles.show(name)


@blueprint.route("/admin/roles/<string:name>", methods=["PUT"])
@blueprint.requires("auth.role.change")
@blueprint.arguments(RolePermissions)
@blueprint.response(200, Role)
@blueprint.fails(RoleNameInvalidError, PermissionUnknownError, OwnAccessError)
@blueprint.if_match
def replace_role(arguments: dict[str, Any], name: str) -> queries.RoleEntry:
    """Set what a role carries, or add one. It counts from the next request of everybody on.

    Only permissions that an active plugin declares can be carried.
    """
    present = roles.lock(name)
    etag.require_match(Role().dump(present) if present is not None else None)
    return roles.replace(name, arguments["permissions"], identity.current(), present_caller())


@blueprint.route("/admin/roles/<string:name>", methods=["DELETE"])
@blueprint.requires("auth.role.change")
@blueprint.response(204)
@blueprint.fails(RoleNotFoundError, RoleNeededError, OwnAccessError)
def remove_role(name: str) -> None:
    """Take a role away from everybody. Those that plugins declare stay."""
    roles.remove(name, identity.current(), present_caller())
