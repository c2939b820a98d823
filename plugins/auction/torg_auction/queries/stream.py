"""What happened at watched auctions since somebody last looked."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Row, text

from torg.db import session

_MOST_BIDS = 200

_PULSE = text("""
SELECT s.auction_id, s.bid_count, s.closed_at IS NOT NULL AS is_closed,
       s.closed_at IS NULL AND s.ends_at <= clock_timestamp() AS is_overdue
  FROM auction_state s
 WHERE s.auction_id = ANY(:ids)
""")

# A bid extended the auction when it moved the end that the bid before it had left. Each auction has
# a limit of its own, so that one long story read from its beginning holds up nobody else's news.
_BIDS = text(f"""
SELECT b.auction_id, b.seq, b.bidder_id, b.amount_minor, b.is_leading, b.is_automatic,
       b.placed_at, b.ends_at_after AS ends_at, a.currency,
       b.ends_at_after > coalesce(earlier.ends_at_after, a.scheduled_ends_at) AS is_extending,
       b.amount_minor + a.bid_increment_minor AS minimum_bid_minor,
       b.amount_minor >= coalesce(a.reserve_price_minor, 0) AS reserve_met
  FROM unnest(CAST(:ids AS bigint[]), CAST(:seqs AS integer[])) AS seen (auction_id, seq)
 CROSS JOIN LATERAL (
       SELECT * FROM auction_bid
        WHERE auction_id = seen.auction_id AND seq >= seen.seq ORDER BY seq LIMIT {_MOST_BIDS}
       ) AS b
  JOIN auction_auction a ON a.id = b.auction_id
  LEFT JOIN auction_bid earlier
    ON earlier.auction_id = b.auction_id AND earlier.seq = b.seq - 1
 ORDER BY b.auction_id, b.seq
""")  # noqa: S608 - a constant is put in

_OUTCOMES = text("""
SELECT o.auction_id, s.bid_count AS seq, o.reason, o.winner_id, o.hammer_price_minor, o.closed_at,
       a.currency
  FROM auction_outcome o
  JOIN auction_state s ON s.auction_id = o.auction_id
  JOIN auction_auction a ON a.id = o.auction_id
 WHERE o.auction_id = ANY(:ids)
""")


def pulse(auction_ids: Iterable[int]) -> list[Row[Any]]:
    """How many bids each auction has, whether it is closed, and whether it should be."""
    return list(session.execute(_PULSE, {"ids": list(auction_ids)}))


def bids_from(first_seqs: Mapping[int, int]) -> list[Row[Any]]:
    """Bids from the given number on, by auction; the earliest 200 of each, so ask again."""
    parameters = {"ids": list(first_seqs), "seqs": list(first_seqs.values())}
    return list(session.execute(_BIDS, parameters))


def outcomes(auction_ids: Iterable[int]) -> list[Row[Any]]:
    """The outcomes of those that have one."""
    return list(session.execute(_OUTCOMES, {"ids": list(auction_ids)}))
