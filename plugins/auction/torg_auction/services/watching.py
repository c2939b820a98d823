"""Watching auctions and choosing what to be told."""

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from torg.db import session
from torg.errors import NotFoundError
from torg_auction.models import Preference, Watch
from torg_auction.queries import auctions


def watch(auction_id: int, identity_id: int) -> None:
    """Keep an eye on an auction; watching it twice changes nothing.

    Raises:
        NotFoundError: there is no such auction.
    """
    if not auctions.exists(auction_id):
        raise NotFoundError
    session.execute(
        insert(Watch)
        .values(identity_id=identity_id, auction_id=auction_id)
        .on_conflict_do_nothing()
    )


def unwatch(auction_id: int, identity_id: int) -> None:
    """Watch an auction no longer, whether or not it was watched."""
    session.execute(
        delete(Watch).where(Watch.auction_id == auction_id, Watch.identity_id == identity_id)
    )


def wants_announcements(identity_id: int) -> bool:
    """Whether somebody is told of new auctions; yes unless he said no."""
    found = session.execute(
        select(Preference.announcements).where(Preference.identity_id == identity_id)
    ).scalar()
    return found is not False


def choose_announcements(identity_id: int, *, announcements: bool) -> None:
    """Remember whether somebody wants to be told of new auctions."""
    statement = insert(Preference).values(identity_id=identity_id, announcements=announcements)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[Preference.identity_id],
            set_={"announcements": announcements, "updated_at": func.clock_timestamp()},
        )
    )
