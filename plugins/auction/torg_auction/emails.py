"""The mails of auctions, each with a sample for its preview. Their words stand in `templates/`.

Owns who is told what and with which facts; each is queued once for a person and an occasion. When
it happens is `jobs`' doing. No mail knows a secret maximum, not even its owner's.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from torg import clock, config
from torg.identity import Contact
from torg.mail import MailTemplate, queue_mail
from torg.schemas import MoneyField

_SAMPLE_PRICE = {"amount": "125.00", "currency": "EUR"}
_SAMPLE: dict[str, Any] = {
    "title": "A clock that goes",
    "link": "https://example.org/api/v1/auctions/7",
    "ends_at": "2026-03-01T18:00:00Z",
    "price": _SAMPLE_PRICE,
}
_NEXT = {"minimum_bid": {"amount": "130.00", "currency": "EUR"}}

TEMPLATES = (
    MailTemplate(
        "auction.announced",
        sample={
            **_SAMPLE,
            "owner": "ben",
            "description": "It was my grandfather's, and it still strikes every hour.",
            "bid_increment": {"amount": "5.00", "currency": "EUR"},
            "starts_at": None,
            "is_own": False,
        },
    ),
    MailTemplate("auction.outbid", sample={**_SAMPLE, **_NEXT}),
    MailTemplate("auction.price_changed", sample={**_SAMPLE, **_NEXT, "is_leading": False}),
    MailTemplate("auction.ending_soon", sample={**_SAMPLE, "bid_count": 12}),
    MailTemplate("auction.won", sample={**_SAMPLE, "owner": "ben"}),
    MailTemplate("auction.lost", sample={**_SAMPLE, "outcome": "sold"}),
    MailTemplate(
        "auction.owner_told",
        sample={**_SAMPLE, "outcome": "sold", "winner": "anna", "bid_count": 12},
    ),
)


def money(minor: int, currency: str) -> dict[str, str]:
    """An amount as templates and the API write it."""
    return MoneyField.dump_columns(minor, currency)


def facts(lot: Any, price_minor: int) -> dict[str, Any]:
    """What every mail about an auction says.

    Args:
        lot: a row with id, title, currency and ends_at.
        price_minor: the price it speaks of.
    """
    ends_at: datetime = lot.ends_at
    return {
        "title": lot.title,
        "link": f"{config.settings().host.base_url}/api/v1/auctions/{lot.id}",
        "ends_at": clock.format_moment(ends_at.astimezone(UTC)),
        "price": money(price_minor, lot.currency),
    }


def announce(lot: Any, owner: str | None, people: Iterable[Contact]) -> int:
    """Tell these people of a new auction, each in a mail of his own; returns how many were new."""
    told = facts(lot, lot.starting_price_minor) | {
        "owner": owner or "",
        "description": _shortened(lot.description),
        "bid_increment": money(lot.bid_increment_minor, lot.currency),
        "starts_at": _start_to_come(lot),
    }
    queued = [
        queue_mail(
            "auction.announced",
            person.id,
            told | {"is_own": person.id == lot.owner_id},
            key=str(lot.id),
            locale=person.locale,
        )
        for person in people
    ]
    return sum(each is not None for each in queued)


def tell_price(
    lot: Any, bid: Any, people: Iterable[int], *, outbid_id: int | None, leader_id: int
) -> None:
    """Tell people of a new price; one mail for an auction, a bid and a person.

    Args:
        lot: the auction.
        bid: the row of the bid that set the price.
        people: whom to tell.
        outbid_id: who no longer leads because of it.
        leader_id: who leads now.
    """
    told = facts(lot, bid.amount_minor) | {
        "ends_at": clock.format_moment(bid.ends_at_after),
        "minimum_bid": money(bid.amount_minor + lot.bid_increment_minor, lot.currency),
    }
    key = f"{lot.id}:{bid.seq}"
    for person in people:
        if person == outbid_id:
            queue_mail("auction.outbid", person, told, key=key)
        else:
            more = {"is_leading": person == leader_id}
            queue_mail("auction.price_changed", person, told | more, key=key)


def tell_outcome(lot: Any, bidders: Iterable[int], names: Mapping[int, str]) -> None:
    """Tell everybody who bid, and the owner, how an auction ended; once each."""
    told = facts(lot, lot.hammer_price_minor or lot.current_price_minor)
    key = str(lot.id)
    for bidder in bidders:
        if bidder == lot.winner_id:
            owner = names.get(lot.owner_id, "")
            queue_mail("auction.won", bidder, told | {"owner": owner}, key=key)
        else:
            queue_mail("auction.lost", bidder, told | {"outcome": lot.reason}, key=key)
    winner = names.get(lot.winner_id, "")
    ending = {"outcome": lot.reason, "winner": winner, "bid_count": lot.bid_count}
    queue_mail("auction.owner_told", lot.owner_id, told | ending, key=key)


def tell_ending(row: Any) -> None:
    """Tell a watcher that his auction ends soon."""
    told = facts(row, row.current_price_minor) | {"bid_count": row.bid_count}
    queue_mail("auction.ending_soon", row.identity_id, told, key=str(row.id))


def _start_to_come(lot: Any) -> str | None:
    """When bidding begins; None when it has begun."""
    starts_at: datetime = lot.starts_at
    return clock.format_moment(starts_at.astimezone(UTC)) if starts_at > lot.server_time else None


def _shortened(description: str, longest: int = 400) -> str:
    if len(description) <= longest:
        return description
    return description[:longest].rsplit(" ", 1)[0] + " …"
