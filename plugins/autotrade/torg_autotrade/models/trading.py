"""What was asked, decided and dealt: offers, sales, purchases, decisions, and what they move.

Facts keep snapshots of every part of a price, so that a deal is explained without today's terms.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    CHAR,
    BigInteger,
    CheckConstraint,
    Index,
    Integer,
    Numeric,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from torg.db import Base, Fact, Record
from torg_autotrade.domain.words import REASONS
from torg_autotrade.models.market import DEALER, MODEL, STOCK, SUPPLIER, key

_OFFER, _BUYER, _PROMOTION = "autotrade_offer.id", "autotrade_buyer.id", "autotrade_promotion.id"
_DECISION, _DEAL = "autotrade_decision.id", "autotrade_supply_deal.id"
_REASONS = ", ".join(f"'{each}'" for each in REASONS)


class Offer(Record, Base):
    """What a buyer wants and pays at most; `reason` is why it is not filled, by the last try."""

    __tablename__ = "autotrade_offer"
    __table_args__ = (
        CheckConstraint("num_nonnulls(car_model_id, criteria) = 1", name="one_wish"),
        CheckConstraint("max_price_minor > 0", name="max_price"),
        CheckConstraint("quantity BETWEEN 1 AND 100", name="quantity"),
        CheckConstraint(
            "status IN ('open', 'filled', 'expired', 'cancelled', 'refused')", name="status"
        ),
        CheckConstraint(f"reason IN ({_REASONS})", name="reason"),
        CheckConstraint("(status = 'open') = (ended_at IS NULL)", name="ended"),
        CheckConstraint("status <> 'filled' OR reason IS NULL", name="filled"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        Index("ix_autotrade_offer_open", "id", postgresql_where=text("status = 'open'")),
        Index("ix_autotrade_offer_buyer_id", "buyer_id", "id"),
        Index("ix_autotrade_offer_created_at", "created_at"),
        Index("ix_autotrade_offer_placed_at", "placed_at"),
        Index(
            "ix_autotrade_offer_car_model_id",
            "car_model_id",
            postgresql_where=text("status = 'open'"),
        ),
    )

    buyer_id: Mapped[int] = key(_BUYER)
    car_model_id: Mapped[int | None] = key(MODEL)
    criteria: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    max_price_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(CHAR(3))
    quantity: Mapped[int] = mapped_column(Integer, server_default="1")
    placed_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    expires_at: Mapped[datetime | None]
    status: Mapped[str] = mapped_column(Text, server_default="open")
    reason: Mapped[str | None] = mapped_column(Text)
    best_price_minor: Mapped[int | None]
    hold_reference: Mapped[str] = mapped_column(Text)
    tried_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class Refusal(Fact, Base):
    """Why an offer could not be filled, once each time the reason is news; written by a trigger."""

    __tablename__ = "autotrade_refusal"
    __table_args__ = (
        Index("ix_autotrade_refusal_offer_id", "offer_id"),
        Index("ix_autotrade_refusal_created_at", "created_at", postgresql_using="brin"),
        Index("ix_autotrade_refusal_refused_at", "refused_at"),
    )

    offer_id: Mapped[int] = key(_OFFER)
    buyer_id: Mapped[int] = key(_BUYER)
    car_model_id: Mapped[int | None] = key(MODEL)
    reason: Mapped[str] = mapped_column(Text)
    refused_at: Mapped[datetime]


class Decision(Fact, Base):
    """Why this dealer or this supplier: the candidates with their prices, the best first."""

    __tablename__ = "autotrade_decision"
    __table_args__ = (
        CheckConstraint("kind IN ('sale', 'supply', 'review')", name="kind"),
        Index("ix_autotrade_decision_dealer_id", "dealer_id", "id"),
    )

    kind: Mapped[str] = mapped_column(Text)
    dealer_id: Mapped[int] = key(DEALER)
    car_model_id: Mapped[int] = key(MODEL)
    buyer_id: Mapped[int | None] = key(_BUYER)
    supplier_id: Mapped[int | None] = key(SUPPLIER)
    decided_at: Mapped[datetime]
    candidates: Mapped[Any] = mapped_column(JSONB)
    considered: Mapped[int] = mapped_column(Integer)


class Sale(Fact, Base):
    """A dealer sold to a buyer: once for an offer. A trigger notes the dealer's country.

    `stocked_at` is when the oldest of its cars came, `stock_seconds` how long all stood together.
    """

    __tablename__ = "autotrade_sale"
    __table_args__ = (
        UniqueConstraint("offer_id"),
        UniqueConstraint("transfer_reference"),
        CheckConstraint(
            "quantity > 0 AND unit_price_minor > 0 AND promotion_discount_minor >= 0"
            " AND loyalty_discount_minor >= 0 AND unit_price_minor = list_price_minor"
            " - promotion_discount_minor - loyalty_discount_minor"
            " AND total_minor = unit_price_minor * quantity AND cost_minor >= 0",
            name="prices",
        ),
        CheckConstraint("stocked_at <= sold_at", name="times"),
        CheckConstraint("stock_seconds >= 0", name="stock_seconds"),
        Index("ix_autotrade_sale_buyer_id", "buyer_id", "id"),
        Index("ix_autotrade_sale_dealer_id", "dealer_id", "id"),
        Index("ix_autotrade_sale_sold_at", "sold_at"),
        Index("ix_autotrade_sale_created_at", "created_at", postgresql_using="brin"),
    )

    offer_id: Mapped[int] = key(_OFFER)
    buyer_id: Mapped[int] = key(_BUYER)
    dealer_id: Mapped[int] = key(DEALER)
    car_model_id: Mapped[int] = key(MODEL)
    quantity: Mapped[int] = mapped_column(Integer)
    list_price_minor: Mapped[int]
    promotion_id: Mapped[int | None] = key(_PROMOTION)
    promotion_discount_minor: Mapped[int]
    loyalty_percent: Mapped[Decimal] = mapped_column(Numeric(5, 2))
    loyalty_discount_minor: Mapped[int]
    unit_price_minor: Mapped[int]
    total_minor: Mapped[int]
    cost_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(CHAR(3))
    stocked_at: Mapped[datetime]
    stock_seconds: Mapped[Decimal] = mapped_column(Numeric)
    sold_at: Mapped[datetime]
    transfer_reference: Mapped[str] = mapped_column(Text)
    decision_id: Mapped[int] = key(_DECISION)
    country: Mapped[str] = mapped_column(CHAR(2))


class SupplyDeal(Fact, Base):
    """A dealer bought from a supplier: once for a dealer, a model and a purchase slot.

    `steps` are the units by price: a purchase may climb a loyalty tier on its way. A trigger notes
    the dealer's country.
    """

    __tablename__ = "autotrade_supply_deal"
    __table_args__ = (
        UniqueConstraint("dealer_id", "car_model_id", "slot"),
        UniqueConstraint("transfer_reference"),
        CheckConstraint("quantity > 0 AND total_minor > 0", name="amounts"),
        Index("ix_autotrade_supply_deal_dealer_id", "dealer_id", "id"),
        Index("ix_autotrade_supply_deal_supplier_id", "supplier_id", "id"),
        Index("ix_autotrade_supply_deal_bought_at", "bought_at"),
        Index("ix_autotrade_supply_deal_created_at", "created_at", postgresql_using="brin"),
    )

    dealer_id: Mapped[int] = key(DEALER)
    supplier_id: Mapped[int] = key(SUPPLIER)
    car_model_id: Mapped[int] = key(MODEL)
    slot: Mapped[int]
    quantity: Mapped[int] = mapped_column(Integer)
    list_price_minor: Mapped[int]
    promotion_id: Mapped[int | None] = key(_PROMOTION)
    promotion_discount_minor: Mapped[int]
    steps: Mapped[Any] = mapped_column(JSONB)
    total_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(CHAR(3))
    bought_at: Mapped[datetime]
    transfer_reference: Mapped[str] = mapped_column(Text)
    decision_id: Mapped[int] = key(_DECISION)
    country: Mapped[str] = mapped_column(CHAR(2))


class DealerSupplier(Record, Base):
    """The supplier a dealer buys a model from, as the last review chose him."""

    __tablename__ = "autotrade_dealer_supplier"
    __table_args__ = (
        UniqueConstraint("dealer_id", "car_model_id"),
        Index("ix_autotrade_dealer_supplier_supplier_id", "supplier_id"),
    )

    dealer_id: Mapped[int] = key(DEALER)
    car_model_id: Mapped[int] = key(MODEL)
    supplier_id: Mapped[int] = key(SUPPLIER)
    expected_total_minor: Mapped[int]
    horizon: Mapped[int] = mapped_column(Integer)
    currency: Mapped[str] = mapped_column(CHAR(3))
    reviewed_at: Mapped[datetime]
    decision_id: Mapped[int] = key(_DECISION)


class StockLot(Fact, Base):
    """Units that came at one cost at one moment; the oldest are sold first."""

    __tablename__ = "autotrade_stock_lot"
    __table_args__ = (
        CheckConstraint("quantity > 0 AND remaining BETWEEN 0 AND quantity", name="remaining"),
        Index(
            "ix_autotrade_stock_lot_left",
            *("stock_id", "id"),
            postgresql_where=text("remaining > 0"),
        ),
        Index("ix_autotrade_stock_lot_supply_deal_id", "supply_deal_id"),
    )

    stock_id: Mapped[int] = key(STOCK)
    supply_deal_id: Mapped[int] = key(_DEAL)
    quantity: Mapped[int] = mapped_column(Integer)
    remaining: Mapped[int] = mapped_column(Integer)
    unit_cost_minor: Mapped[int]
    stocked_at: Mapped[datetime]


class StockMove(Fact, Base):
    """A change of a stock line, in the order in which they took place."""

    __tablename__ = "autotrade_stock_move"
    __table_args__ = (
        CheckConstraint("delta <> 0 AND quantity_after >= 0", name="quantity"),
        CheckConstraint("reason IN ('supply', 'sale')", name="reason"),
        Index("ix_autotrade_stock_move_stock_id", "stock_id", "id"),
    )

    stock_id: Mapped[int] = key(STOCK)
    delta: Mapped[int] = mapped_column(Integer)
    quantity_after: Mapped[int] = mapped_column(Integer)
    reason: Mapped[str] = mapped_column(Text)
    deal_id: Mapped[int]
    price_minor: Mapped[int | None]
    moved_at: Mapped[datetime]


class PurchaseCount(Base):
    """Units a buyer has bought at a dealer: what loyalty tiers go by."""

    __tablename__ = "autotrade_purchase_count"
    __table_args__ = (CheckConstraint("units > 0", name="units"),)

    buyer_id: Mapped[int] = key(_BUYER, primary_key=True)
    dealer_id: Mapped[int] = key(DEALER, primary_key=True)
    units: Mapped[int]


class SupplyCount(Base):
    """Units a dealer has bought at a supplier."""

    __tablename__ = "autotrade_supply_count"
    __table_args__ = (CheckConstraint("units > 0", name="units"),)

    dealer_id: Mapped[int] = key(DEALER, primary_key=True)
    supplier_id: Mapped[int] = key(SUPPLIER, primary_key=True)
    units: Mapped[int]


class MoneyMove(Fact, Base):
    """An owner's money on its way to his dealer or supplier (above zero), or back."""

    __tablename__ = "autotrade_money_move"
    __table_args__ = (
        CheckConstraint("num_nonnulls(supplier_id, dealer_id) = 1", name="of_one"),
        CheckConstraint("amount_minor <> 0", name="amount"),
        UniqueConstraint("transfer_reference"),
        Index("ix_autotrade_money_move_dealer_id", "dealer_id"),
        Index("ix_autotrade_money_move_supplier_id", "supplier_id"),
    )

    supplier_id: Mapped[int | None] = key(SUPPLIER)
    dealer_id: Mapped[int | None] = key(DEALER)
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(CHAR(3))
    transfer_reference: Mapped[str] = mapped_column(Text)


class Run(Fact, Base):
    """A run of one of the jobs and how far it is; a repeat with its key goes on from `cursor`."""

    __tablename__ = "autotrade_run"
    __table_args__ = (
        UniqueConstraint("kind", "key"),
        CheckConstraint("kind IN ('sales', 'supply', 'review')", name="kind"),
    )

    kind: Mapped[str] = mapped_column(Text)
    key: Mapped[str] = mapped_column(Text)
    part: Mapped[int] = mapped_column(SmallInteger)
    parts: Mapped[int] = mapped_column(SmallInteger)
    cursor: Mapped[int] = mapped_column(BigInteger, server_default="0")
    now_at: Mapped[datetime]
    seen: Mapped[int] = mapped_column(Integer, server_default="0")
    dealt: Mapped[int] = mapped_column(Integer, server_default="0")
    failed: Mapped[int] = mapped_column(Integer, server_default="0")
    finished_at: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


MODELS = (
    *(Offer, Refusal, Decision, Sale, SupplyDeal, DealerSupplier, StockLot, StockMove),
    *(PurchaseCount, SupplyCount, MoneyMove, Run),
)
