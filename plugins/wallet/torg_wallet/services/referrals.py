"""Invitations: a person's code, being invited once in a life, and the reward with the first points.

The inviter's guests are counted under the lock of his code, so their limit holds when many come at
once.
"""

import secrets

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


def due(identity_id: int) -> list[tuple[int, int]]:
    """Who is rewarded now that this person has earned his first points, as (person, guest).

    Both are, once: the reward is marked as given in the same transaction.
    """
    inviter_id: int | None = session.execute(
        update(Referral)
        .where(Referral.invited_id == identity_id, Referral.rewarded_at.is_(None))
        .values(rewarded_at=func.clock_timestamp())
        .returning(Referral.inviter_id)
    ).scalar()
    return [] if inviter_id is None else [(inviter_id, identity_id), (identity_id, identity_id)]
