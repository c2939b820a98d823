"""The market's rules once more, slowly and on their own: every deal is judged again in its order.

Reads tables alone and shares no code with the plugin. What it knows of an instant it rebuilds from
the facts before it, one after the other.
"""

from collections import defaultdict
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

Rows = Callable[..., list[Any]]


def rounded(amount: Decimal) -> int:
    """Half up."""
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))


class SlowMarket:
    """Replays a market and collects what is not as the rules say."""

    def __init__(self, sql: Rows) -> None:
        """Read everything there is."""
        self.problems: list[str] = []
        self.checked = 0
        self.models = {r.id: r for r in sql("SELECT * FROM autotrade_car_model")}
        self.dealers = {r.id: r for r in sql("SELECT * FROM autotrade_dealer")}
        self.suppliers = {r.id: r for r in sql("SELECT * FROM autotrade_supplier")}
        self.buyers = {r.id: r.identity_id for r in sql("SELECT * FROM autotrade_buyer")}
        self.promotions = defaultdict(list)
        for each in sql("SELECT * FROM autotrade_promotion ORDER BY id"):
            kind = "dealer" if each.supplier_id is None else "supplier"
            self.promotions[kind, each.dealer_id or each.supplier_id].append(each)
        self.dealer_tiers = self._tiers(
            sql("SELECT dealer_id AS whose, * FROM autotrade_dealer_tier WHERE is_active")
        )
        self.supplier_tiers = self._tiers(
            sql("SELECT supplier_id AS whose, * FROM autotrade_supplier_tier WHERE is_active")
        )
        self.lines = {r.id: r for r in sql("SELECT * FROM autotrade_dealer_stock")}
        self.offers = {r.id: r for r in sql("SELECT * FROM autotrade_offer")}
        self.sales = {r.id: r for r in sql("SELECT * FROM autotrade_sale")}
        self.deals = sql("SELECT * FROM autotrade_supply_deal ORDER BY decision_id")
        self.reviews = sql("SELECT * FROM autotrade_decision WHERE kind = 'review' ORDER BY id")
        self.moves = sql("SELECT * FROM autotrade_stock_move ORDER BY id")
        self.lots = defaultdict(list)
        for lot in sql("SELECT * FROM autotrade_stock_lot ORDER BY id"):
            self.lots[lot.supply_deal_id].append(lot)
        self.asked = defaultdict(list)
        for each in sql(
            "SELECT * FROM autotrade_price_change WHERE supplier_id IS NOT NULL ORDER BY id"
        ):
            self.asked[each.car_model_id].append(each)

    def _tiers(self, rows: list[Any]) -> dict[int, list[tuple[int, Decimal]]]:
        found: dict[int, list[tuple[int, Decimal]]] = defaultdict(list)
        for row in sorted(rows, key=lambda each: each.at_purchases):
            found[row.whose].append((row.at_purchases, row.percent))
        return found

    def judge(self) -> list[str]:
        """All problems; empty when every deal was the right one at its instant."""
        self._judge_sales()
        self._judge_supply()
        return self.problems

    def _unit(
        self, kind: str, whose: int, model: int, listed: int, bought: int, moment: Any
    ) -> tuple[int, int]:
        """The price of one car, and what a promotion has taken off."""
        off = 0
        for each in self.promotions[kind, whose]:
            if not each.starts_at <= moment < each.ends_at:
                continue
            if each.car_model_ids and model not in each.car_model_ids:
                continue
            found = each.amount_minor or rounded(Decimal(listed) * (each.percent or 0) / 100)
            off = max(off, min(found, each.cap_minor or found, listed - 1))
        percent = Decimal(0)
        for at, tier in (self.dealer_tiers if kind == "dealer" else self.supplier_tiers)[whose]:
            if at <= bought:
                percent = tier
        left = listed - off
        return max(1, left - rounded(Decimal(left) * percent / 100)), off

    def _matches(self, offer: Any, model: Any) -> bool:
        if offer.car_model_id is not None:
            return offer.car_model_id == model.id
        columns = {
            "makes": model.make,
            "models": model.model,
            "body_types": model.body_type,
            "fuel_types": model.fuel_type,
            "transmissions": model.transmission,
            "classes": model.car_class,
        }
        return all(value in offer.criteria.get(name, [value]) for name, value in columns.items())

    def _judge_sales(self) -> None:
        units: dict[int, list[Any]] = defaultdict(list)
        price: dict[int, int] = {}
        bought: dict[tuple[int, int], int] = defaultdict(int)
        by_model = defaultdict(list)
        for line in self.lines.values():
            by_model[line.car_model_id].append(line)
        for move in self.moves:
            if move.reason == "supply":
                for lot in self.lots[move.deal_id]:
                    units[lot.stock_id] += [lot.stocked_at] * lot.quantity
            else:
                self._judge_sale(self.sales[move.deal_id], by_model, units, price, bought, move)
                del units[move.stock_id][: -move.delta]
            price[move.stock_id] = move.price_minor
            if len(units[move.stock_id]) != move.quantity_after:
                self.problems.append(f"move {move.id} leaves {move.quantity_after}")

    def _judge_sale(
        self, sale: Any, by_model: Any, units: Any, price: Any, bought: Any, move: Any
    ) -> None:
        offer, best = self.offers[sale.offer_id], None
        self.checked += 1
        for model in self.models.values():
            for line in by_model[model.id] if self._matches(offer, model) else ():
                is_own = self.dealers[line.dealer_id].owner_id == self.buyers[sale.buyer_id]
                if is_own or len(units[line.id]) < offer.quantity:
                    continue
                unit, _ = self._unit(
                    *("dealer", line.dealer_id, model.id, price[line.id]),
                    *(bought[sale.buyer_id, line.dealer_id], sale.sold_at),
                )
                rank = (unit, units[line.id][0], line.id)
                best = rank if best is None or rank < best else best
        if best is None or (best[0], best[2]) != (sale.unit_price_minor, move.stock_id):
            self.problems.append(f"sale {sale.id}: {sale.unit_price_minor} instead of {best}")
        if sale.unit_price_minor > offer.max_price_minor:
            self.problems.append(f"sale {sale.id} is above the offer's price")
        bought[sale.buyer_id, sale.dealer_id] += sale.quantity

    def _asked(self, model: int, moment: Any) -> dict[int, int]:
        """What suppliers ask at a moment."""
        return {
            each.supplier_id: each.price_minor
            for each in self.asked[model]
            if each.priced_at <= moment
        }

    def _judge_supply(self) -> None:
        bought: dict[tuple[int, int], int] = defaultdict(int)
        chosen: dict[tuple[int, int], int] = {}
        events = [(each.decision_id, "deal", each) for each in self.deals]
        events += [(each.id, "review", each) for each in self.reviews]
        for _, kind, each in sorted(events, key=lambda event: event[0]):
            owner = self.dealers[each.dealer_id].owner_id
            moment = each.bought_at if kind == "deal" else each.decided_at
            asked = {
                supplier: listed
                for supplier, listed in self._asked(each.car_model_id, moment).items()
                if self.suppliers[supplier].owner_id != owner
            }
            self.checked += 1
            if kind == "review":
                self._judge_review(each, asked, bought)
                chosen[each.dealer_id, each.car_model_id] = each.supplier_id
            else:
                self._judge_deal(each, asked, bought, chosen)

    def _judge_review(self, review: Any, asked: Any, bought: Any) -> None:
        totals = {}
        for supplier, listed in asked.items():
            cost, units = 0, bought[review.dealer_id, supplier]
            for more in range(100):
                percent = Decimal(0)
                for at, tier in self.supplier_tiers[supplier]:
                    if at <= units + more:
                        percent = tier
                cost += max(1, listed - rounded(Decimal(listed) * percent / 100))
            totals[supplier] = cost
        best = min(totals.items(), key=lambda each: (each[1], each[0]))
        if best[0] != review.supplier_id:
            self.problems.append(f"review {review.id}: {review.supplier_id} instead of {best}")

    def _judge_deal(self, deal: Any, asked: Any, bought: Any, chosen: Any) -> None:
        quotes = {
            supplier: self._unit(
                *("supplier", supplier, deal.car_model_id, listed),
                *(bought[deal.dealer_id, supplier], deal.bought_at),
            )
            for supplier, listed in asked.items()
        }
        regular = chosen.get((deal.dealer_id, deal.car_model_id))
        ranked = sorted((unit, supplier, off) for supplier, (unit, off) in quotes.items())
        best = ranked[0][1]
        if regular in quotes:
            beating = [s for unit, s, off in ranked if off and unit < quotes[regular][0]]
            best = beating[0] if beating else regular
        if best != deal.supplier_id:
            self.problems.append(f"deal {deal.id}: {deal.supplier_id} instead of {best}")
            return
        cost = 0
        for _ in range(deal.quantity):
            place = (deal.dealer_id, best)
            cost += self._unit(
                *("supplier", best, deal.car_model_id, asked[best], bought[place]), deal.bought_at
            )[0]
            bought[place] += 1
        if cost != deal.total_minor:
            self.problems.append(f"deal {deal.id}: {deal.total_minor} instead of {cost}")
