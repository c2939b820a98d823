"""The settings of auctions: section `[auction]`, variables `TORG_AUCTION_…`."""

from pydantic import Field

from torg.config import Section


class AuctionSettings(Section):
    """What a deployment may choose; the rules of bidding are no settings."""

    max_duration_days: int = Field(
        3650, ge=1, le=36500, description="Longest time between start and end of an auction."
    )
    announce: bool = Field(
        True, description="Mail every registered person when an auction is created."
    )
    announce_chunk: int = Field(
        200, ge=1, le=5000, description="People written to in one job of an announcement."
    )
    ending_soon_minutes: int = Field(
        30, ge=1, le=1440, description="How long before the end watchers are told."
    )
    stream_poll_seconds: float = Field(
        0.25, ge=0.05, le=5, description="How often a web process looks for bids to stream."
    )
    stream_heartbeat_seconds: float = Field(
        15.0, ge=1, le=120, description="Longest silence of a live stream."
    )
