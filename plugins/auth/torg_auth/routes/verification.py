"""Verification levels, requests by documents, and their review by staff."""

from typing import Any

from torg import identity
from torg.listing import Page
from torg_auth.change_errors import (
    DocumentTooLargeError,
    DocumentTypeError,
    OwnRequestError,
    ReasonMissingError,
    VerificationDecidedError,
    VerificationPendingError,
    VerificationRequestNotFoundError,
)
from torg_auth.domain.verification import Status
from torg_auth.queries import verification as queries
from torg_auth.routes.blueprint import blueprint
from torg_auth.services import verification, worth
from torg_auth.services.callers import present_caller
from torg_auth.services.limiting import VERIFICATION
from torg_auth.verification_schemas import (
    Decision,
    ListedRequest,
    ReviewedRequest,
    VerificationDocuments,
    VerificationLevels,
    VerificationRequest,
)


@blueprint.route("/verification-levels", methods=["GET"])
@blueprint.public
@blueprint.response(200, VerificationLevels)
def list_verification_levels() -> dict[str, Any]:
    """List the verification levels: how each is reached, what it unlocks, its daily limits."""
    return {"items": worth.levels(), "next_cursor": None}


@blueprint.route("/verification-requests", methods=["GET"])
@blueprint.requires("auth.verification.request")
@blueprint.arguments(queries.OwnRequests.arguments(), location="query")
@blueprint.response(200, queries.OwnRequests.envelope(VerificationRequest))
def list_own_verification_requests(arguments: dict[str, Any]) -> Page:
    """List one's own requests for verification, newest first."""
    return queries.OwnRequests.page(queries.own(identity.current().id), arguments)


@blueprint.route("/verification-requests", methods=["POST"])
@blueprint.requires("auth.verification.request", verified=True)
@blueprint.limit(VERIFICATION.rate, by="identity", name=VERIFICATION.name)
@blueprint.arguments(VerificationDocuments, location="files")
@blueprint.response(201, VerificationRequest)
@blueprint.fails(DocumentTypeError, DocumentTooLargeError, VerificationPendingError)
def request_verification(files: dict[str, Any]) -> Any:
    """Ask for level 3 by documents: an upload for each, named by its kind, at most 5 MiB."""
    return verification.ask(identity.current().id, files, present_caller())


@blueprint.route("/admin/verification-requests", methods=["GET"])
@blueprint.requires("auth.verification.read")
@blueprint.arguments(queries.Requests.arguments(), location="query")
@blueprint.response(200, queries.Requests.envelope(ListedRequest))
def list_verification_requests(arguments: dict[str, Any]) -> Page:
    """List requests for verification, oldest first."""
    return queries.Requests.page(queries.everybodys(), arguments)


@blueprint.route("/admin/verification-requests/<int:request_id>", methods=["GET"])
@blueprint.requires("auth.verification.read")
@blueprint.response(200, ReviewedRequest)
@blueprint.fails(VerificationRequestNotFoundError)
def show_verification_request(request_id: int) -> verification.Reviewed:
    """Show a request with links to its documents, which work for minutes."""
    return verification.show(request_id)


@blueprint.route("/admin/verification-requests/<int:request_id>", methods=["PATCH"])
@blueprint.requires("auth.verification.decide")
@blueprint.arguments(Decision)
@blueprint.response(200, ReviewedRequest)
@blueprint.fails(
    VerificationRequestNotFoundError,
    OwnRequestError,
    VerificationDecidedError,
    ReasonMissingError,
)
def decide_verification_request(
    arguments: dict[str, Any], request_id: int
) -> verification.Reviewed:
    """Approve or refuse a request, once. The owner is told, and it counts from the next request."""
    return verification.decide(
        request_id,
        Status(arguments["decision"]),
        arguments["reason"],
        arguments["valid_days"],
        identity.current(),
        present_caller(),
    )
