"""Promo codes: words that give points, within limits that hold however many redeem at once.

A redemption locks the code's row by counting itself; so the count in all, and the count of one
person, are those of that moment.
"""

from datetime import datetime

from sqlalchemy import func, insert, or_, select, update

from torg.db import database_now, session
from torg_wallet.errors import CodeExistsError, CodeRefusedError
from torg_wallet.models.bonus import PromoCode, PromoUse
from torg_wallet.services.bonus import SOURCE, give


def create(
    by_id: int,
    code: str,
    points: int,
    *,
    most_uses: int | None = None,
    most_per_person: int = 1,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
) -> int:
    """Make a code; returns its id.

    Raises:
        CodeExistsError: there is one of this word.
    """
    taken = select(PromoCode.id).where(PromoCode.code == code)
    if session.execute(taken).first() is not None:
        raise CodeExistsError
    return int(
        session.execute(
            insert(PromoCode)
            .values(
                code=code,
                points_minor=points,
                most_uses=most_uses,
                most_per_person=most_per_person,
                starts_at=starts_at or func.clock_timestamp(),
                ends_at=ends_at,
                created_by_id=by_id,
            )
            .returning(PromoCode.id)
        ).scalar_one()
    )


def redeem(identity_id: int, code: str) -> int:
    """Give a person the points of a code; returns how many.

    Raises:
        CodeRefusedError: there is no such code now, or its limit, in all or of this person, is
            reached. Which of them is not said: codes are not to be guessed.
    """
    now = func.clock_timestamp()
    row = session.execute(
        update(PromoCode)
        .where(
            PromoCode.code == code,
            PromoCode.is_active,
            PromoCode.starts_at <= now,
            or_(PromoCode.ends_at.is_(None), PromoCode.ends_at > now),
            or_(PromoCode.most_uses.is_(None), PromoCode.used_count < PromoCode.most_uses),
        )
        .values(used_count=PromoCode.used_count + 1, updated_at=now)
        .returning(PromoCode.id, PromoCode.points_minor, PromoCode.most_per_person)
    ).one_or_none()
    if row is None:
        raise CodeRefusedError
    uses = int(
        session.execute(
            select(func.count())
            .select_from(PromoUse)
            .where(PromoUse.code_id == row.id, PromoUse.identity_id == identity_id)
        ).scalar_one()
    )
    if uses >= row.most_per_person:
        raise CodeRefusedError
    number = uses + 1
    session.execute(insert(PromoUse).values(code_id=row.id, identity_id=identity_id, number=number))
    give(
        identity_id,
        row.points_minor,
        SOURCE,
        f"code:{row.id}:{identity_id}:{number}",
        database_now(),
    )
    return int(row.points_minor)
