"""The mail of a kept report. Its words stand in `templates/`."""

from typing import Any

from torg.mail import MailTemplate, queue_mail

MOST_LINES = 20
REPORT = MailTemplate(
    "stats.report",
    sample={
        "name": "Revenue by dealer",
        "first": "2026-10-01",
        "last": "2026-10-31",
        "zone": "Europe/Berlin",
        "rows": [
            ["Revenue, Anna's cars", "12500.00 EUR"],
            ["Revenue, North motors", "9310.00 EUR"],
        ],
        "more": 3,
        "problem": "",
        "link": "https://example.org/api/v1/stats/reports/17",
    },
)
TEMPLATES = (REPORT,)


def tell(owner_id: int, facts: dict[str, Any], key: str) -> None:
    """Queue the mail, once for a key."""
    queue_mail(REPORT.name, owner_id, facts, key=key)
