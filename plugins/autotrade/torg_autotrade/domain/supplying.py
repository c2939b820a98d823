"""What a dealer buys in a run, and whom it calls its supplier: pure.

The supplier of a model is chosen by the total cost of the next purchases, walking each supplier's
loyalty tiers: one who is dearer today may win. A run buys from him, unless another's running
promotion beats what he asks of this regular customer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torg_autotrade.domain.prices import (
    Effective,
    Promotion,
    Step,
    Tiers,
    affordable,
    best_promotion,
    effective,
    total,
    walk,
)

_NONE: tuple[int | None, int] = (None, 0)


@dataclass(frozen=True, slots=True)
class Source:
    """A supplier of one model, as one dealer sees him: `bought` units there so far."""

    supplier_id: int
    owner_id: int
    listed: int
    tiers: Tiers
    promotions: Sequence[Promotion]
    bought: int


@dataclass(frozen=True, slots=True)
class Expected:
    """What the next purchases at a supplier would cost."""

    source: Source
    total: int
    unit: int


def review(sources: Sequence[Source], horizon: int) -> list[Expected]:
    """The suppliers of a model, the cheapest over the next `horizon` units first.

    Promotions are left out: they end. Ties go by supplier id.
    """
    found = [
        Expected(
            each,
            total(walk(each.listed, _NONE, each.tiers, each.bought, horizon)),
            effective(each.listed, _NONE, each.tiers, each.bought).unit,
        )
        for each in sources
    ]
    return sorted(found, key=lambda each: (each.total, each.source.supplier_id))


@dataclass(frozen=True, slots=True)
class Quote:
    """What a supplier asks for the next unit."""

    source: Source
    promotion: tuple[int | None, int]
    price: Effective

    @property
    def is_promoted(self) -> bool:
        """Whether a promotion has part in it."""
        return self.promotion[0] is not None


def quote(source: Source, car_model_id: int) -> Quote:
    """The price of the next unit, with the supplier's best promotion."""
    promotion = best_promotion(source.listed, car_model_id, source.promotions)
    price = effective(source.listed, promotion, source.tiers, source.bought)
    return Quote(source, promotion, price)


def choose(quotes: Sequence[Quote], chosen_id: int | None) -> Quote | None:
    """Whom to buy from now: the chosen supplier, or whoever's running promotion beats him.

    Without a chosen supplier (no review has been yet, or he sells the model no more) it is the
    cheapest of all.
    """
    if not quotes:
        return None
    ranked = sorted(quotes, key=lambda each: (each.price.unit, each.source.supplier_id))
    regular = next((each for each in ranked if each.source.supplier_id == chosen_id), None)
    if regular is None:
        return ranked[0]
    better = (each for each in ranked if each.is_promoted and each.price.unit < regular.price.unit)
    return next(better, regular)


@dataclass(frozen=True, slots=True)
class Need:
    """A model that a dealer wants more of."""

    stock_id: int
    car_model_id: int
    missing: int
    demand: int


@dataclass(frozen=True, slots=True)
class Purchase:
    """What is bought of one model from one supplier."""

    need: Need
    quote: Quote
    steps: Sequence[Step]
    quotes: Sequence[Quote]

    @property
    def quantity(self) -> int:
        """How many units."""
        return sum(each.quantity for each in self.steps)

    @property
    def total(self) -> int:
        """What they cost together."""
        return total(self.steps)


def plan(
    needs: Sequence[Need],
    quotes: Mapping[int, Sequence[Quote]],
    chosen: Mapping[int, int],
    budget: int,
) -> list[Purchase]:
    """What a dealer buys, the greatest demand first, for at most `budget` altogether.

    Purchases at one supplier count for the tier of the next ones in the same run.

    Args:
        needs: of its models.
        quotes: of suppliers, by model.
        chosen: the supplier of each model, by review.
        budget: the lesser of its balance and its spend for a run.
    """
    purchases = []
    bought: dict[int, int] = {}
    for need in sorted(needs, key=lambda each: (-each.demand, each.car_model_id)):
        asked = [_after(each, bought) for each in quotes.get(need.car_model_id, ())]
        best = choose(asked, chosen.get(need.car_model_id))
        if best is None or need.missing <= 0:
            continue
        source = best.source
        steps = affordable(
            source.listed, best.promotion, source.tiers, source.bought, need.missing, budget
        )
        if not steps:
            continue
        purchase = Purchase(need, best, steps, asked)
        purchases.append(purchase)
        budget -= purchase.total
        bought[source.supplier_id] = bought.get(source.supplier_id, 0) + purchase.quantity
    return purchases


def _after(asked: Quote, bought: Mapping[int, int]) -> Quote:
    more = bought.get(asked.source.supplier_id, 0)
    if not more:
        return asked
    old = asked.source
    source = Source(
        *(old.supplier_id, old.owner_id, old.listed, old.tiers, old.promotions),
        bought=old.bought + more,
    )
    price = effective(source.listed, asked.promotion, source.tiers, source.bought)
    return Quote(source, asked.promotion, price)
