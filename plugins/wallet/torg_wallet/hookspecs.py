"""The wallet's own extension point."""

from collections.abc import Iterable

from torg import hookspec
from torg_ledger.payments import PaymentProvider


@hookspec
def wallet_payment_providers() -> "Iterable[PaymentProvider]":
    """Return payment providers.

    Called whenever a payment begins or a webhook comes in, so return objects that are made already;
    outside of any lock on accounts. A name that two plugins return belongs to the first in plugin
    order. Types: `torg_ledger.payments`.
    """
