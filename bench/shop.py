"""The shop's measurements, beside plain Flask hello and pgbench of the same run.

Run alone with `python -m bench.shop`, or with `python -m bench --shop`.
"""

import argparse
import statistics
from collections.abc import Callable

from sqlalchemy import text

from bench import shop_data, shop_export, shop_orders
from bench.load import Result, measure
from bench.shop_data import Filled
from torg import db

# A cookie keeps the host from sending ready bytes: every request goes all the way.
_FRESH = 'wrk.headers["Cookie"] = "all=the-way"\n'
Ask = Callable[[int], Result]


def targets(shop: Filled) -> dict[str, tuple[Ask, float | None]]:
    """What is asked in turn, the yardstick first, with the share that is expected of it."""

    def at(base: str, path: str, script: str = "") -> Ask:
        return lambda seconds: measure(f"{base}/api/v1/shop/{path}", seconds, script)

    ready, kept, made = shop.web, shop.web, shop.uncached
    page = "products?limit=50"
    return {
        "plain Flask hello": (lambda seconds: measure(shop.hello, seconds), None),
        "product list of 50, not cached": (at(made, page, _FRESH), 0.35),
        "product list of 50, kept in Redis": (at(kept, page, _FRESH), None),
        "product list of 50, cached": (at(ready, page), 0.9),
        "category tree, not cached": (at(made, "categories", _FRESH), None),
        "category tree, cached": (at(ready, "categories"), None),
        "search, page of 50, not cached": (at(made, f"{page}&search=steel+kettle", _FRESH), None),
        "product card, not cached": (at(made, f"products/{_some_product(shop)}", _FRESH), None),
    }


def _some_product(shop: Filled) -> int:
    with db.unit_of_work("read", shop.app):
        number: int = db.session.execute(text("SELECT min(id) FROM shop_product")).scalar_one()
    return number


def report(seconds: int = 2, rounds: int = 5, *, many: bool = True) -> dict[str, float]:
    """Measure, print the tables, and return the medians of requests a second by name.

    Args:
        seconds: length of one measurement.
        rounds: how many; medians are printed, shares are compared within each round.
        many: also export a hundred thousand products.
    """
    with shop_data.opened() as shop:
        measured = targets(shop)
        words = shop_orders.script(shop)
        seen: dict[str, list[Result]] = {name: [] for name in measured}
        placed: list[Result] = []
        limit: list[float] = []
        for _ in range(rounds):
            for name, (ask, _expected) in measured.items():
                seen[name].append(ask(seconds))
            placed.append(shop_orders.over_http(shop, seconds))
            limit.append(shop_orders.through_pgbench(shop, seconds, words))
        print(f"\nThe shop, {shop_data.PRODUCTS:,} products.\n")
        print(f"{'':36}{'per s':>9}{'p50 ms':>8}{'p99 ms':>8}{'ratio':>7}{'expected':>10}")
        first, *_ = seen
        hello = [each.per_second for each in seen[first]]
        for name, results in seen.items():
            _print(name, results, hello, measured[name][1])
        print(f"{'pgbench: the statements of an order':<36}{statistics.median(limit):>9.0f}")
        _print("place order of two products", placed, limit, 0.3)
        print("\nThe order's ratio is against pgbench, all others against plain Flask hello.\n")
        _exports(shop, many=many)
        rates = {name: _rate(results) for name, results in seen.items()}
        return {**rates, "place order": _rate(placed), "pgbench": statistics.median(limit)}


def _exports(shop: Filled, *, many: bool) -> None:
    _print_export(shop, "<= 1.0 s")
    if many:
        shop_data.make_ten_times_as_many(shop.app)
        _print_export(shop, "<= 60 MiB")


def _print_export(shop: Filled, expected: str) -> None:
    found = [shop_export.measured(shop.environ) for _ in range(3)]
    seconds = statistics.median(each["seconds"] for each in found)
    peak = max(each["peak_mib"] for each in found)
    size = found[0]["bytes"] / 2**20
    print(
        f"XLSX of {found[0]['rows']:,.0f} products, all fields: {seconds:.2f} s,"
        f" {peak:.1f} MiB above idle, file of {size:.1f} MiB (expected {expected})"
    )


def _rate(results: list[Result]) -> float:
    return statistics.median(each.accepted_per_second for each in results)


def _print(name: str, results: list[Result], of: list[float], expected: float | None) -> None:
    shares = [each.accepted_per_second / other for each, other in zip(results, of, strict=True)]
    median = statistics.median(each.median_ms for each in results)
    worst = statistics.median(each.p99_ms for each in results)
    print(
        f"{name:<36}{_rate(results):>9.0f}{median:>8.2f}{worst:>8.2f}"
        f"{statistics.median(shares):>7.2f}{'' if expected is None else f'>= {expected}':>10}"
    )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.shop")
    parser.add_argument("--seconds", type=int, default=2, help="length of one measurement")
    parser.add_argument("--rounds", type=int, default=5, help="rounds; medians are printed")
    parser.add_argument("--few", action="store_true", help="no export of a hundred thousand")
    asked = parser.parse_args()
    report(asked.seconds, asked.rounds, many=not asked.few)


if __name__ == "__main__":
    main()
