"""The settings of statistics: section `[stats]`, variables `TORG_STATS_…`."""

import re
from decimal import Decimal
from zoneinfo import available_timezones

from pydantic import Field, field_validator

from torg.config import Section

_PAIR = re.compile("[A-Z]{3}/[A-Z]{3}")


class StatsSettings(Section):
    """What a deployment may choose."""

    zones: tuple[str, ...] = Field(
        ("UTC",),
        min_length=1,
        max_length=10,
        description="IANA zones whose sums by day are kept; others are added up when asked for.",
    )
    rates: dict[str, Decimal] = Field(
        {},
        description="What one unit of a currency is worth in another, as {'USD/EUR': '0.92'}; only"
        " these are used to convert.",
    )
    seconds_at_most: int = Field(
        10, ge=1, le=300, description="Longest time that one question may take the database."
    )

    @field_validator("zones")
    @classmethod
    def _are_zones(cls, zones: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [each for each in zones if each not in available_timezones()]
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: no IANA time zone")
        return zones

    @field_validator("rates")
    @classmethod
    def _are_rates(cls, rates: dict[str, Decimal]) -> dict[str, Decimal]:
        for pair, rate in rates.items():
            if not _PAIR.fullmatch(pair):
                raise ValueError(f"{pair}: not two currencies, as USD/EUR")
            if not rate.is_finite() or rate <= 0:
                raise ValueError(f"{pair}: a rate is above zero")
        return rates
