"""`make bench`: what the host costs, as shares of plain Flask and of PostgreSQL itself."""

import argparse
import json
import platform
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench import autotrade, classic, enumeration, shop, statements, stats
from bench import market as markets
from bench.load import Result, measure
from bench.market import Market
from bench.pgbench import bids_per_second

_BID = """
local tokens = {%(tokens)s}
local amount = %(start)d
request = function()
  amount = amount + 1
  return wrk.format("POST", nil, {["Content-Type"] = "application/json",
    ["Authorization"] = "Bearer " .. tokens[amount %% #tokens + 1]},
    string.format('{"amount": {"amount": "%%d.%%02d", "currency": "EUR"}}',
      math.floor(amount / 100), amount %% 100))
end
"""


@dataclass(frozen=True)
class Target:
    """One thing to be measured: its name, where, and what is expected of it."""

    name: str
    ask: Callable[[int], Result]
    expected: float | None = None


def targets(market: Market) -> list[Target]:
    """Everything that is asked in turn, the yardstick first."""
    auctions = f"{market.web}/api/v1/auctions"
    # A cookie keeps the host from sending ready bytes: every request goes all the way.
    fresh = 'wrk.headers["Cookie"] = "all=the-way"\n'
    return [
        Target("plain Flask hello", lambda s: measure(market.hello, s)),
        Target("list of 50, not cached", lambda s: measure(f"{auctions}?limit=50", s, fresh), 0.35),
        Target("list of 50, cached", lambda s: measure(f"{auctions}?limit=50", s), 0.9),
        Target(
            "detail with 100 bids", lambda s: measure(f"{auctions}/{market.detail}", s, fresh), 0.2
        ),
    ]


def place_bids(market: Market, seconds: int, start: int) -> Result:
    """Eight people raise each other on one auction by HTTP."""
    script = _BID % {"tokens": ", ".join(f'"{each}"' for each in market.tokens), "start": start}
    return measure(f"{market.web}/api/v1/auctions/{market.hot}/bids", seconds, script)


def main() -> None:
    """Measure in turn, several rounds, and print medians and ratios."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--seconds", type=int, default=2, help="length of one measurement")
    parser.add_argument("--rounds", type=int, default=7, help="rounds; medians are printed")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--autotrade", action="store_true", help="only the runs of autotrade")
    parser.add_argument(
        "--stats", type=int, metavar="FACTS", help="only statistics, over so many facts"
    )
    parser.add_argument("--classic", action="store_true", help="only the fixed addresses")
    parser.add_argument("--shop", action="store_true", help="only the shop")
    asked = parser.parse_args()
    if asked.shop:
        shop.report(asked.seconds, asked.rounds)
        return
    if asked.classic:
        classic.report()
        return
    if asked.stats:
        stats.report(asked.stats)
        return
    if asked.autotrade:
        autotrade.report()
        return
    with markets.opened() as market:
        counts = statements.count(market)
        rows = _rounds(market, asked.seconds, asked.rounds)
        report(rows, counts)
        enumeration.report(market)
    autotrade.report(most_offers=10_000)
    stats.report()
    classic.report()
    figures = {"rows": rows, "statements": counts, "shop": shop.report(asked.seconds, 3)}
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=2) + "\n")


def _rounds(market: Market, seconds: int, rounds: int) -> list[dict[str, float | str | None]]:
    seen: dict[str, list[Result]] = {}
    bids: list[Result] = []
    limit: list[float] = []
    measured = targets(market)
    for number in range(rounds):
        for target in measured:
            seen.setdefault(target.name, []).append(target.ask(seconds))
        bids.append(place_bids(market, seconds, (2 * number + 1) * 10**9))
        limit.append(bids_per_second(market, seconds, (2 * number + 2) * 10**9))
    hello = [each.per_second for each in seen[measured[0].name]]
    rows = [_row(t.name, seen[t.name], hello, t.expected) for t in measured]
    most = statistics.median(limit)
    rows.append({"name": "pgbench: the bid's statement", "per_second": most})
    rows.append(_row("place bid, one hot auction", bids, limit, 0.4))
    return rows


def _row(
    name: str, results: list[Result], of: list[float], expected: float | None
) -> dict[str, float | str | None]:
    # Compared within each round: a shared machine is another one a minute later.
    shares = [each.accepted_per_second / other for each, other in zip(results, of, strict=True)]
    rate = statistics.median(each.accepted_per_second for each in results)
    return {
        "name": name,
        "per_second": rate,
        "refused_per_second": statistics.median(each.refused_per_second for each in results),
        "median_ms": statistics.median(each.median_ms for each in results),
        "p99_ms": statistics.median(each.p99_ms for each in results),
        "ratio": statistics.median(shares),
        "expected": expected,
    }


def report(rows: list[dict[str, float | str | None]], counts: dict[str, int]) -> None:
    """Print the table."""
    workers = f"{markets.WORKERS} workers x {markets.THREADS} threads"
    print(f"\n{platform.machine()}, Python {platform.python_version()}, gunicorn {workers}; ")
    print("client, servers and databases on the same machine; medians of the rounds.\n")
    print(
        f"{'':32}{'per s':>9}{'refused':>9}{'p50 ms':>8}{'p99 ms':>8}{'ratio':>7}{'expected':>10}"
    )
    for row in rows:
        cells = [
            f"{row['name']:<32}{row['per_second']:>9.0f}",
            f"{row.get('refused_per_second') or 0:>9.0f}",
            f"{row['median_ms']:>8.2f}" if row.get("median_ms") else " " * 8,
            f"{row['p99_ms']:>8.2f}" if row.get("p99_ms") else " " * 8,
            f"{row['ratio']:>7.2f}" if row.get("ratio") else " " * 7,
            f"{'>= ' + str(row['expected']):>10}" if row.get("expected") else "",
        ]
        print("".join(cells))
    print("\nThe bid's ratio is against pgbench, all others against plain Flask hello.")
    print("\nSQL statements of one request:")
    for name, number in counts.items():
        print(f"  {name:<30}{number:>3}")


if __name__ == "__main__":
    main()
