"""Which payment providers there are: what active plugins offer, the wallet's own among them."""

from typing import Any

from torg import plugins
from torg.errors import FieldProblem
from torg.i18n import gettext
from torg_ledger.errors import ProviderUnknownError
from torg_ledger.payments import PaymentKind, PaymentProvider


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
        facts: dict[str, Any] = {"known": sorted(known), "names": ", ".join(sorted(known))}
        # Asked for by kind, the name stood in a body; else in the address of a webhook.
        words = gettext(ProviderUnknownError.detail, **facts)
        problem = FieldProblem("/provider", ProviderUnknownError.code, words)
        raise ProviderUnknownError(errors=[] if kind is None else [problem], **facts)
    return known[name]
