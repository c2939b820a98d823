"""What a verification level is worth here: the contract `verification` 1.0, for other plugins.

    verification = contracts.find("verification", ">=1,<2")
    if verification is not None:
        verification.require_level(identity, "wallet.withdrawal.request")
        most = verification.daily_limit(identity.verification_level, "EUR")

The numbers are settings of the deployment; what somebody has moved today is known to the plugin
that moves it.
"""

from dataclasses import dataclass

from torg.config import plugin_settings
from torg.identity import Identity
from torg.money import Money
from torg_auth.change_errors import VerificationLevelError
from torg_auth.domain.limits import daily_limit
from torg_auth.domain.verification import HIGHEST
from torg_auth.settings import AuthSettings

_PROOFS = ("nothing", "email", "phone", "documents")


class Verification:
    """Levels and what they unlock; every call is arithmetic on settings, without a statement."""

    def required_level(self, action: str) -> int:
        """The lowest level that may do something, 0 when nothing is said about it.

        Args:
            action: a permission's name, or any other name that a plugin documents.
        """
        return plugin_settings("auth", AuthSettings).required_levels.get(action, 0)

    def require_level(self, identity: Identity, action: str) -> None:
        """Go on only when somebody's level is high enough.

        Raises:
            VerificationLevelError: 403, with `required_level` and `level`.
        """
        required = self.required_level(action)
        if identity.verification_level < required:
            raise VerificationLevelError(required_level=required, level=identity.verification_level)

    def daily_limit(self, level: int, currency: str) -> Money | None:
        """The most money that somebody of a level may move in a day; None without a limit.

        Once a deployment sets limits, a currency that it does not list allows nothing.
        """
        limits = plugin_settings("auth", AuthSettings).daily_limits
        return daily_limit(limits, level, currency)


@dataclass(frozen=True, slots=True)
class DailyLimit:
    """The most money a day in a currency; None without a limit."""

    currency: str
    limit: Money | None


@dataclass(frozen=True, slots=True)
class Level:
    """A level as everybody may know it."""

    level: int
    proved_by: str
    unlocks: list[str]
    daily_limits: list[DailyLimit]
    is_unlimited: bool


def levels() -> list[Level]:
    """All levels from the lowest up, with what each adds."""
    chosen = plugin_settings("auth", AuthSettings)
    return [
        Level(
            level=level,
            proved_by=_PROOFS[level],
            unlocks=sorted(
                action for action, needed in chosen.required_levels.items() if needed == level
            ),
            daily_limits=[
                DailyLimit(currency, daily_limit(chosen.daily_limits, level, currency))
                for currency in sorted(chosen.daily_limits)
            ],
            is_unlimited=not chosen.daily_limits,
        )
        for level in range(HIGHEST + 1)
    ]
