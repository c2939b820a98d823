"""The settings of changes, text messages and verification levels, part of the section `[auth]`."""

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from torg.config import Section
from torg_auth.domain.limits import daily_limit_problem
from torg_auth.domain.verification import HIGHEST

_SHORTEST_SECRET = 32


class ContactSettings(Section):
    """How people are reached, how long a change can be undone, what a level is worth."""

    undo_url: str = Field(
        "",
        max_length=500,
        pattern=r"^(https?://[^\s?#]+)?$",
        description="Page that undo links open, with `?token=…` appended; it posts the token to "
        "`me/changes/undo`. Empty: a plain page of the API.",
    )
    undo_hours: int = Field(
        72, ge=1, le=720, description="How long a change of name, address or number can be undone."
    )
    sms_url: str = Field(
        "",
        max_length=500,
        # Numbers and codes travel there: https, or http to this machine itself.
        pattern=r"^(|console:|file:///.+|https://[^\s/?#@]+[^\s#@]*|"
        r"http://(127\.0\.0\.1|localhost)(:[0-9]+)?(/[^\s#@]*)?)$",
        description="Where text messages go: `https://…` (posted there, signed by `sms_secret`), "
        "`file:///folder`, `console:`. Empty: beside the mails where those are caught in files, "
        "else `console:`. Plain http only to this machine.",
    )
    sms_secret: SecretStr = Field(
        SecretStr(""),
        description=f"Signs what is posted to `sms_url`; {_SHORTEST_SECRET} characters or more.",
    )
    sms_timeout_seconds: float = Field(
        5.0, gt=0, le=5, description="Longest time for one whole call of the provider."
    )
    sms_hourly: int = Field(
        3, ge=1, le=100, description="Most codes to one number, and for one account, in an hour."
    )
    sms_daily: int = Field(
        6, ge=1, le=500, description="Most codes to one number, and for one account, in a day."
    )
    sms_daily_total: int = Field(
        500,
        ge=0,
        le=1_000_000,
        description="Most codes by text message in a day, over all: caps what they cost. "
        "0: none at all.",
    )
    sms_countries: list[str] = Field(
        [],
        description="Countries whose mobile numbers are served, ISO 3166-1 alpha-2; empty: all.",
    )
    required_levels: dict[str, int] = Field(
        {},
        description="Lowest verification level by permission or other action that plugins ask "
        'about, such as `{"wallet.withdrawal.request": 2}`.',
    )
    daily_limits: dict[str, list[str]] = Field(
        {},
        description="Most money a day by currency, one amount or `unlimited` for each of the "
        "levels 0 to 3. Empty: no limits; else a currency that is not listed allows nothing.",
    )
    document_valid_days: int = Field(
        365, ge=1, le=3650, description="How long level 3 lasts unless staff says otherwise."
    )
    document_kept_days: int = Field(
        30, ge=0, le=3650, description="How long documents are kept after the decision."
    )

    @field_validator("sms_secret")
    @classmethod
    def _signs(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        is_posted = str(info.data.get("sms_url", "")).startswith("http")
        if is_posted and len(value.get_secret_value()) < _SHORTEST_SECRET:
            raise ValueError(f"`sms_url` needs a secret of {_SHORTEST_SECRET} characters or more")
        return value

    @field_validator("sms_countries")
    @classmethod
    def _countries(cls, value: list[str]) -> list[str]:
        if not all(len(each) == 2 and each.isascii() and each.isupper() for each in value):
            raise ValueError("each country has two capital letters, such as DE")
        return value

    @field_validator("required_levels")
    @classmethod
    def _levels(cls, value: dict[str, int]) -> dict[str, int]:
        if not all(0 <= level <= HIGHEST for level in value.values()):
            raise ValueError(f"levels go from 0 to {HIGHEST}")
        return value

    @field_validator("daily_limits")
    @classmethod
    def _limits(cls, value: dict[str, list[str]]) -> dict[str, list[str]]:
        for currency, amounts in value.items():
            found = daily_limit_problem(currency, amounts)
            if found is not None:
                raise ValueError(found)
        return value
