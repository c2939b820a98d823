"""The mails of orders, each with a sample for its preview. Their words stand in `templates/`."""

from typing import Any

from torg import config
from torg.mail import MailTemplate, queue_mail
from torg.schemas import MoneyField

_SAMPLE: dict[str, Any] = {
    "number": "S9F86D081884C4D65",
    "total": {"amount": "125.00", "currency": "EUR"},
    "link": "https://example.org/api/v1/shop/orders/S9F86D081884C4D65",
}
_NAMES = ("order_placed", "order_paid", "order_shipped", "order_cancelled")
TEMPLATES = tuple(MailTemplate(f"shop.{name}", sample=_SAMPLE) for name in _NAMES)


def tell(template: str, order: Any) -> None:
    """Tell the buyer of a step of his order, once."""
    address = f"{config.settings().host.base_url}/api/v1/shop/orders/{order.number}"
    total = MoneyField.dump_columns(order.total_minor, order.currency)
    facts = {"number": order.number, "total": total, "link": address}
    queue_mail(template, order.buyer_id, facts, key=order.number)
