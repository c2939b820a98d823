"""The settings of the shop: section `[shop]`, variables `TORG_SHOP_…`."""

from pydantic import Field

from torg.config import Section


class ShopSettings(Section):
    """What a deployment may choose."""

    cache_seconds: int = Field(
        60,
        ge=0,
        le=3600,
        description="How long answers of the catalogue are kept at most; 0 keeps none.",
    )
    export_rows: int = Field(
        20_000, ge=1, description="Most products that are exported at once; more become a job."
    )
    import_rows: int = Field(50_000, ge=1, le=1_000_000, description="Most rows of an import.")
    import_at_once: int = Field(
        1000, ge=1, description="Most rows that are taken in at once; more become a job."
    )
    pictures: int = Field(20, ge=1, le=100, description="Most pictures of one product.")
    bought_together_support: int = Field(
        2, ge=1, description="In how many orders two products must meet to be recommended."
    )
    guest_cart_days: int = Field(
        30,
        ge=1,
        le=3650,
        description="When a guest's cart is removed that nobody changed, in days.",
    )
    points_currency: str = Field(
        "EUR",
        pattern="^[A-Z]{3}$",
        description="Orders in this currency earn and spend points, one for each minor unit.",
    )
    points_percent: int = Field(
        1, ge=0, le=100, description="Points that a paid order earns, in percent of its total."
    )
    return_days: int = Field(
        14, ge=0, le=365, description="When points of a paid order can be spent, in days after it."
    )
    payment_minutes: int = Field(
        30, ge=1, le=10_080, description="How long goods are set aside for an unpaid order."
    )
