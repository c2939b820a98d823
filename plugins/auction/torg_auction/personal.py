"""What auctions keep about a person: shown to him on demand, forgotten as far as others allow.

Bids and auctions are records that others rely on; they stay, and carry whatever name the accounts
plugin gives a person who was erased. What is his alone goes.
"""

from typing import Any

from sqlalchemy import delete, select

from torg import clock
from torg.db import session
from torg.money import format_amount
from torg_auction.models import Auction, BidRow, MaximumRow, OutcomeRow, Preference, Watch


def export(identity_id: int) -> dict[str, Any]:
    """All of it as JSON values; his own maxima too, once their auctions are over."""
    return {
        "auctions": _auctions(identity_id),
        "bids": _amounts(BidRow, BidRow.placed_at, identity_id),
        "maxima": _amounts(MaximumRow, MaximumRow.created_at, identity_id, only_closed=True),
        "won": list(
            session.execute(
                select(OutcomeRow.auction_id).where(OutcomeRow.winner_id == identity_id)
            ).scalars()
        ),
        "watched": list(
            session.execute(
                select(Watch.auction_id).where(Watch.identity_id == identity_id)
            ).scalars()
        ),
        "announcements": session.execute(
            select(Preference.announcements).where(Preference.identity_id == identity_id)
        ).scalar()
        is not False,
    }


def erase(identity_id: int) -> None:
    """Forget what he watches and what he wants to be told."""
    session.execute(delete(Watch).where(Watch.identity_id == identity_id))
    session.execute(delete(Preference).where(Preference.identity_id == identity_id))


def _auctions(identity_id: int) -> list[dict[str, Any]]:
    rows = session.execute(
        select(Auction.id, Auction.title, Auction.description, Auction.created_at)
        .where(Auction.owner_id == identity_id)
        .order_by(Auction.id)
    )
    return [
        {
            "id": row.id,
            "title": row.title,
            "description": row.description,
            "created_at": clock.format_moment(row.created_at),
        }
        for row in rows
    ]


def _amounts(
    model: Any, moment: Any, identity_id: int, *, only_closed: bool = False
) -> list[dict[str, Any]]:
    query = (
        select(model.auction_id, model.amount_minor, Auction.currency, moment.label("moment"))
        .join(Auction, Auction.id == model.auction_id)
        .where(model.bidder_id == identity_id)
        .order_by(model.auction_id, moment)
    )
    if only_closed:
        query = query.join(OutcomeRow, OutcomeRow.auction_id == model.auction_id)
    rows = session.execute(query)
    return [
        {
            "auction_id": row.auction_id,
            "amount": {
                "amount": format_amount(row.amount_minor, row.currency),
                "currency": row.currency,
            },
            "at": clock.format_moment(row.moment),
        }
        for row in rows
    ]
