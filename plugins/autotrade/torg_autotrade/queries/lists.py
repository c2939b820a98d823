"""The lists of the market: what they may be filtered, searched and sorted by."""

from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    Select,
    and_,
    bindparam,
    case,
    column,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by

from torg.filters import (
    Filter,
    above,
    amount_at_least,
    amount_at_most,
    at_least,
    at_most,
    below,
    equals,
    one_of,
)
from torg.listing import Listing
from torg.schemas import Boolean, Enum, Id, Integer, Text, Timestamp
from torg_autotrade.domain import words
from torg_autotrade.models.market import (
    Buyer,
    CarModel,
    Dealer,
    DealerStock,
    PriceChange,
    Promotion,
    Supplier,
    SupplierPrice,
)
from torg_autotrade.models.trading import (
    DealerSupplier,
    Offer,
    Run,
    Sale,
    StockLot,
    SupplyDeal,
)

_NAME = Text(maximum=60, example="Skoda")
_YEAR = Integer(minimum=1886, maximum=2100, example=2026)
PERSON = bindparam("person_id", type_=BigInteger)
DEALER = bindparam("dealer_id", type_=BigInteger)
SUPPLIER = bindparam("supplier_id", type_=BigInteger)


class CarModelListing(Listing):
    """The catalogue."""

    key = CarModel.id
    sorts: ClassVar[dict[str, Any]] = {
        "make": CarModel.make,
        "model": CarModel.model,
        "model_year": CarModel.model_year,
        "created_at": CarModel.created_at,
    }
    filters: ClassVar[dict[str, Filter]] = {
        "make": one_of(_NAME, CarModel.make),
        "body_type": one_of(Enum(words.BODY_TYPES), CarModel.body_type),
        "fuel_type": one_of(Enum(words.FUEL_TYPES), CarModel.fuel_type),
        "transmission": one_of(Enum(words.TRANSMISSIONS), CarModel.transmission),
        "class": one_of(Enum(words.CLASSES), CarModel.car_class),
        "year_min": at_least(_YEAR, CarModel.model_year),
        "year_max": at_most(_YEAR, CarModel.model_year),
    }
    search = CarModel.search


class DealerListing(Listing):
    """Dealers."""

    key = Dealer.id
    sorts: ClassVar[dict[str, Any]] = {
        "name": Dealer.name,
        "city": Dealer.city,
        "created_at": Dealer.created_at,
    }
    filters: ClassVar[dict[str, Filter]] = {
        "country": one_of(Enum(words.COUNTRIES), Dealer.country),
        "city": equals(Text(maximum=120, example="Hamburg"), Dealer.city),
        "created_after": above(Timestamp(), Dealer.created_at),
    }
    search = Dealer.search


class SupplierListing(Listing):
    """Suppliers."""

    key = Supplier.id
    sorts: ClassVar[dict[str, Any]] = {
        "name": Supplier.name,
        "founded_year": Supplier.founded_year,
        "buyer_count": Supplier.buyer_count,
        "created_at": Supplier.created_at,
    }
    filters: ClassVar[dict[str, Filter]] = {
        "country": one_of(Enum(words.COUNTRIES), Supplier.country),
        "founded_min": at_least(Integer(minimum=1600, maximum=2100), Supplier.founded_year),
        "founded_max": at_most(Integer(minimum=1600, maximum=2100), Supplier.founded_year),
    }
    search = Supplier.search


class PriceListing(Listing):
    """What one supplier asks."""

    key = SupplierPrice.id
    sorts: ClassVar[dict[str, Any]] = {"price": SupplierPrice.price_minor}
    filters: ClassVar[dict[str, Filter]] = {
        "car_model_id": equals(Id(), SupplierPrice.car_model_id),
        "price_min": amount_at_least(SupplierPrice.price_minor, SupplierPrice.currency),
        "price_max": amount_at_most(SupplierPrice.price_minor, SupplierPrice.currency),
    }


class StockListing(Listing):
    """What one dealer has."""

    key = DealerStock.id
    sorts: ClassVar[dict[str, Any]] = {
        "quantity": DealerStock.quantity,
        "price": DealerStock.price_minor,
    }
    filters: ClassVar[dict[str, Filter]] = {
        "car_model_id": equals(Id(), DealerStock.car_model_id),
        "in_stock": Filter(
            Boolean(description="Whether there is a car now."),
            lambda wanted: DealerStock.quantity > 0 if wanted else DealerStock.quantity == 0,
        ),
        "price_min": amount_at_least(DealerStock.price_minor, DealerStock.currency),
        "price_max": amount_at_most(DealerStock.price_minor, DealerStock.currency),
    }


class DealerSupplierListing(Listing):
    """Whom one dealer buys from."""

    key = DealerSupplier.id
    filters: ClassVar[dict[str, Filter]] = {
        "car_model_id": equals(Id(), DealerSupplier.car_model_id),
        "supplier_id": equals(Id(), DealerSupplier.supplier_id),
    }


