"""Dealers and suppliers: made and changed by their owners, with an account in the ledger each.

Every change names the owner in its condition, so nobody reaches what is not his.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import func, insert, select, text, update

from torg.db import session
from torg.errors import NotFoundError
from torg.identity import Identity
from torg.money import Money
from torg_autotrade.errors import FixedPriceMissingError, StockLineUnknownError
from torg_autotrade.models.market import (
    CarModel,
    Dealer,
    DealerStock,
    DealerTier,
    Supplier,
    SupplierPrice,
    SupplierTier,
)
from torg_autotrade.models.trading import MoneyMove
from torg_autotrade.services import catalogue
from torg_autotrade.services.market_context import SOURCE, ledger, settings
from torg_autotrade.services.money_checks import in_market
from torg_ledger import Balance, Entry

KIND: dict[str, Any] = {"dealer": Dealer, "supplier": Supplier}
_TIER: dict[str, Any] = {"dealer": DealerTier, "supplier": SupplierTier}
_SET_PRICE = text("""
INSERT INTO autotrade_supplier_price AS p
    (supplier_id, car_model_id, price_minor, currency, priced_at)
VALUES (:supplier_id, :model_id, :minor, :currency, coalesce(CAST(:now AS timestamptz),
                                                             clock_timestamp()))
ON CONFLICT (supplier_id, car_model_id) DO UPDATE
   SET price_minor = excluded.price_minor, currency = excluded.currency,
       priced_at = excluded.priced_at, is_active = true, updated_at = clock_timestamp()
""")
_LOCK_LINES = text("""
SELECT id FROM autotrade_car_model
 WHERE id IN (SELECT car_model_id FROM autotrade_dealer_stock WHERE dealer_id = :dealer_id)
 ORDER BY id FOR SHARE
""")
# In whole hundredths of a per cent and half up, as `domain.prices.with_margin` reckons it.
_REPRICE = text("""
UPDATE autotrade_dealer_stock s
   SET price_minor = c.cost + (2 * c.cost * :margin + 10000) / 20000,
       priced_at = clock_timestamp(), updated_at = clock_timestamp()
  FROM (SELECT DISTINCT ON (l.stock_id) l.stock_id, l.unit_cost_minor AS cost
          FROM autotrade_stock_lot l JOIN autotrade_dealer_stock k ON k.id = l.stock_id
         WHERE k.dealer_id = :dealer_id ORDER BY l.stock_id, l.id DESC) AS c
 WHERE s.id = c.stock_id AND NOT s.is_price_fixed
""")
_LAST_COST = text("""
SELECT l.unit_cost_minor FROM autotrade_stock_lot l
 WHERE l.stock_id = :stock_id ORDER BY l.id DESC LIMIT 1
