"""Keys by which programs speak for the signed-in person."""

from typing import Any

from torg import identity
from torg.listing import Page
from torg_auth.errors import (
    ApiKeyNotFoundError,
    ApiKeysFullError,
    ScopeNotOwnError,
    SessionNeededError,
)
from torg_auth.queries import api_keys as queries
from torg_auth.queries import lists
from torg_auth.routes.blueprint import blueprint
from torg_auth.schemas_personal import ApiKeyEntry, ApiKeyMade, NewApiKey
from torg_auth.services import api_keys
from torg_auth.services.callers import present_caller


@blueprint.route("/api-keys", methods=["GET"])
@blueprint.requires("auth.api_key.read")
@blueprint.arguments(lists.ApiKeys.arguments(), location="query")
@blueprint.response(200, lists.ApiKeys.envelope(ApiKeyEntry))
def list_api_keys(arguments: dict[str, Any]) -> Page:
    """List one's own keys for programs, newest first, without the keys themselves."""
    return lists.ApiKeys.page(queries.keys_of(identity.current().id), arguments)


@blueprint.route("/api-keys", methods=["POST"])
@blueprint.requires("auth.api_key.create")
@blueprint.arguments(NewApiKey)
@blueprint.response(201, ApiKeyMade)
@blueprint.fails(SessionNeededError, ScopeNotOwnError, ApiKeysFullError)
def create_api_key(arguments: dict[str, Any]) -> tuple[api_keys.NewKey, dict[str, str]]:
    """Make a key for a program. It is shown this once, and a key cannot make another one."""
    made = api_keys.create(
        identity.current(),
        arguments["name"],
        arguments["scopes"],
        arguments["expires_in_days"],
        present_caller(),
    )
    return made, {"Cache-Control": "no-store"}


@blueprint.route("/api-keys/<int:key_id>", methods=["DELETE"])
@blueprint.requires("auth.api_key.revoke")
@blueprint.response(204)
@blueprint.fails(ApiKeyNotFoundError)
def revoke_api_key(key_id: int) -> None:
    """Revoke one of one's own keys; it opens nothing from the next request on."""
    api_keys.revoke(identity.current().id, key_id, present_caller())