def _is_running(wanted: bool) -> Any:
    now = func.statement_timestamp()
    running = and_(Promotion.starts_at <= now, Promotion.ends_at > now)
    return running if wanted else ~running


class PromotionListing(Listing):
    """Promotions, newest first."""

    key = Promotion.id
    sorts: ClassVar[dict[str, Any]] = {
        "starts_at": Promotion.starts_at,
        "ends_at": Promotion.ends_at,
    }
    default_sort = "-id"
    filters: ClassVar[dict[str, Filter]] = {
        "dealer_id": equals(Id(), Promotion.dealer_id),
        "supplier_id": equals(Id(), Promotion.supplier_id),
        "running": Filter(Boolean(description="Whether it is in force now."), _is_running),
    }


class PriceHistoryListing(Listing):
    """Prices as they were, newest first."""

    key = PriceChange.id
    sorts: ClassVar[dict[str, Any]] = {"priced_at": PriceChange.priced_at}
    default_sort = "-id"
    filters: ClassVar[dict[str, Filter]] = {
        "dealer_id": equals(Id(), PriceChange.dealer_id),
        "supplier_id": equals(Id(), PriceChange.supplier_id),
        "car_model_id": equals(Id(), PriceChange.car_model_id),
        "priced_after": above(Timestamp(), PriceChange.priced_at),
        "priced_before": below(Timestamp(), PriceChange.priced_at),
    }


# What offers and deals are searched by stands in other rows. Looked up for each row, so that a list
# that is not searched joins nothing.
_OFFERED_CAR = (
    select(CarModel.search)
    .where(CarModel.id == Offer.car_model_id)
    .correlate(Offer)
    .scalar_subquery()
)
_SOLD = (
    select(CarModel.search.op("||")(Dealer.search))
    .where(CarModel.id == Sale.car_model_id, Dealer.id == Sale.dealer_id)
    .correlate(Sale)
    .scalar_subquery()
)
_SUPPLIED = (
    select(CarModel.search.op("||")(Dealer.search).op("||")(Supplier.search))
    .where(
        CarModel.id == SupplyDeal.car_model_id,
        Dealer.id == SupplyDeal.dealer_id,
        Supplier.id == SupplyDeal.supplier_id,
    )
    .correlate(SupplyDeal)
    .scalar_subquery()
)


class OfferListing(Listing):
    """Offers, newest first; searched by the car."""

    key = Offer.id
    sorts: ClassVar[dict[str, Any]] = {
        "max_price": Offer.max_price_minor,
        "placed_at": Offer.placed_at,
    }
    default_sort = "-id"
    filters: ClassVar[dict[str, Filter]] = {
        "status": one_of(Enum(words.STATUSES), Offer.status),
        "reason": one_of(Enum(words.REASONS), Offer.reason),
        "buyer_id": equals(Id(), Offer.buyer_id),
        "car_model_id": equals(Id(), Offer.car_model_id),
        "price_min": amount_at_least(Offer.max_price_minor, Offer.currency),
        "price_max": amount_at_most(Offer.max_price_minor, Offer.currency),
    }
    search = _OFFERED_CAR


class SaleListing(Listing):
    """Sales, newest first; searched by car and dealer."""

    key = Sale.id
    sorts: ClassVar[dict[str, Any]] = {"sold_at": Sale.sold_at, "total": Sale.total_minor}
    default_sort = "-id"
    filters: ClassVar[dict[str, Filter]] = {
        "dealer_id": equals(Id(), Sale.dealer_id),
        "buyer_id": equals(Id(), Sale.buyer_id),
        "car_model_id": equals(Id(), Sale.car_model_id),
        "offer_id": equals(Id(), Sale.offer_id),
        "price_min": amount_at_least(Sale.unit_price_minor, Sale.currency),
        "price_max": amount_at_most(Sale.unit_price_minor, Sale.currency),
        "sold_after": above(Timestamp(), Sale.sold_at),
        "sold_before": below(Timestamp(), Sale.sold_at),
    }
    search = _SOLD


class SupplyDealListing(Listing):
    """Purchases of dealers, newest first; searched by car, dealer and supplier."""

    key = SupplyDeal.id
    sorts: ClassVar[dict[str, Any]] = {
        "bought_at": SupplyDeal.bought_at,
        "total": SupplyDeal.total_minor,
    }
    default_sort = "-id"
    filters: ClassVar[dict[str, Filter]] = {
        "dealer_id": equals(Id(), SupplyDeal.dealer_id),
        "supplier_id": equals(Id(), SupplyDeal.supplier_id),
        "car_model_id": equals(Id(), SupplyDeal.car_model_id),
        "bought_after": above(Timestamp(), SupplyDeal.bought_at),
        "bought_before": below(Timestamp(), SupplyDeal.bought_at),
    }
    search = _SUPPLIED


