"""What a car costs now: a list price, the best promotion in force, then the customer's tier.

Amounts are minor units. Percentages are whole hundredths of a per cent (2.50 % is 250), so all of
it is exact; a discount is rounded half up. No discount exceeds its cap, none raises a price, and a
price never falls below one minor unit.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

WHOLE = 10_000
LEAST_PRICE = 1


@dataclass(frozen=True, slots=True)
class Promotion:
    """A discount that is in force; `models` is empty when it is for all of them.

    Attributes:
        percent: hundredths of a per cent, or None.
        amount: minor units off, or None.
        cap: the most that it takes off, or None.
    """

    id: int
    percent: int | None
    amount: int | None
    cap: int | None
    models: frozenset[int] = frozenset()

    @property
    def is_sound(self) -> bool:
        """Whether it states exactly one discount, and one that makes sense.

        The door and the database refuse any other; runs ask again, and pass a broken one over.
        """
        if (self.percent is None) == (self.amount is None):
            return False
        given = (self.percent, self.amount, self.cap)
        return all(each is None or each > 0 for each in given) and (self.percent or 0) < WHOLE

    def is_for(self, car_model_id: int) -> bool:
        """Whether this model is promoted."""
        return not self.models or car_model_id in self.models


@dataclass(frozen=True, slots=True)
class Tiers:
    """Loyalty tiers: from `purchases[i]` units on, `percents[i]` off. Ascending by purchases."""

    purchases: tuple[int, ...] = ()
    percents: tuple[int, ...] = ()

    @classmethod
    def of(cls, steps: Mapping[int, int]) -> "Tiers":
        """From {units bought so far: hundredths of a per cent}."""
        ordered = sorted(steps)
        return cls(tuple(ordered), tuple(steps[each] for each in ordered))

    def percent(self, bought: int) -> int:
        """What somebody who has bought so many units gets off."""
        found = 0
        for at, percent in zip(self.purchases, self.percents, strict=True):
            if at > bought:
                break
            found = percent
        return found

    @property
    def most(self) -> int:
        """The largest percentage of all tiers."""
        return max(self.percents, default=0)

    def until(self, bought: int) -> int | None:
        """How many units are bought at the present tier before the next one begins; None: all."""
        return next((at - bought for at in self.purchases if at > bought), None)


@dataclass(frozen=True, slots=True)
class Effective:
    """A price with its parts: `unit = listed - promotion_discount - loyalty_discount`."""

    listed: int
    promotion_id: int | None
    promotion_discount: int
    loyalty_percent: int
    loyalty_discount: int

    @property
    def unit(self) -> int:
        """What one car costs."""
        return self.listed - self.promotion_discount - self.loyalty_discount


def share(amount: int, percent: int) -> int:
    """So many hundredths of a per cent of an amount that is not negative, rounded half up."""
    return (2 * amount * percent + WHOLE) // (2 * WHOLE)


def promoted_by(price: int, promotion: Promotion) -> int:
    """What a sound promotion takes off a price."""
    off = promotion.amount if promotion.percent is None else share(price, promotion.percent)
    if promotion.cap is not None:
        off = min(off or 0, promotion.cap)
    return min(off or 0, price - LEAST_PRICE)


def best_promotion(
    price: int, car_model_id: int, promotions: Iterable[Promotion]
) -> tuple[int | None, int]:
    """The promotion that takes most off, and how much; of equal ones the older. They never add up.

    One that is broken is passed over: it stops itself and nothing else.
    """
    best: tuple[int | None, int] = (None, 0)
    for each in sorted(promotions, key=lambda promotion: promotion.id):
        if each.is_sound and each.is_for(car_model_id):
            off = promoted_by(price, each)
            if off > best[1]:
                best = (each.id, off)
    return best


def effective(
    listed: int, promotion: tuple[int | None, int], tiers: Tiers, bought: int
) -> Effective:
    """The price for somebody who has bought so many units.

    Args:
        listed: the list price.
        promotion: what `best_promotion` found.
        tiers: of the seller.
        bought: units that he bought there before.
    """
    promotion_id, off = promotion
    return loyal(listed, promotion_id, off, tiers.percent(bought))


def loyal(listed: int, promotion_id: int | None, off: int, percent: int) -> Effective:
    """The price at a known tier: the tier's discount is of what the promotion has left."""
    left = listed - off
    discount = min(share(left, percent), left - LEAST_PRICE)
    return Effective(listed, promotion_id, off, percent, discount)


@dataclass(frozen=True, slots=True)
class Step:
    """So many units at one price."""

    quantity: int
    price: Effective

    @property
    def total(self) -> int:
        """What they cost together."""
        return self.quantity * self.price.unit


def walk(
    listed: int, promotion: tuple[int | None, int], tiers: Tiers, bought: int, count: int
) -> list[Step]:
    """The next `count` units one after the other, each counting towards the tier of the next.

    Equal to buying them one by one (a test compares), but with one step for each tier.
    """
    steps = []
    while count > 0:
        room = tiers.until(bought)
        quantity = count if room is None else min(count, room)
        steps.append(Step(quantity, effective(listed, promotion, tiers, bought)))
        bought += quantity
        count -= quantity
    return steps


def total(steps: Sequence[Step]) -> int:
    """What a walk costs."""
    return sum(each.total for each in steps)


def affordable(
    listed: int,
    promotion: tuple[int | None, int],
    tiers: Tiers,
    bought: int,
    count: int,
    budget: int,
) -> list[Step]:
    """The longest walk of at most `count` units that costs at most `budget`."""
    steps: list[Step] = []
    for each in walk(listed, promotion, tiers, bought, count):
        quantity = min(each.quantity, budget // each.price.unit)
        if quantity:
            steps.append(Step(quantity, each.price))
            budget -= steps[-1].total
        if quantity < each.quantity:
            break
    return steps


def with_margin(cost: int, margin: int) -> int:
    """A sales price: the cost and so many hundredths of a per cent on top, rounded half up."""
    return cost + share(cost, margin)
