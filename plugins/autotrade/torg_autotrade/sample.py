"""The market of the demo: a year of trading by the real runs, and orders that are still open."""

from datetime import timedelta

from torg.demo import Demo
from torg_autotrade.generating import Trade, identities
from torg_autotrade.services import runs

# A tick a week; `torg autotrade generate` makes it denser.
_TICKS = 52


def fill(demo: Demo) -> None:
    """Four dealers, six suppliers, forty models, twenty buyers and twelve months."""
    known = identities()
    if len(known) < 10:
        return
    # The second and third whom the accounts plugin makes are those that visitors sign in as: one
    # of them has a dealer, the other buys.
    people = [*known[3:9], known[1], *known[9:], known[2], known[0]]
    start = demo.now - timedelta(days=365)
    trade = Trade.begin(demo.random, start, people=people, transaction=runs.inline)
    for number in range(_TICKS):
        trade.tick(number, _TICKS, demo.now)
    demo.show("List what dealers have", "curl '{base_url}/api/v1/autotrade/dealers/1/stock'")
    demo.show(
        "Find a car",
        "curl '{base_url}/api/v1/autotrade/car-models?search=octavia&fuel_type=petrol'",
    )