class RunListing(Listing):
    """Runs of the market's jobs, newest first."""

    key = Run.id
    default_sort = "-id"
    filters: ClassVar[dict[str, Filter]] = {"kind": equals(Enum(words.KINDS), Run.kind)}


def _columns(model: Any) -> list[Any]:
    return [column for column in model.__table__.columns if column.name != "search"]


_OLDEST = (
    select(func.min(StockLot.stocked_at))
    .where(StockLot.stock_id == DealerStock.id, StockLot.remaining > 0)
    .correlate(DealerStock)
    .scalar_subquery()
)


def _days(since: Any, until: Any) -> Any:
    return func.floor(func.extract("epoch", until - since) / 86400).cast(BigInteger)


_CARS, _DEALERS = _columns(CarModel), _columns(Dealer)
_SUPPLIERS, _OFFERS = _columns(Supplier), _columns(Offer)
CAR_MODELS: Select[Any] = select(*_CARS).where(CarModel.is_active)
DEALERS: Select[Any] = select(*_DEALERS).where(Dealer.is_active)
SUPPLIERS: Select[Any] = select(*_SUPPLIERS).where(Supplier.is_active)
# A promotion ends with whose it is.
PROMOTIONS: Select[Any] = select(*_columns(Promotion)).where(
    Promotion.is_active,
    or_(
        select(Dealer.id).where(Dealer.id == Promotion.dealer_id, Dealer.is_active).exists(),
        select(Supplier.id)
        .where(Supplier.id == Promotion.supplier_id, Supplier.is_active)
        .exists(),
    ),
)
PRICE_HISTORY: Select[Any] = select(*_columns(PriceChange))
RUNS: Select[Any] = select(*_columns(Run))
# These ask for the parameter `person_id`: whose they are.
OWN_DEALERS = DEALERS.where(Dealer.owner_id == PERSON)
OWN_SUPPLIERS = SUPPLIERS.where(Supplier.owner_id == PERSON)
OFFERS: Select[Any] = select(*_OFFERS, Sale.id.label("sale_id")).outerjoin(
    Sale, Sale.offer_id == Offer.id
)
OWN_OFFERS = OFFERS.join(Buyer, Buyer.id == Offer.buyer_id).where(Buyer.identity_id == PERSON)
SALES: Select[Any] = select(
    *_columns(Sale), _days(Sale.stocked_at, Sale.sold_at).label("days_in_stock")
)
OWN_SALES = SALES.where(
    or_(
        Sale.buyer_id.in_(select(Buyer.id).where(Buyer.identity_id == PERSON)),
        Sale.dealer_id.in_(select(Dealer.id).where(Dealer.owner_id == PERSON)),
    )
)
_STEP = (
    func.jsonb_array_elements(SupplyDeal.steps, type_=JSONB)
    .table_valued(column("step", JSONB), with_ordinality="place", name="steps")
    .render_derived()
)
# Each step with the currency of the whole, as every amount is answered. Its key is a constant: the
# parameter of a prepared statement would have no type there.
_CURRENCY: Any = literal_column("'currency'")
_STEPS = (
    select(
        func.jsonb_agg(
            aggregate_order_by(
                _STEP.c.step.op("||")(func.jsonb_build_object(_CURRENCY, SupplyDeal.currency)),
                _STEP.c.place,
            ),
            type_=JSONB,
        )
    )
    .select_from(_STEP)
    .correlate(SupplyDeal)
    .scalar_subquery()
)
SUPPLY_DEALS: Select[Any] = select(
    *(each for each in _columns(SupplyDeal) if each.name != "steps"), _STEPS.label("steps")
)
OWN_SUPPLY_DEALS = SUPPLY_DEALS.where(
    or_(
        SupplyDeal.dealer_id.in_(select(Dealer.id).where(Dealer.owner_id == PERSON)),
        SupplyDeal.supplier_id.in_(select(Supplier.id).where(Supplier.owner_id == PERSON)),
    )
)
# These ask for `dealer_id` or `supplier_id`.
PRICES: Select[Any] = select(*_columns(SupplierPrice)).where(
    SupplierPrice.supplier_id == SUPPLIER, SupplierPrice.is_active
)
STOCK: Select[Any] = select(
    *_columns(DealerStock),
    _OLDEST.label("oldest_at"),
    case((DealerStock.quantity > 0, _days(_OLDEST, func.statement_timestamp()))).label(
        "days_in_stock"
    ),
).where(
    DealerStock.dealer_id == DEALER,
    DealerStock.is_active,
    or_(DealerStock.is_wanted, DealerStock.quantity > 0),
)
DEALER_SUPPLIERS: Select[Any] = select(*_columns(DealerSupplier)).where(
    DealerSupplier.dealer_id == DEALER, DealerSupplier.is_active
)
