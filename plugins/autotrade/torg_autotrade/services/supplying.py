"""One chunk of a supply run: dealers buy, the greatest demand first, once in a purchase slot.

A purchase is made once because the dealer's row is locked and remembers its slot, because the
ledger's key is dealer, model and slot, and because a deal is unique for these.
"""

from collections.abc import Sequence
from typing import Any

from torg.money import Money
from torg_autotrade.domain.supplying import Need, Purchase, Quote, plan, quote
from torg_autotrade.queries import supplying
from torg_autotrade.services import sale_writing, supply_writing
from torg_autotrade.services.market_context import (
    SOURCE,
    Context,
    Outcome,
    RefusedError,
    ledger,
    settings,
)
from torg_ledger import Entry, Posting

SLOT_SECONDS = 600
Planned = tuple[Any, Purchase]


def step(context: Context) -> Outcome:
    """Let the next dealers buy.

    Raises:
        RefusedError: the ledger refused one of them, who stands aside; do it again.
    """
    slot = int(context.now.timestamp()) // SLOT_SECONDS
    rows = supplying.dealers(
        "supply",
        cursor=context.cursor,
        limit=context.limit,
        slot=slot,
        currency=settings().currency,
        part=context.part,
        parts=context.parts,
        only=context.only,
        excluded=context.excluded,
        lock=not context.is_dry,
    )
    if not rows:
        return Outcome(context.cursor, 0, 0, is_last=True)
    dealers = {row.id: row for row in rows}
    if not context.is_dry:
        supplying.lock_models(dealers)
        context.look_at_clock()
    planned, suppliers = _planned(context, dealers, slot)
    is_last = len(rows) < context.limit
    if context.is_dry:
        shown = [supply_writing.shown(dealer.id, purchase) for dealer, purchase in planned]
        return Outcome(rows[-1].id, len(rows), len(planned), is_last, shown)
    references = _settle(context, planned, suppliers, slot)
    supply_writing.write(context, planned, references, slot)
    supplying.mark_done("supply", [each for each in dealers if each not in context.errors], slot)
    return Outcome(rows[-1].id, len(rows), len(planned), is_last)


def _planned(
    context: Context, dealers: dict[int, Any], slot: int
) -> tuple[list[Planned], supplying.Suppliers]:
    lines: dict[int, list[Any]] = {each: [] for each in dealers}
    for line in supplying.lines(dealers):
        lines[line.dealer_id].append(line)
    models = {line.car_model_id for found in lines.values() for line in found}
    currency, now = settings().currency, context.now
    suppliers = supplying.Suppliers(dealers, models, now, currency)
    sale_writing.note_broken_promotions(context, suppliers.promotions)
    demand = supplying.demand(models, now, settings().demand_days)
    spent = supplying.spent(dealers, slot)
    accounts = [row.account_id for row in dealers.values() if row.account_id is not None]
    balances = ledger().balances(accounts)
    planned: list[Planned] = []
    for dealer in dealers.values():
        balance = balances.get(dealer.account_id)
        if balance is None:
            context.fail(dealer.id, "supply: the dealer has no account in the ledger")
            continue
        budget = dealer.spend_per_run_minor - spent.get(dealer.id, 0)
        try:
            found = _plan_of(
                dealer, lines[dealer.id], suppliers, demand, min(budget, balance.available.minor)
            )
        except (ValueError, TypeError, ArithmeticError) as error:
            # What one dealer's rows do to the reckoning stays with that dealer.
            context.fail(dealer.id, f"supply: {type(error).__name__}: {error}")
            continue
        planned += [(dealer, each) for each in found]
    return planned, suppliers


def _plan_of(
    dealer: Any,
    lines: Sequence[Any],
    suppliers: supplying.Suppliers,
    demand: dict[int, int],
    budget: int,
) -> list[Purchase]:
    needs = [
        Need(
            line.id,
            line.car_model_id,
            dealer.target_stock - line.quantity,
            demand.get(line.car_model_id, 0),
        )
        for line in lines
        if line.quantity < dealer.target_stock
    ]
    quotes: dict[int, list[Quote]] = {
        need.car_model_id: [
            quote(each, need.car_model_id)
            for each in suppliers.of(dealer.id, dealer.owner_id, need.car_model_id)
        ]
        for need in needs
    }
    chosen = {line.car_model_id: line.chosen_id for line in lines if line.chosen_id is not None}
    return plan(needs, quotes, chosen, budget)


def _settle(
    context: Context, planned: Sequence[Planned], suppliers: supplying.Suppliers, slot: int
) -> list[str]:
    currency = settings().currency
    postings = []
    for dealer, purchase in planned:
        model = purchase.need.car_model_id
        reference = f"supply:{dealer.id}:{model}:{slot}"
        amount = Money(purchase.total, currency)
        supplier = suppliers.accounts[purchase.quote.source.supplier_id]
        postings.append(
            Posting(
                reference,
                [Entry(dealer.account_id, -amount), Entry(supplier, amount)],
                external_reference=reference,
                description=f"{purchase.quantity} cars of model {model}",
            )
        )
    settled = ledger().settle(postings, source=SOURCE, purpose="car_supply")
    is_refused = False
    for (dealer, _), each in zip(planned, settled, strict=True):
        if each.refusal is not None:
            context.fail(dealer.id, f"supply: the ledger refused with {each.refusal}")
            is_refused = True
    if is_refused:
        raise RefusedError
    return [each.posted.reference for each in settled if each.posted is not None]
