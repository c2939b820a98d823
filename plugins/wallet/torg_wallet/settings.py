"""The settings of the wallet: section `[wallet]`, variables `TORG_WALLET_…`."""

from pydantic import Field

from torg.config import Section


class WalletSettings(Section):
    """What a deployment may choose; the laws of the books are no settings."""

    currencies: tuple[str, ...] = Field(
        ("EUR", "USD", "RUB"), description="Currencies in which money may come in and go out."
    )
    payment_most_minor: int = Field(
        1_000_000_00, ge=1, le=10**15, description="Largest deposit or payout, in minor units."
    )
    adjustment_alone_minor: int = Field(
        100_00,
        ge=0,
        le=10**15,
        description="What one person may adjust within 24 hours without a second one, minor units.",
    )
    sandbox: bool = Field(
        False,
        description="Offer the pretend payment provider, whose money is not real. Always on in the"
        " demo.",
    )
    points_valid_days: int = Field(
        365, ge=1, le=3650, description="How long points can be spent once they are available."
    )
    referral_points: int = Field(
        200, ge=1, le=1_000_000, description="Points for inviter and guest with the first order."
    )
    referral_most: int = Field(
        50, ge=0, le=100_000, description="Most guests that one person is rewarded for."
    )
    payment_silence_minutes: int = Field(
        10, ge=1, le=10_080, description="After how long a silent payment is asked for."
    )
    statement_rows: int = Field(
        50_000, ge=100, le=1_000_000, description="Most rows of an XLSX statement; CSV has no end."
    )
