"""Reading one's own accounts, statements, transfers and holds."""

from typing import Any

import flask
from flask import current_app

from torg import identity
from torg.errors import NotFoundError
from torg.schemas import Enum, QuerySchema
from torg_wallet import schemas
from torg_wallet.errors import StatementTooLongError
from torg_wallet.queries import holds, lists
from torg_wallet.routes.blueprint import blueprint
from torg_wallet.services import statements

_READ = "wallet.account.read_own"
_FORMATS = {
    "csv": (statements.as_csv, "text/csv"),
    "xlsx": (
        statements.as_xlsx,
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ),
}


class _StatementQuery(QuerySchema):
    """Which lines of a statement, and as what."""

    format = Enum(list(_FORMATS), load_default="csv", example="csv")
    purpose = lists.EntryListing.filters["purpose"].field
    created_after = lists.EntryListing.filters["created_after"].field
    created_before = lists.EntryListing.filters["created_before"].field


@blueprint.route("/accounts", methods=["GET"])
@blueprint.requires(_READ)
@blueprint.arguments(lists.AccountListing.arguments(), location="query")
@blueprint.response(200, lists.AccountListing.envelope(schemas.AccountSchema))
def list_accounts(arguments: dict[str, Any]) -> Any:
    """List your accounts with what is posted, set aside and free."""
    return lists.AccountListing.page(lists.accounts_of(identity.current().id), arguments)


@blueprint.route("/accounts/<int:account_id>/entries", methods=["GET"])
@blueprint.requires(_READ)
@blueprint.arguments(lists.EntryListing.arguments(), location="query")
@blueprint.response(200, lists.EntryListing.envelope(schemas.EntrySchema))
@blueprint.fails(NotFoundError)
def list_entries(arguments: dict[str, Any], account_id: int) -> Any:
    """List the entries of one of your accounts, newest first."""
    _require_own(account_id)
    return lists.EntryListing.page(lists.entries_of(account_id), arguments)


@blueprint.route("/accounts/<int:account_id>/statement", methods=["GET"])
@blueprint.requires(_READ)
@blueprint.arguments(_StatementQuery, location="query")
@blueprint.response(200, description="The statement as a file, oldest entry first.")
@blueprint.fails(NotFoundError, StatementTooLongError)
def download_statement(arguments: dict[str, Any], account_id: int) -> Any:
    """Download the statement of one of your accounts, as CSV or XLSX."""
    _require_own(account_id)
    chosen = arguments.pop("format")
    write, media_type = _FORMATS[chosen]
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
    response = flask.Response(write(app, account_id, arguments), mimetype=media_type)
    name = f"statement-{account_id}.{chosen}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.route("/transfers/<string:reference>", methods=["GET"])
@blueprint.requires(_READ)
@blueprint.response(200, schemas.TransferSchema)
@blueprint.fails(NotFoundError)
def get_transfer(reference: str) -> Any:
    """Show a transfer that you have a part in, with your own sides of it."""
    sides = lists.own_transfer(identity.current().id, reference)
    if not sides:
        raise NotFoundError
    return {**sides[0]._mapping, "entries": sides}  # noqa: SLF001 - SQLAlchemy's public name


@blueprint.route("/holds", methods=["GET"])
@blueprint.requires(_READ)
@blueprint.arguments(lists.HoldListing.arguments(), location="query")
@blueprint.response(200, lists.HoldListing.envelope(schemas.HoldSchema))
def list_holds(arguments: dict[str, Any]) -> Any:
    """List what is set aside on your accounts."""
    return lists.HoldListing.page(holds.owned_by(identity.current().id), arguments)


def _require_own(account_id: int) -> None:
    if lists.own_account(identity.current().id, account_id) is None:
        raise NotFoundError
