"""A kept report of the demo's administrator."""

from torg import contracts
from torg.demo import Demo
from torg_stats.services import catalogue, reports
from torg_stats.services.asking import Viewer

_WANTED = ("autotrade.revenue", "shop.net_sales", "auction.turnover", "auth.registrations")


def fill(demo: Demo) -> None:
    """Keep a weekly report of what there is to count."""
    del demo
    users = contracts.require("users")
    owner_id, present = users.find("admin"), catalogue.metrics()
    metrics = [name for name in _WANTED if name in present]
    if owner_id is None or not metrics:
        return
    words = {
        "metric": metrics,
        "by": [],
        "interval": "week",
        "tz": "UTC",
        "filter": [],
        "currency": None,
        "convert_to": None,
        "seen_as": None,
        "limit": 100,
        "days": 90,
    }
    viewer = Viewer(owner_id, users.permissions(owner_id))
    reports.create(viewer, {"name": "The market by week", "question": words, "schedule": "weekly"})
