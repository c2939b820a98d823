"""Which payment providers there are: what active plugins offer, the wallet's own among them."""

from torg import plugins
from torg_ledger.payments import PaymentKind, PaymentProvider
from torg_wallet.errors import ProviderUnknownError


def providers() -> dict[str, PaymentProvider]:
    """All of them by name; the first plugin to offer a name has it."""
    found: dict[str, PaymentProvider] = {}
    for _, offered in plugins.call("wallet_payment_providers"):
        for each in offered:
            found.setdefault(each.name, each)
    return found


def provider(name: str, kind: PaymentKind | None = None) -> PaymentProvider:
    """The provider of that name that can do this.

    Raises:
        ProviderUnknownError: there is none; it names those there are.
    """
    known = {each.name: each for each in providers().values() if kind is None or kind in each.kinds}
    if name not in known:
        raise ProviderUnknownError(known=sorted(known))
    return known[name]
