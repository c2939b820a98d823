"""Invitations: a person's code, being invited once in a life, and the reward with the first points.

The inviter's guests are counted under the lock of his code, so their limit holds when many come at
once.
"""

import secrets
from dataclasses import dataclass

from sqlalchemy import func, insert, select, text, update

from torg import config
from torg.db import session
from torg_wallet.errors import InvitationError
from torg_wallet.models.bonus import Lot, Referral, ReferralCode
from torg_wallet.settings import WalletSettings

# Without letters and digits that look alike.
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_LENGTH = 10


def code_of(identity_id: int) -> str | None:
    """The code by which he invites, if he has asked for one."""
    found: str | None = session.execute(
        select(ReferralCode.code).where(ReferralCode.identity_id == identity_id)
    ).scalar()
    return found


def make_code(identity_id: int) -> str:
    """The code by which he invites; made by the first call."""
    word = "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
    session.execute(
        text(
            "INSERT INTO wallet_referral_code (identity_id, code) VALUES (:id, :code)"
            " ON CONFLICT DO NOTHING"
        ),
        {"id": identity_id, "code": word},
    )
    found = code_of(identity_id)
    if found is None:
        raise RuntimeError("the new code is taken; a repeat draws another one")
    return found


def accept(identity_id: int, code: str) -> None:
    """Say that one was invited by the owner of a code.

    Raises:
        InvitationError: the code is unknown, one's own, of somebody one has invited, used up, or it
            is too late: one was invited or has earned points before.
    """
    inviter_id: int | None = session.execute(
        select(ReferralCode.identity_id).where(ReferralCode.code == code).with_for_update()
    ).scalar()
    if inviter_id is None or inviter_id == identity_id:
        raise InvitationError
    mutual = select(Referral.invited_id).where(
        Referral.invited_id == inviter_id, Referral.inviter_id == identity_id
    )
    invited = select(Referral.invited_id).where(Referral.invited_id == identity_id)
    earned = select(Lot.id).where(Lot.identity_id == identity_id)
    for reason in (mutual, invited, earned):
        if session.execute(reason.limit(1)).first() is not None:
            raise InvitationError
    guests = int(
        session.execute(
            select(func.count()).select_from(Referral).where(Referral.inviter_id == inviter_id)
        ).scalar_one()
    )
    if guests >= config.plugin_settings("wallet", WalletSettings).referral_most:
        raise InvitationError
    session.execute(
        insert(Referral).values(invited_id=identity_id, inviter_id=inviter_id, number=guests + 1)
    )


@dataclass(frozen=True, slots=True)
class Reward:
    """Points that somebody gets because a guest has earned some; `reference` names their lot."""

    person_id: int
    reference: str


def due(identity_id: int, lot_id: int) -> list[Reward]:
    """Who is rewarded now that this person has earned the points of a lot: guest and inviter, once.

    The reward is marked as given in the same transaction.
    """
    row = session.execute(
        update(Referral)
        .where(Referral.invited_id == identity_id, Referral.rewarded_at.is_(None))
        .values(rewarded_at=func.clock_timestamp(), lot_id=lot_id)
        .returning(Referral.inviter_id, Referral.reversals)
    ).one_or_none()
    return [] if row is None else _rewards(row.inviter_id, identity_id, row.reversals)


def forfeited(lot_id: int) -> list[Reward]:
    """Whose reward falls away now that the whole lot it was given for was taken back.

    The next order of the guest earns it anew.
    """
    row = session.execute(
        update(Referral)
        .where(Referral.lot_id == lot_id, Referral.rewarded_at.is_not(None))
        .values(rewarded_at=None, lot_id=None, reversals=Referral.reversals + 1)
        .returning(Referral.invited_id, Referral.inviter_id, Referral.reversals)
    ).one_or_none()
    if row is None:
        return []
    return _rewards(row.inviter_id, row.invited_id, row.reversals - 1)


def _rewards(inviter_id: int, guest_id: int, round_: int) -> list[Reward]:
    # The first round has the shorter name, as rewards had before they could be undone.
    suffix = f":{round_}" if round_ else ""
    return [
        Reward(person, f"referral:{guest_id}:{person}{suffix}") for person in (inviter_id, guest_id)
    ]
