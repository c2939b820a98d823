"""The mails of the market, each with a sample. Their words stand in `templates/`."""

from datetime import UTC
from typing import Any

from torg import clock, config
from torg.mail import MailTemplate, queue_mail
from torg.schemas import MoneyField

_SAMPLE: dict[str, Any] = {
    "car": "Skoda Octavia",
    "quantity": 1,
    "link": "https://example.org/api/v1/autotrade/sales",
}
_PRICE = {"amount": "19500.00", "currency": "EUR"}
TEMPLATES = (
    MailTemplate(
        "autotrade.bought",
        sample={
            **_SAMPLE,
            "dealer": "Autohaus Nord",
            "price": _PRICE,
            "total": _PRICE,
            "sold_at": "2026-03-01T18:00:00Z",
        },
    ),
    MailTemplate(
        "autotrade.sold",
        sample={
            **_SAMPLE,
            "dealer": "Autohaus Nord",
            "price": _PRICE,
            "total": _PRICE,
            "sold_at": "2026-03-01T18:00:00Z",
        },
    ),
    MailTemplate(
        "autotrade.offer_ended", sample={**_SAMPLE, "max_price": _PRICE, "status": "expired"}
    ),
)


def tell_sale(row: Any) -> None:
    """Tell the buyer, and the dealer's owner."""
    facts = {
        "car": row.car,
        "dealer": row.dealer,
        "quantity": row.quantity,
        "price": MoneyField.dump_columns(row.unit_price_minor, row.currency),
        "total": MoneyField.dump_columns(row.total_minor, row.currency),
        "sold_at": clock.format_moment(row.sold_at.astimezone(UTC)),
        "link": _link(f"sales?offer_id={row.offer_id}"),
    }
    queue_mail("autotrade.bought", row.identity_id, facts, key=str(row.id))
    queue_mail("autotrade.sold", row.owner_id, facts, key=str(row.id))


def tell_ended(row: Any) -> None:
    """Tell the buyer that his offer ended and that his money is free."""
    facts = {
        "car": row.car,
        "quantity": row.quantity,
        "max_price": MoneyField.dump_columns(row.max_price_minor, row.currency),
        "status": row.status,
        "link": _link(f"offers/{row.id}"),
    }
    queue_mail("autotrade.offer_ended", row.identity_id, facts, key=str(row.id))


def _link(path: str) -> str:
    return f"{config.settings().host.base_url}/api/v1/autotrade/{path}"
