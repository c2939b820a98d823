"""One thing at a time, and sums over what was traded; whoever may not see it gets None."""

from typing import Any

from sqlalchemy import Row, or_, select, text

from torg.db import session
from torg_autotrade.models.market import Buyer, CarModel, Dealer, Promotion, Supplier
from torg_autotrade.models.trading import Decision, Offer
from torg_autotrade.queries import lists

_TIERS = text(
    "SELECT at_purchases, percent FROM autotrade_dealer_tier WHERE dealer_id = :id AND is_active"
    " ORDER BY at_purchases"
)
_SUPPLIER_TIERS = text(
    "SELECT at_purchases, percent FROM autotrade_supplier_tier"
    " WHERE supplier_id = :id AND is_active ORDER BY at_purchases"
)
_OF_DEALER = text("""
SELECT coalesce(sum(quantity), 0)::bigint AS cars,
       coalesce(sum(total_minor), 0)::bigint AS turnover,
       coalesce(sum(total_minor - cost_minor), 0)::bigint AS profit,
       count(DISTINCT buyer_id) AS partners,
       round(sum(stock_seconds) / 86400 / nullif(sum(quantity), 0), 1) AS days_in_stock
  FROM autotrade_sale WHERE dealer_id = :id
""")
_OF_SUPPLIER = text("""
SELECT coalesce(sum(quantity), 0)::bigint AS cars,
       coalesce(sum(total_minor), 0)::bigint AS turnover,
       NULL::bigint AS profit, count(DISTINCT dealer_id) AS partners, NULL::numeric AS days_in_stock
  FROM autotrade_supply_deal WHERE supplier_id = :id
""")
_OF_BUYER = text("""
SELECT coalesce(sum(quantity), 0)::bigint AS cars,
       coalesce(sum(total_minor), 0)::bigint AS turnover,
       NULL::bigint AS profit, count(DISTINCT dealer_id) AS partners, NULL::numeric AS days_in_stock
  FROM autotrade_sale WHERE buyer_id = :id
""")
SUMS = {"dealer": _OF_DEALER, "supplier": _OF_SUPPLIER, "buyer": _OF_BUYER}


def _one(query: Any, parameters: dict[str, Any] | None = None) -> Row[Any] | None:
    found: Row[Any] | None = session.execute(query, parameters or {}).one_or_none()
    return found


def car_model(car_model_id: int) -> Row[Any] | None:
    """A model, also one that was taken out: deals speak of it."""
    columns = [each for each in CarModel.__table__.columns if each.name != "search"]
    return _one(select(*columns).where(CarModel.id == car_model_id))


def dealer(dealer_id: int) -> Row[Any] | None:
    """An active dealer."""
    return _one(lists.DEALERS.where(Dealer.id == dealer_id))


def supplier(supplier_id: int) -> Row[Any] | None:
    """An active supplier."""
    return _one(lists.SUPPLIERS.where(Supplier.id == supplier_id))


def promotion(promotion_id: int) -> Row[Any] | None:
    """A promotion that was not ended early."""
    return _one(lists.PROMOTIONS.where(Promotion.id == promotion_id))


def offer(offer_id: int, person_id: int | None) -> Row[Any] | None:
    """One's own offer; None sees all."""
    if person_id is None:
        return _one(lists.OFFERS.where(Offer.id == offer_id))
    return _one(lists.OWN_OFFERS.where(Offer.id == offer_id), {"person_id": person_id})


def decision(decision_id: int, person_id: int | None) -> Row[Any] | None:
    """A decision that somebody has a part in: the dealer's owner, or the buyer; None sees all."""
    query = select(*Decision.__table__.columns).where(Decision.id == decision_id)
    if person_id is not None:
        own_dealers = select(Dealer.id).where(Dealer.owner_id == person_id)
        own_buyer = select(Buyer.id).where(Buyer.identity_id == person_id)
        query = query.where(
            or_(Decision.dealer_id.in_(own_dealers), Decision.buyer_id.in_(own_buyer))
        )
    return _one(query)


def tiers(kind: str, number: int) -> list[Row[Any]]:
    """The loyalty tiers of a dealer or a supplier, ascending."""
    query = _TIERS if kind == "dealer" else _SUPPLIER_TIERS
    return list(session.execute(query, {"id": number}))


def sums(kind: str, number: int) -> Row[Any]:
    """What a dealer, supplier or buyer has traded."""
    return session.execute(SUMS[kind], {"id": number}).one()
