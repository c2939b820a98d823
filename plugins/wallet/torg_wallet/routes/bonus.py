"""Points: what one has, redeeming a code, inviting and being invited; and making codes."""

from typing import Any

from torg import identity
from torg_wallet import schemas
from torg_wallet.errors import CodeExistsError, CodeRefusedError, InvitationError
from torg_wallet.queries import bonus as queries
from torg_wallet.queries import lists
from torg_wallet.routes.blueprint import blueprint
from torg_wallet.services import codes, referrals
from torg_wallet.services.bonus import BonusService

_READ, _REDEEM, _MANAGE = "wallet.bonus.read_own", "wallet.code.redeem", "wallet.code.manage"
_BONUS = BonusService()


@blueprint.route("/bonus", methods=["GET"])
@blueprint.requires(_READ)
@blueprint.response(200, schemas.BonusSchema)
def get_bonus() -> Any:
    """Show your points and the code by which you invite others."""
    return _shown()


@blueprint.route("/bonus/lots", methods=["GET"])
@blueprint.requires(_READ)
@blueprint.arguments(lists.LotListing.arguments(), location="query")
@blueprint.response(200, lists.LotListing.envelope(schemas.LotSchema))
def list_lots(arguments: dict[str, Any]) -> Any:
    """List your points by lots; those that expire soonest are spent first."""
    return lists.LotListing.page(queries.lots_shown(identity.current().id), arguments)


@blueprint.route("/bonus/codes", methods=["POST"])
@blueprint.requires(_REDEEM, verified=True)
@blueprint.limit("20 per minute", by="identity")
@blueprint.idempotent
@blueprint.arguments(schemas.EnterCode)
@blueprint.response(201, schemas.BonusSchema)
@blueprint.fails(CodeRefusedError)
def redeem_code(arguments: dict[str, Any]) -> Any:
    """Redeem a promo code."""
    codes.redeem(identity.current().id, arguments["code"].upper())
    return _shown()


@blueprint.route("/bonus/referral-code", methods=["PUT"])
@blueprint.requires(_READ, verified=True)
@blueprint.response(200, schemas.BonusSchema)
def make_referral_code() -> Any:
    """Get the code by which you invite others."""
    referrals.make_code(identity.current().id)
    return _shown()


@blueprint.route("/bonus/referral", methods=["POST"])
@blueprint.requires(_REDEEM, verified=True)
@blueprint.limit("20 per minute", by="identity")
@blueprint.idempotent
@blueprint.arguments(schemas.EnterCode)
@blueprint.response(201, schemas.BonusSchema)
@blueprint.fails(InvitationError)
def accept_referral(arguments: dict[str, Any]) -> Any:
    """Say who invited you; both of you get points with your first paid order."""
    referrals.accept(identity.current().id, arguments["code"].upper())
    return _shown()


@blueprint.route("/admin/codes", methods=["GET"])
@blueprint.requires(_MANAGE)
@blueprint.arguments(lists.CodeListing.arguments(), location="query")
@blueprint.response(200, lists.CodeListing.envelope(schemas.CodeSchema))
def list_codes(arguments: dict[str, Any]) -> Any:
    """List promo codes."""
    return lists.CodeListing.page(queries.codes(), arguments)


@blueprint.route("/admin/codes", methods=["POST"])
@blueprint.requires(_MANAGE, verified=True)
@blueprint.idempotent
@blueprint.arguments(schemas.CreateCode)
@blueprint.response(201, schemas.CodeSchema)
@blueprint.fails(CodeExistsError)
def create_code(arguments: dict[str, Any]) -> Any:
    """Make a promo code."""
    code_id = codes.create(identity.current().id, **arguments)
    return lists.code(code_id)


def _shown() -> dict[str, Any]:
    person = identity.current().id
    points = _BONUS.balance(person)
    return {
        "available": points.available,
        "pending": points.pending,
        "referral_code": referrals.code_of(person),
    }
