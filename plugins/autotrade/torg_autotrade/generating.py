"""Months of trading in little time: the real services and runs under a moved clock.

For the demo, for `torg autotrade generate` and for simulations in tests. Only people's first money
comes from nowhere but the books: an account of the house stands against it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from torg import contracts
from torg.db import in_transaction
from torg.errors import TorgError
from torg.identity import Identity, create_identity
from torg.money import Money
from torg_autotrade.services import catalogue, offers, participants, promotions, runs
from torg_autotrade.services.market_context import SOURCE, ledger, settings
from torg_autotrade.vehicles import CITIES, DEALERS, SUPPLIERS, VEHICLES
from torg_ledger import AccountKind, Entry

Transaction = Callable[[Callable[[], Any]], Any]
_CAR_MINOR = 100_00


@dataclass
class Trade:
    """A market that is filled and moved on tick by tick.

    Attributes:
        chance: seeded, so that it can be done again.
        start: the moment of the first tick.
        transaction: how each step is committed.
    """

    chance: Random
    start: datetime
    transaction: Transaction
    dealers: list[tuple[int, Identity]] = field(default_factory=list)
    suppliers: list[tuple[int, Identity]] = field(default_factory=list)
    models: list[int] = field(default_factory=list)
    buyers: list[int] = field(default_factory=list)
    prices: dict[int, int] = field(default_factory=dict)
    sold: int = 0
    bought: int = 0
    _keys: int = 0

    @classmethod
    def begin(
        cls,
        chance: Random,
        start: datetime,
        *,
        dealers: int = 4,
        suppliers: int = 6,
        models: int = 40,
        buyers: int = 20,
        people: Sequence[int] = (),
        transaction: Transaction = in_transaction,
    ) -> "Trade":
        """Fill a market.

        Args:
            chance: seeded.
            start: the moment of the first tick.
            dealers, suppliers, models, buyers: how many.
            people: identities to use for owners and buyers, again and again; without any, fresh
                ones are made.
            transaction: how each step is committed.
        """
        trade = cls(chance, start, transaction)
        transaction(lambda: trade._fill(dealers, suppliers, models, buyers, list(people)))
        return trade

    def tick(self, number: int, of: int, until: datetime, offers_at_once: int = 4) -> None:
        """One step: suppliers are compared, dealers buy, people make offers, dealers sell."""
        now = self.start + (until - self.start) * (number + 1) / (of + 1)
        self.transaction(lambda: self.stir(number, now))
        options: dict[str, Any] = {"now": now, "is_told": False, "transaction": self.transaction}
        runs.run("review", **options)
        self.bought += runs.run("supply", **options).dealt
        self.transaction(lambda: self.offer(now, offers_at_once))
        self.sold += runs.run("sales", **options).dealt

    def summary(self) -> str:
        """What came of it."""
        return f"{self.sold} sales, {self.bought} purchases of {len(self.dealers)} dealers"

    def _fill(
        self, dealers: int, suppliers: int, models: int, buyers: int, people: list[int]
    ) -> None:
        owners = people or [create_identity() for _ in range(dealers + suppliers + buyers)]
        persons = [Identity(each, "", frozenset(), email_verified=True) for each in owners]
        self._models(models)
        for number in range(suppliers):
            self._supplier(number, persons[number % len(persons)])
        for number in range(dealers):
            self._dealer(number, persons[(suppliers + number) % len(persons)])
        for number in range(buyers):
            person = persons[(suppliers + dealers + number) % len(persons)]
            if person.id not in self.buyers:
                self.buyers.append(person.id)
                self._give(person.id, _CAR_MINOR * self.chance.randint(3000, 9000))

    def _models(self, count: int) -> None:
        for number in range(count):
            make, model, body, fuel, gears, engine, kind, euros = VEHICLES[number % len(VEHICLES)]
            made = catalogue.create(
                {
                    "make": make,
                    "model": model,
                    "body_type": body,
                    "fuel_type": fuel,
                    "transmission": gears,
                    "engine": engine,
                    "model_year": 2026 - number // len(VEHICLES),
                    "car_class": kind,
                }
            )
            self.models.append(made)
            self.prices[made] = euros * 100

    def _supplier(self, number: int, owner: Identity) -> None:
        name, year, country = SUPPLIERS[number % len(SUPPLIERS)]
        suffix = f" {number // len(SUPPLIERS) + 1}" if number >= len(SUPPLIERS) else ""
        given = {"name": name + suffix, "founded_year": year, "country": country}
        made = participants.create("supplier", owner, given)
        self.suppliers.append((made, owner))
        share = max(1, len(self.models) * 2 // 3)
        for model in sorted(self.chance.sample(self.models, share)):
            self._price(made, owner, model, self.start)
        steps = self.chance.choice(
            [{}, {10: "1.00", 40: "2.50"}, {25: "2.00", 100: "5.00"}, {60: "6.00"}]
        )
        tiers = [{"at_purchases": at, "percent": Decimal(off)} for at, off in steps.items()]
        participants.set_tiers("supplier", owner, made, tiers)

    def _price(self, supplier: int, owner: Identity, model: int, now: datetime) -> None:
        minor = self.prices[model] * self.chance.randint(92, 106) // 100
        price = Money(minor, settings().currency)
        participants.set_price(owner, supplier, model, price, now)

    def _dealer(self, number: int, owner: Identity) -> None:
        preferences = self.chance.choice(
            [{}, {"body_types": ["suv", "wagon"]}, {"fuel_types": ["petrol", "hybrid"]}]
        )
        city, country = CITIES[number % len(CITIES)]
        name = DEALERS[number % len(DEALERS)]
        suffix = f" {number // len(DEALERS) + 1}" if number >= len(DEALERS) else ""
        capital = Money(_CAR_MINOR * 15_000, settings().currency)
        given = {
            "name": name + suffix,
            "country": country,
            "city": city,
            "preferences": preferences,
            "margin_percent": Decimal(self.chance.randint(6, 14)),
            "spend_per_run": Money(capital.minor // 4, capital.currency),
            "target_stock": 2,
        }
        made = participants.create("dealer", owner, given)
        self.dealers.append((made, owner))
        self._give(owner.id, capital.minor)
        participants.move_money("dealer", owner, made, capital, "in", f"capital:{made}")
        tiers = [{"at_purchases": 2, "percent": Decimal("1.50")}] if number % 2 else []
        participants.set_tiers("dealer", owner, made, tiers)

    def _give(self, person: int, minor: int) -> None:
        currency = settings().currency
        bank = ledger().open_account("autotrade:savings", currency, kind=AccountKind.ASSET)
        account = ledger().open_account("main", currency, owner_id=person)
        amount = Money(minor, currency)
        self._keys += 1
        ledger().post(
            [Entry(bank, -amount), Entry(account, amount)],
            source=SOURCE,
            purpose="savings",
            key=f"savings:{person}:{self._keys}",
            description="Savings",
        )

    def stir(self, number: int, now: datetime) -> None:
        """Prices move, promotions come, people save, dealers' profits are taken out."""
        supplier, owner = self.chance.choice(self.suppliers)
        model = self.chance.choice(self.models)
        self._price(supplier, owner, model, now)
        if number % 6 == 0:
            kind = self.chance.choice(["dealer", "supplier"])
            whose, owner = self.chance.choice(self.dealers if kind == "dealer" else self.suppliers)
            given = {
                "title": self.chance.choice(["Spring sale", "Clearance", "Распродажа"]),
                f"{kind}_id": whose,
                "percent": Decimal(self.chance.randint(2, 8)),
                "cap": Money(150_000, settings().currency),
                "starts_at": now,
                "ends_at": now + timedelta(days=self.chance.randint(5, 30)),
            }
            promotions.create(owner, given)
        self._give(self.chance.choice(self.buyers), _CAR_MINOR * self.chance.randint(200, 900))

    def offer(self, now: datetime, count: int) -> None:
        for _ in range(count):
            model = self.chance.choice(self.models)
            asked = self.prices[model] * self.chance.randint(98, 125) // 100
            given: dict[str, Any] = {
                "car_model_id": model,
                "max_price": Money(asked, settings().currency),
                "expires_at": now + timedelta(days=self.chance.randint(10, 60)),
            }
            if self.chance.random() < 0.15:
                given |= {"car_model_id": None, "criteria": {"body_types": ["suv"]}}
            try:
                person = self.chance.choice(self.buyers)
                offers.place(person, given, now=now, is_tried=False)
            except TorgError:
                # Somebody who has not saved enough is refused, here as anywhere.
                continue


def identities(most: int = 100) -> list[int]:
    """People of the accounts plugin, by id."""
    return [each.id for each in contracts.require("users").page(0, most)]
