"""A seeded market under overlapping runs and killed workers, judged by a slow market of its own.

TORG_LONG=1 runs it at the length the promise names: 1,000 ticks (TORG_LONG_TICKS for another
number), 50 dealers, 20 suppliers, 500 buyers.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from slow_market import SlowMarket

SCRIPT = Path(__file__).parents[1] / "support" / "market_crowd.py"
LONG = os.environ.get("TORG_LONG") == "1"
LONG_TICKS = int(os.environ.get("TORG_LONG_TICKS", "1000"))
TICKS, WORKERS, KILLS = (LONG_TICKS, 3, LONG_TICKS // 4) if LONG else (8, 3, 8)
SIZES = (50, 20, 40, 500) if LONG else (5, 4, 8, 40)


@pytest.mark.timeout(36_000)
def test_overlapping_runs_and_killed_workers_leave_a_market_that_a_slow_one_would_have_made(
    market, torg_environment, tmp_path
):
    url = market.app.config["SQLALCHEMY_DATABASE_URI"]
    asked = (url, torg_environment.redis_url, tmp_path, TICKS, WORKERS, KILLS, *SIZES)
    said = subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, asked)],
        capture_output=True,
        text=True,
        timeout=36_000 if LONG else 170,
    )
    assert said.returncode == 0, said.stderr[-3000:]
    told = json.loads(said.stdout)
    assert told["failed"] == 0, said.stderr[-3000:]
    assert told["killed"] > 0
    slow = SlowMarket(market.sql)
    assert slow.judge() == []
    (count,) = market.sql(
        "SELECT (SELECT count(*) FROM autotrade_sale) AS sales,"
        " (SELECT count(*) FROM autotrade_supply_deal) AS deals,"
        " (SELECT count(*) FROM autotrade_offer) AS offers,"
        " (SELECT min(posted_minor - pending_minor) FROM wallet_account"
        "   WHERE owner_id IS NOT NULL) AS poorest"
    )
    print(f"simulation: {told}, {count}, {slow.checked} judged again")
    assert count.sales > TICKS
    assert count.deals > SIZES[0]
    assert count.poorest >= 0
    assert market.prove() == []
