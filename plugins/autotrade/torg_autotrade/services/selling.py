"""One chunk of a sales run: lock, decide by the pure rules, settle, write; about twenty statements.

Everything of a chunk is one transaction. An offer is sold once because its row is locked, because
the ledger's key is the offer's, and because a sale is unique for its offer.
"""

from collections.abc import Sequence
from typing import Any

from torg.money import Money
from torg_autotrade.domain.matching import Deal, Line, Market, Reason, Unfilled, Wish, promote
from torg_autotrade.queries import selling, terms
from torg_autotrade.services import sale_writing
from torg_autotrade.services.market_context import (
    SOURCE,
    Context,
    Outcome,
    RefusedError,
    ledger,
    settings,
)
from torg_ledger import Entry, Posting, Settlement

_OF_HOLD = ("hold_closed", "hold_exceeded", "hold_not_found", "insufficient_funds")
Verdict = Deal | Unfilled


def step(context: Context) -> Outcome:
    """Decide the next open offers, and sell.

    Raises:
        RefusedError: the ledger refused some; `context` knows which, do it again.
    """
    rows = selling.offers(
        cursor=context.cursor,
        limit=context.limit,
        currency=settings().currency,
        part=context.part,
        parts=context.parts,
        offer_id=context.only,
        lock=not context.is_dry,
    )
    if not rows:
        return Outcome(context.cursor, 0, 0, is_last=True)
    market, accounts, wishes = _opened(context, rows)
    verdicts = [_judged(context, market, wish, row) for wish, row in zip(wishes, rows, strict=True)]
    deals = [each for each in verdicts if isinstance(each, Deal)]
    is_last = context.only is not None or len(rows) < context.limit
    if context.is_dry:
        shown = [_shown(each) for each in verdicts]
        return Outcome(rows[-1].id, len(rows), len(deals), is_last, shown)
    holds = {row.id: row.hold_reference for row in rows}
    settled = _settle(context, deals, accounts, holds)
    sale_writing.write(context, deals, [each.posted.reference for each in settled if each.posted])
    ended = sale_writing.note(context, rows, verdicts)
    ledger().void_many(holds[each] for each in ended)
    return Outcome(rows[-1].id, len(rows), len(deals), is_last)


def _opened(
    context: Context, rows: Sequence[Any]
) -> tuple[Market, dict[int, int | None], list[Wish]]:
    wanted = selling.wanted_models(rows)
    models = {model for found in wanted.values() for model in found}
    buyers = {row.buyer_id for row in rows}
    currency = settings().currency
    if not context.is_dry:
        selling.lock_markets(models, buyers)
        context.look_at_clock()
    lines, accounts = selling.lines(models, currency, context.excluded)
    for dealer_id, account in accounts.items():
        if account is None:
            context.fail(dealer_id, "sales: the dealer has no account in the ledger")
    lines = [each for each in lines if each.dealer_id not in context.excluded]
    dealers = {each.dealer_id for each in lines}
    promotions = terms.promotions("dealer", dealers, context.now, currency)
    sale_writing.note_broken_promotions(context, promotions)
    tiers = terms.tiers("dealer", dealers)
    for line in lines:
        line.tiers = tiers.get(line.dealer_id, line.tiers)
    market = Market(
        promote(lines, promotions), terms.bought(buyers, dealers), selling.stocked(models)
    )
    wishes = [
        Wish(
            *(row.id, row.buyer_id, row.identity_id, wanted[row.id]),
            *(row.max_price_minor, row.quantity),
        )
        for row in rows
    ]
    return market, accounts, wishes


def _judged(context: Context, market: Market, wish: Wish, row: Any) -> Verdict:
    if selling.has_expired(row, context.now):
        return Unfilled(wish, Reason.EXPIRED)
    if wish.offer_id in context.refused:
        return Unfilled(wish, Reason.INSUFFICIENT_FUNDS)
    return market.settle(wish)


def _settle(
    context: Context,
    deals: Sequence[Deal],
    accounts: dict[int, int | None],
    holds: dict[int, str],
) -> Sequence[Settlement]:
    currency = settings().currency
    postings = []
    for deal in deals:
        account = accounts[deal.chosen.line.dealer_id]
        assert account is not None
        reference = f"sale:{deal.wish.offer_id}"
        postings.append(
            Posting(
                reference,
                [Entry(account, Money(deal.total, currency))],
                hold=holds[deal.wish.offer_id],
                external_reference=reference,
                description=f"Car model {deal.chosen.line.car_model_id}",
            )
        )
    settled = ledger().settle(postings, source=SOURCE, purpose="car_sale")
    refused = [
        (deal, each.refusal)
        for deal, each in zip(deals, settled, strict=True)
        if each.refusal is not None
    ]
    for deal, code in refused:
        if code in _OF_HOLD:
            context.refused.add(deal.wish.offer_id)
        else:
            context.fail(deal.chosen.line.dealer_id, f"sales: the ledger refused with {code}")
    if refused:
        # What came after a refused deal was decided as if it had been made.
        raise RefusedError
    return settled


def _shown(verdict: Verdict) -> dict[str, Any]:
    wish = verdict.wish
    if isinstance(verdict, Unfilled):
        return {
            "kind": "sale",
            "offer_id": wish.offer_id,
            "reason": str(verdict.reason),
            "best_price_minor": verdict.best_price,
            "candidates": [],
        }
    line: Line = verdict.chosen.line
    return {
        "kind": "sale",
        "offer_id": wish.offer_id,
        "dealer_id": line.dealer_id,
        "car_model_id": line.car_model_id,
        "quantity": wish.quantity,
        "total_minor": verdict.total,
        "candidates": sale_writing.candidates(verdict),
    }
