"""The settings of the market: section `[autotrade]`, variables `TORG_AUTOTRADE_…`."""

from pydantic import Field

from torg.config import Section


class AutotradeSettings(Section):
    """What a deployment may choose; how prices are reckoned is no setting."""

    currency: str = Field(
        "EUR", pattern="^[A-Z]{3}$", description="The one currency that all prices are in."
    )
    review_purchases: int = Field(
        100, ge=1, le=100_000, description="Over how many next units suppliers are compared."
    )
    demand_days: int = Field(
        30, ge=1, le=3650, description="Over how many days sales count as demand."
    )
    offers_at_once: int = Field(
        1000, ge=10, le=10_000, description="Offers that are decided in one transaction."
    )
    dealers_at_once: int = Field(
        50, ge=1, le=1000, description="Dealers that buy or compare in one transaction."
    )
    parts: int = Field(1, ge=1, le=64, description="Into how many jobs each run is split.")
    open_offers: int = Field(100, ge=1, le=100_000, description="Most open offers of one person.")