""")


def create(kind: str, owner: Identity, given: Mapping[str, Any]) -> int:
    """Make a dealer or a supplier; a dealer trades at once in the models it prefers.

    Raises:
        WrongMarketCurrencyError: an amount is in another currency than the market's.
    """
    values = dict(given)
    if kind == "dealer":
        values["spend_per_run_minor"] = in_market(values.pop("spend_per_run"), "spend_per_run")
        values["currency"] = settings().currency
    made: int = session.execute(
        insert(KIND[kind]).values(owner_id=owner.id, **values).returning(KIND[kind].id)
    ).scalar_one()
    account = ledger().open_account(
        f"{SOURCE}:{kind}:{made}", settings().currency, owner_id=owner.id
    )
    session.execute(update(KIND[kind]).where(KIND[kind].id == made).values(account_id=account))
    if kind == "dealer":
        catalogue.match(dealer_id=made)
    return made


def change(kind: str, owner: Identity, number: int, given: Mapping[str, Any]) -> None:
    """Change one's own dealer or supplier; `is_active` false removes it from the market.

    Raises:
        NotFoundError: there is none of his.
        WrongMarketCurrencyError: see `create`.
    """
    values = dict(given)
    if "spend_per_run" in values:
        values["spend_per_run_minor"] = in_market(values.pop("spend_per_run"), "spend_per_run")
    own(kind, owner, number, lock=True)
    if values:
        session.execute(
            update(KIND[kind])
            .where(KIND[kind].id == number)
            .values(**values, updated_at=func.clock_timestamp())
        )
    if kind == "dealer":
        catalogue.match(dealer_id=number)
        if "margin_percent" in values:
            _reprice(number, values["margin_percent"])


def _reprice(dealer_id: int, margin: Decimal) -> None:
    """Let prices that are not fixed follow a new margin, with sales of these models waiting."""
    session.execute(_LOCK_LINES, {"dealer_id": dealer_id})
    session.execute(_REPRICE, {"dealer_id": dealer_id, "margin": int(margin * 100)})


def own(
    kind: str, owner: Identity, number: int, *, lock: bool = False, or_removed: bool = False
) -> Any:
    """One's own dealer or supplier.

    Args:
        kind: "dealer" or "supplier".
        owner: who asks.
        number: its id.
        lock: whether others have to wait with changes.
        or_removed: whether one that was taken out of the market will do.

    Raises:
        NotFoundError: there is none of his.
    """
    model = KIND[kind]
    query = select(model.id, model.account_id).where(model.id == number, model.owner_id == owner.id)
    if not or_removed:
        query = query.where(model.is_active)
    found = session.execute(query.with_for_update(key_share=True) if lock else query).one_or_none()
    if found is None:
        raise NotFoundError
    return found


def set_tiers(kind: str, owner: Identity, number: int, tiers: Sequence[Mapping[str, Any]]) -> None:
    """Put loyalty tiers in place of those that were.

    Raises:
        NotFoundError: there is none of his.
    """
    own(kind, owner, number, lock=True)
    model = _TIER[kind]
    side = f"{kind}_id"
    session.execute(
        update(model)
        .where(getattr(model, side) == number, model.is_active)
        .values(is_active=False, updated_at=func.clock_timestamp())
    )
    if tiers:
        session.execute(insert(model), [{side: number, **each} for each in tiers])


def set_price(
    owner: Identity, supplier_id: int, car_model_id: int, price: Money, now: datetime | None = None
) -> None:
    """Say what a supplier asks for a model from now on.

    Raises:
        NotFoundError: he has no such supplier.
        CarModelUnknownError: there is no such model.
        WrongMarketCurrencyError: see `create`.
    """
    minor = in_market(price, "price")
    own("supplier", owner, supplier_id)
    catalogue.require(car_model_id)
    asked = {
        "supplier_id": supplier_id,
        "model_id": car_model_id,
        "minor": minor,
        "currency": price.currency,
        "now": now,
    }
    session.execute(_SET_PRICE, asked)


def withdraw_price(owner: Identity, supplier_id: int, car_model_id: int) -> None:
    """Sell a model no more.

    Raises:
        NotFoundError: he has no such supplier, or it does not sell that.
    """
    own("supplier", owner, supplier_id)
    found = session.execute(
        update(SupplierPrice)
        .where(
            SupplierPrice.supplier_id == supplier_id,
            SupplierPrice.car_model_id == car_model_id,
            SupplierPrice.is_active,
        )
        .values(is_active=False, updated_at=func.clock_timestamp())
        .returning(SupplierPrice.id)
    ).first()
    if found is None:
        raise NotFoundError


def set_stock_price(
    owner: Identity, dealer_id: int, car_model_id: int, price: Money | None
) -> None:
    """Fix what a dealer asks for a model, or leave it to the margin again (None).

    Raises:
        NotFoundError: he has no such dealer.
        StockLineUnknownError: the dealer does not trade in that model.
        FixedPriceMissingError: there is no purchase to take a price from.
        WrongMarketCurrencyError: see `create`.
    """
    minor = None if price is None else in_market(price, "price")
    own("dealer", owner, dealer_id)
    # Shared, as a purchase does it: sales of this model wait, other dealers do not.
    session.execute(
        select(CarModel.id).where(CarModel.id == car_model_id).with_for_update(read=True)
    )
    line = session.execute(
        select(DealerStock.id, DealerStock.quantity, DealerStock.price_minor, Dealer.margin_percent)
        .join(Dealer, Dealer.id == DealerStock.dealer_id)
        .where(DealerStock.dealer_id == dealer_id, DealerStock.car_model_id == car_model_id)
    ).one_or_none()
    if line is None:
        raise StockLineUnknownError
    is_fixed = minor is not None
    if minor is None:
        minor = _margin_price(line.id, line.margin_percent)
        if minor is None and line.quantity:
            raise FixedPriceMissingError
    session.execute(
        update(DealerStock)
        .where(DealerStock.id == line.id)
        .values(
            price_minor=minor,
            is_price_fixed=is_fixed,
            priced_at=func.clock_timestamp(),
            updated_at=func.clock_timestamp(),
        )
    )


def _margin_price(stock_id: int, margin: Decimal) -> int | None:
    from torg_autotrade.domain.prices import with_margin

    cost: int | None = session.execute(_LAST_COST, {"stock_id": stock_id}).scalar()
    return None if cost is None else with_margin(cost, int(margin * 100))


def balance(kind: str, owner: Identity, number: int) -> Balance:
    """The money of one's own dealer or supplier, also of one that was removed.

    Raises:
        NotFoundError: there is none of his.
    """
    return ledger().balance(own(kind, owner, number, or_removed=True).account_id)


def move_money(
    kind: str, owner: Identity, number: int, amount: Money, direction: str, key: str
) -> str:
    """Move money from the owner's own account to his dealer or supplier ("in"), or back ("out").

    What was removed from the market gets no more, and gives back what it has.

    Returns:
        The transfer's reference.

    Raises:
        NotFoundError: there is none of his.
        InsufficientFundsError: there is not so much where it comes from.
        WrongMarketCurrencyError: see `create`.
    """
    in_market(amount, "amount")
    account = own(kind, owner, number, or_removed=direction == "out").account_id
    main = ledger().open_account("main", amount.currency, owner_id=owner.id)
    giver, taker = (main, account) if direction == "in" else (account, main)
    posted = ledger().post(
        [Entry(giver, -amount), Entry(taker, amount)],
        source=SOURCE,
        purpose=f"{kind}_money",
        key=key,
        actor_id=owner.id,
    )
    if not posted.is_replay:
        session.execute(
            insert(MoneyMove).values(
                {
                    f"{kind}_id": number,
                    "amount_minor": amount.minor if direction == "in" else -amount.minor,
                    "currency": amount.currency,
                    "transfer_reference": posted.reference,
                }
            )
        )
    return posted.reference
