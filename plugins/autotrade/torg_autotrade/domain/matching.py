"""Which dealer an offer goes to: the cheapest effective price over all that have the car.

Pure. Offers are taken one after the other, so that each sees the stock and the purchases that the
ones before it left. Ties go by price, then by the older stock, then by the id of the line.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from heapq import merge

from torg_autotrade.domain.prices import (
    Effective,
    Promotion,
    Tiers,
    best_promotion,
    effective,
    loyal,
)

NO_TIERS = Tiers()
# A decision shows at least so many candidates, if there are.
SHOWN = 10


class Reason(StrEnum):
    """Why an offer is not filled."""

    NO_MATCH = "no_match"
    OUT_OF_STOCK = "out_of_stock"
    PRICE_ABOVE_MAX = "price_above_max"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    EXPIRED = "expired"


@dataclass(slots=True)
class Lot:
    """Units of one cost and one day; `taken` is what the present run sold of them."""

    id: int
    left: int
    unit_cost: int
    stocked_at: datetime
    taken: int = 0


@dataclass(slots=True)
class Line:
    """A dealer's stock of one model, with the lots that are left, the oldest first."""

    id: int
    dealer_id: int
    owner_id: int
    car_model_id: int
    listed: int
    lots: list[Lot]
    tiers: Tiers = NO_TIERS
    promotion: tuple[int | None, int] = (None, 0)
    sold: int = 0

    @property
    def quantity(self) -> int:
        """Units that are left."""
        return sum(each.left for each in self.lots)

    @property
    def stocked_at(self) -> datetime:
        """When the oldest unit came."""
        return self.lots[0].stocked_at

    @property
    def floor(self) -> int:
        """What the most loyal customer pays: nobody pays less."""
        return loyal(self.listed, *self.promotion, self.tiers.most).unit


@dataclass(frozen=True, slots=True)
class Wish:
    """An open offer: any of these models, so many units of one dealer, at most this price each."""

    offer_id: int
    buyer_id: int
    identity_id: int
    models: tuple[int, ...]
    max_price: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A line that could serve an offer, at its price for this buyer."""

    line: Line
    price: Effective
    stocked_at: datetime

    @property
    def rank(self) -> tuple[int, datetime, int]:
        """What the choice goes by."""
        return (self.price.unit, self.stocked_at, self.line.id)


@dataclass(frozen=True, slots=True)
class Taken:
    """Units out of one lot."""

    lot_id: int
    quantity: int
    unit_cost: int
    stocked_at: datetime


@dataclass(frozen=True, slots=True)
class Deal:
    """An offer that is filled."""

    wish: Wish
    chosen: Candidate
    candidates: Sequence[Candidate]
    considered: int
    lots: Sequence[Taken]

    @property
    def total(self) -> int:
        """What the buyer pays."""
        return self.chosen.price.unit * self.wish.quantity

    @property
    def cost(self) -> int:
        """What the dealer paid for these units."""
        return sum(each.quantity * each.unit_cost for each in self.lots)


@dataclass(frozen=True, slots=True)
class Unfilled:
    """An offer that is not, and the least price that was asked, if any was."""

    wish: Wish
    reason: Reason
    best_price: int | None = None


@dataclass
class Market:
    """Everything that is for sale, as it stands; `settle` changes it.

    Attributes:
        lines: what dealers have and ask.
        bought: units by (buyer, dealer).
        stocked: models of which a dealer has a line at all, empty or not.
    """

    lines: Iterable[Line]
    bought: dict[tuple[int, int], int]
    stocked: frozenset[int]
    _by_model: dict[int, list[Line]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        grouped: defaultdict[int, list[Line]] = defaultdict(list)
        for each in self.lines:
            grouped[each.car_model_id].append(each)
        # By the least that anybody pays: the search ends where nothing cheaper can follow.
        self._by_model = {
            model: sorted(found, key=lambda line: (line.floor, line.id))
            for model, found in grouped.items()
        }

    def settle(self, wish: Wish) -> Deal | Unfilled:
        """Decide an offer, and take what it gets out of the market."""
        if not self.stocked.intersection(wish.models):
            return Unfilled(wish, Reason.NO_MATCH)
        candidates, considered = self._candidates(wish)
        if not candidates:
            return Unfilled(wish, Reason.OUT_OF_STOCK)
        best = min(candidates, key=lambda each: each.rank)
        if best.price.unit > wish.max_price:
            return Unfilled(wish, Reason.PRICE_ABOVE_MAX, best.price.unit)
        lots = _take(best.line, wish.quantity)
        at = (wish.buyer_id, best.line.dealer_id)
        self.bought[at] = self.bought.get(at, 0) + wish.quantity
        ranked = sorted(candidates, key=lambda each: each.rank)[:SHOWN]
        return Deal(wish, best, ranked, considered, lots)

    def _candidates(self, wish: Wish) -> tuple[list[Candidate], int]:
        found: list[Candidate] = []
        best: int | None = None
        lists = [self._by_model.get(model, []) for model in wish.models]
        lines = lists[0] if len(lists) == 1 else merge(*lists, key=lambda line: line.floor)
        considered = 0
        for line in lines:
            if best is not None and line.floor > best and len(found) >= SHOWN:
                break
            considered += 1
            # Nobody deals with himself: that would be statistics without a trade.
            if line.owner_id == wish.identity_id or line.quantity < wish.quantity:
                continue
            bought = self.bought.get((wish.buyer_id, line.dealer_id), 0)
            price = effective(line.listed, line.promotion, line.tiers, bought)
            found.append(Candidate(line, price, line.stocked_at))
            best = price.unit if best is None else min(best, price.unit)
        return found, considered


def _take(line: Line, quantity: int) -> list[Taken]:
    taken = []
    line.sold += quantity
    for lot in line.lots:
        units = min(lot.left, quantity)
        lot.left -= units
        lot.taken += units
        quantity -= units
        taken.append(Taken(lot.id, units, lot.unit_cost, lot.stocked_at))
        if not quantity:
            break
    line.lots = [lot for lot in line.lots if lot.left]
    return taken


def promote(lines: Iterable[Line], promotions: Mapping[int, Sequence[Promotion]]) -> list[Line]:
    """Give each line the best promotion of its dealer.

    Args:
        lines: of all dealers.
        promotions: those in force, by dealer.
    """
    found = list(lines)
    for line in found:
        offered = promotions.get(line.dealer_id, ())
        line.promotion = best_promotion(line.listed, line.car_model_id, offered)
    return found
