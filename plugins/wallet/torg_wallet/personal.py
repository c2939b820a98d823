"""What the wallet keeps about a person: shown to him on demand, forgotten as far as books allow.

Entries, payments and adjustments are records that the law and others rely on; they stay. What is
his alone goes: his code, and who invited whom.
"""

from typing import Any

from sqlalchemy import delete, or_, select

from torg import clock
from torg.db import session
from torg.money import format_amount
from torg_ledger.payments import PaymentKind
from torg_wallet.models.bonus import Lot, PromoCode, PromoUse, Referral, ReferralCode
from torg_wallet.models.ledger import Account, EntryRow, Transfer
from torg_wallet.models.payments import Adjustment
from torg_wallet.queries import payments
from torg_wallet.queries.holds import owned_by


def export(identity_id: int) -> dict[str, Any]:
    """All of it as JSON values."""
    return {
        "accounts": _accounts(identity_id),
        "entries": _entries(identity_id),
        "holds": [_payment(row, row.live_status) for row in session.execute(owned_by(identity_id))],
        "deposits": _payments(PaymentKind.DEPOSIT, identity_id),
        "payouts": _payments(PaymentKind.PAYOUT, identity_id),
        "adjustments": _adjustments(identity_id),
        "points": _points(identity_id),
        "codes_redeemed": list(
            session.execute(
                select(PromoCode.code)
                .join(PromoUse, PromoUse.code_id == PromoCode.id)
                .where(PromoUse.identity_id == identity_id)
            ).scalars()
        ),
        "referral_code": session.execute(
            select(ReferralCode.code).where(ReferralCode.identity_id == identity_id)
        ).scalar(),
    }


def erase(identity_id: int) -> None:
    """Forget his code and who invited whom; nothing of the books."""
    session.execute(
        delete(Referral).where(
            or_(Referral.invited_id == identity_id, Referral.inviter_id == identity_id)
        )
    )
    session.execute(delete(ReferralCode).where(ReferralCode.identity_id == identity_id))


def _money(minor: int, currency: str) -> dict[str, str]:
    return {"amount": format_amount(minor, currency), "currency": currency}


def _accounts(identity_id: int) -> list[dict[str, Any]]:
    rows = session.execute(
        select(Account.code, Account.currency, Account.posted_minor, Account.created_at)
        .where(Account.owner_id == identity_id)
        .order_by(Account.id)
    )
    return [
        {
            "code": row.code,
            "posted": _money(row.posted_minor, row.currency),
            "created_at": clock.format_moment(row.created_at),
        }
        for row in rows
    ]


def _entries(identity_id: int) -> list[dict[str, Any]]:
    rows = session.execute(
        select(
            EntryRow.amount_minor,
            EntryRow.currency,
            EntryRow.created_at,
            Transfer.reference,
            Transfer.purpose,
            Transfer.description,
        )
        .join(Transfer, Transfer.id == EntryRow.transfer_id)
        .join(Account, Account.id == EntryRow.account_id)
        .where(Account.owner_id == identity_id)
        .order_by(EntryRow.id)
    )
    return [
        {
            "transfer": row.reference,
            "amount": _money(row.amount_minor, row.currency),
            "purpose": row.purpose,
            "description": row.description,
            "at": clock.format_moment(row.created_at),
        }
        for row in rows
    ]


def _payments(kind: PaymentKind, identity_id: int) -> list[dict[str, Any]]:
    rows = session.execute(payments.shown(kind, identity_id)).all()
    destination = kind is PaymentKind.PAYOUT
    return [
        _payment(row, row.status) | ({"destination": row.destination} if destination else {})
        for row in rows
    ]


def _payment(row: Any, status: str) -> dict[str, Any]:
    return {
        "reference": row.reference,
        "amount": _money(row.amount_minor, row.currency),
        "status": status,
        "created_at": clock.format_moment(row.created_at),
    }


def _adjustments(identity_id: int) -> list[dict[str, Any]]:
    rows = session.execute(
        select(Adjustment.amount_minor, Adjustment.currency, Adjustment.reason, Adjustment.status)
        .where(Adjustment.identity_id == identity_id)
        .order_by(Adjustment.id)
    )
    return [
        {
            "amount": _money(row.amount_minor, row.currency),
            "reason": row.reason,
            "status": row.status,
        }
        for row in rows
    ]


def _points(identity_id: int) -> list[dict[str, Any]]:
    rows = session.execute(
        select(Lot.amount_minor, Lot.remaining_minor, Lot.source, Lot.expires_at)
        .where(Lot.identity_id == identity_id)
        .order_by(Lot.id)
    )
    return [
        {
            "earned": row.amount_minor,
            "remaining": row.remaining_minor,
            "source": row.source,
            "expires_at": clock.format_moment(row.expires_at),
        }
        for row in rows
    ]
