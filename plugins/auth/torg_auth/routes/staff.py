"""What staff see and change: accounts, roles, the record of security events."""

from typing import Any

from torg import etag, identity
from torg.listing import Page
from torg_auth.errors import OwnAccessError, RoleUnknownError, UserNotFoundError
from torg_auth.queries import lists
from torg_auth.queries import profiles as queries
from torg_auth.routes.blueprint import blueprint
from torg_auth.schemas import Account, AccountChange, SecurityEvent
from torg_auth.services import administration
from torg_auth.services.callers import present_caller


@blueprint.route("/admin/users", methods=["GET"])
@blueprint.requires("auth.user.read")
@blueprint.arguments(lists.Accounts.arguments(), location="query")
@blueprint.response(200, lists.Accounts.envelope(Account))
def list_accounts(arguments: dict[str, Any]) -> Page:
    """List accounts; search looks at names and addresses."""
    return lists.Accounts.page(queries.accounts(), arguments)


@blueprint.route("/admin/users/<int:user_id>", methods=["GET"])
@blueprint.requires("auth.user.read")
@blueprint.response(200, Account)
@blueprint.fails(UserNotFoundError)
def show_account(user_id: int) -> queries.Account:
    """Show an account to staff."""
    return administration.show(user_id)


@blueprint.route("/admin/users/<int:user_id>", methods=["PATCH"])
@blueprint.requires("auth.user.read")
@blueprint.arguments(AccountChange)
@blueprint.response(200, Account)
@blueprint.fails(
    UserNotFoundError, OwnAccessError, RoleUnknownError, identity.PermissionMissingError
)
@blueprint.if_match
def change_account(arguments: dict[str, Any], user_id: int) -> queries.Account:
    """Let an account in or keep it out, set its roles. It counts from the next request on.

    `is_active` needs the permission auth.user.change, `roles` needs auth.role.grant.
    """
    etag.require_match(Account().dump(administration.lock(user_id)))
    return administration.change(user_id, arguments, identity.current(), present_caller())


@blueprint.route("/admin/security-events", methods=["GET"])
@blueprint.requires("auth.security_event.read")
@blueprint.arguments(lists.SecurityEvents.arguments(), location="query")
@blueprint.response(200, lists.SecurityEvents.envelope(SecurityEvent))
def list_security_events(arguments: dict[str, Any]) -> Page:
    """List what happened to accounts, newest first. The record cannot be changed by anybody."""
    return lists.SecurityEvents.page(lists.security_events(), arguments)
