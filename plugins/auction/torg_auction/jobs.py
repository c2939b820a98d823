"""What is done about auctions in the background: announcing, telling of bids, closing, reminding.

Every handler may run twice: what it queues has a business key, and closing an auction twice does
nothing. With no worker at all auctions end just the same, only the mails are late.
"""

from datetime import timedelta
from typing import Any

from sqlalchemy import func, update

from torg import config, contracts, events, outbox
from torg.db import database_now, session
from torg.jobs import Job, JobRun
from torg.money import Money
from torg.schedules import Schedule
from torg_auction import emails
from torg_auction.models import Watch
from torg_auction.queries import auctions, bids
from torg_auction.services import closing
from torg_auction.settings import AuctionSettings

_WATCHERS_AT_ONCE = 500

Payload = dict[str, Any]


def announce(payload: Payload, run: JobRun) -> Payload:
    """Queue a mail for each of the next registered people, and the job for those after them.

    Mails and the following job commit together: whatever dies, nobody is left out or told twice.
    """
    del run
    lot = auctions.find(payload["auction_id"])
    assert lot is not None, "auctions are never removed"
    chunk = config.plugin_settings("auction", AuctionSettings).announce_chunk
    users = contracts.require("users")
    people = users.page(payload["after_id"], chunk)
    silenced = bids.silenced([person.id for person in people])
    owner = users.names([lot.owner_id]).get(lot.owner_id)
    told = emails.announce(lot, owner, [each for each in people if each.id not in silenced])
    if len(people) == chunk:
        last = people[-1].id
        following = {"auction_id": lot.id, "after_id": last}
        outbox.enqueue("auction.announce", following, key=f"{lot.id}:{last}")
    return {"told": told}


def tell_bid(payload: Payload, run: JobRun) -> None:
    """Publish a new price and tell everybody who bid, but the one whose act it was.

    An automatic bid is nobody's act of that moment: then the challenger, whom it beat, and the
    leader, whose price it raised, are both told.
    """
    del run
    lot = auctions.find(payload["auction_id"])
    bid = bids.placed(payload["auction_id"], payload["seq"])
    assert lot is not None, "auctions are never removed"
    assert bid is not None, "bids are never removed"
    events.publish(
        "auction.bid_placed",
        {
            "auction_id": lot.id,
            "seq": bid.seq,
            "bidder_id": bid.bidder_id,
            "amount": Money(bid.amount_minor, lot.currency),
            "is_automatic": bid.is_automatic,
            "placed_at": bid.placed_at,
            "ends_at": bid.ends_at_after,
        },
    )
    people = set(bids.bidders(lot.id, bid.seq))
    if bid.is_automatic:
        challenge = bids.placed(lot.id, bid.seq - 1)
        outbid_id = challenge.bidder_id if challenge is not None else None
    else:
        people.discard(bid.bidder_id)
        outbid_id = bids.leader_before(lot.id, bid.seq)
    emails.tell_price(lot, bid, sorted(people), outbid_id=outbid_id, leader_id=bid.bidder_id)


def close(payload: Payload, run: JobRun) -> Payload:
    """Close an auction at its end; one that was extended has a later job of its own."""
    del run
    return {"closed": closing.close(payload["auction_id"])}


def close_due(payload: Payload, run: JobRun) -> Payload:
    """Close whatever is overdue."""
    del payload, run
    return {"closed": closing.close_due()}


def tell_closed(payload: Payload, run: JobRun) -> None:
    """Publish an outcome and tell all participants and the owner."""
    del run
    lot = auctions.find(payload["auction_id"])
    assert lot is not None, "auctions are never removed"
    assert lot.reason is not None, "this job is put in with the outcome"
    price = lot.hammer_price_minor
    events.publish(
        "auction.closed",
        {
            "auction_id": lot.id,
            "owner_id": lot.owner_id,
            "outcome": lot.reason,
            "winner_id": lot.winner_id,
            "hammer_price": None if price is None else Money(price, lot.currency),
            "bid_count": lot.bid_count,
            "closed_at": lot.closed_at,
        },
    )
    names = contracts.require("users").names({lot.owner_id, lot.winner_id} - {None})
    emails.tell_outcome(lot, bids.bidders(lot.id), names)


def tell_ending(payload: Payload, run: JobRun) -> Payload:
    """Tell the next watchers of auctions that end soon, once each; another job tells the rest."""
    del payload, run
    minutes = config.plugin_settings("auction", AuctionSettings).ending_soon_minutes
    until = database_now() + timedelta(minutes=minutes)
    waiting = bids.watchers_to_tell(until, _WATCHERS_AT_ONCE)
    for row in waiting:
        emails.tell_ending(row)
        session.execute(
            update(Watch)
            .where(Watch.auction_id == row.id, Watch.identity_id == row.identity_id)
            .values(told_at=func.clock_timestamp())
        )
    if len(waiting) == _WATCHERS_AT_ONCE:
        # Those who are left must not wait for the next minute, or many would hear too late.
        outbox.enqueue("auction.tell_ending", {})
    return {"told": len(waiting)}


JOBS = (
    Job("auction.announce", announce, priority=outbox.BULK),
    Job("auction.tell_bid", tell_bid),
    # What fixes an outcome waits for no mail.
    Job("auction.close", close, priority=outbox.URGENT, max_attempts=50),
    Job("auction.close_due", close_due, priority=outbox.URGENT),
    Job("auction.tell_closed", tell_closed, priority=outbox.URGENT),
    Job("auction.tell_ending", tell_ending),
)
SCHEDULES = (
    Schedule("auction.close_due", "auction.close_due", every_seconds=30),
    Schedule("auction.tell_ending", "auction.tell_ending", every_seconds=60),
)
