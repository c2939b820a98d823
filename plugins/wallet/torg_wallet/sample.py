"""Money and points of the demo's people, through the wallet's own services."""

from datetime import timedelta

from torg import contracts
from torg.demo import Demo
from torg.money import Money
from torg_ledger import AccountKind, Entry
from torg_wallet.services.bonus import BonusService
from torg_wallet.services.codes import create
from torg_wallet.services.ledger import LedgerService

_LEDGER, _BONUS = LedgerService(), BonusService()
_PURPOSES = ("Groceries", "A book", "Concert tickets", "Half of the taxi", "Возврат долга")


def fill(demo: Demo) -> None:
    """Give everybody euros, some of them a past, points and a hold; and make a promo code."""
    people = contracts.require("users").page(0, 100)
    if not people:
        return
    bank = _LEDGER.open_account("provider:sandbox", "EUR", kind=AccountKind.ASSET)
    accounts = {}
    for person in people:
        account = _LEDGER.open_account("main", "EUR", owner_id=person.id)
        accounts[person.id] = account
        amount = Money(100_00 * demo.random.randint(5, 200), "EUR")
        _LEDGER.post(
            [Entry(bank, -amount), Entry(account, amount)],
            source="wallet",
            purpose="deposit",
            key=f"demo:{person.id}",
            description="Sandbox deposit",
        )
    for number in range(3 * len(people) if len(people) > 1 else 0):
        giver, taker = demo.random.sample(people, 2)
        amount = Money(demo.random.randint(100, 20_00), "EUR")
        _LEDGER.post(
            [Entry(accounts[giver.id], -amount), Entry(accounts[taker.id], amount)],
            source="wallet",
            purpose="demo",
            key=f"demo:move:{number}",
            description=demo.random.choice(_PURPOSES),
        )
    for number, person in enumerate(people[:10]):
        _BONUS.earn(
            person.id,
            demo.random.randint(50, 500),
            source="wallet",
            reference=f"demo:{person.id}",
            available_at=demo.now + timedelta(days=14 * (number % 3) - 7),
        )
    create(people[0].id, "WELCOME", 100, most_uses=1000)
