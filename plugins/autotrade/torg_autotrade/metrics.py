"""What can be counted of the market: by dealers, by suppliers, and by buyers.

A buyer sees facts without costs: what a car cost its dealer is the dealer's own matter; and a
dealer sees no names of buyers. A deal is final, so its facts are its rows; what came into a stock
and left it again are two facts.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Numeric, Select, String, cast, func, literal, select, union_all

from torg import contracts
from torg.db import session
from torg_autotrade.models.market import Buyer, CarModel, Dealer, Supplier
from torg_autotrade.models.trading import Offer, Refusal, Sale, SupplyDeal
from torg_metrics import Aggregate, Dimension, Facts, Metric, Ratio, Unit


def _ids(values: Sequence[str]) -> list[int]:
    return [int(each) for each in values if each.isascii() and each.isdigit()]


def _named(model: Any, name: Any, values: Sequence[str]) -> dict[str, str]:
    rows = session.execute(select(model.id, name).where(model.id.in_(_ids(values))))
    return {str(row[0]): row[1] for row in rows}


def _dealer_names(values: Sequence[str]) -> Mapping[str, str]:
    return _named(Dealer, Dealer.name, values)


def _supplier_names(values: Sequence[str]) -> Mapping[str, str]:
    return _named(Supplier, Supplier.name, values)


def _model_names(values: Sequence[str]) -> Mapping[str, str]:
    year = cast(CarModel.model_year, String)
    return _named(CarModel, func.concat_ws(" ", CarModel.make, CarModel.model, year), values)


def _usernames(values: Sequence[str]) -> Mapping[str, str]:
    users = contracts.require("users", ">=1,<2")
    return {str(number): name for number, name in users.names(_ids(values)).items()}


def _own_dealers(person_id: int) -> Select[Any]:
    return select(Dealer.id).where(Dealer.owner_id == person_id)


def _own_suppliers(person_id: int) -> Select[Any]:
    return select(Supplier.id).where(Supplier.owner_id == person_id)


def _oneself(person_id: int) -> Select[Any]:
    return select(literal(person_id))


def _sales() -> Any:
    return select(
        Sale.sold_at.label("happened_at"),
        Sale.created_at.label("recorded_at"),
        Sale.dealer_id.label("dealer"),
        Sale.buyer_id.label("buyer"),
        Sale.car_model_id.label("car_model"),
        Sale.country,
        Sale.currency,
        Sale.quantity.label("cars"),
        Sale.total_minor.label("revenue"),
        Sale.cost_minor.label("cost"),
        (Sale.total_minor - Sale.cost_minor).label("profit"),
        # Named otherwise than before, when it was reckoned by the oldest car of each sale: what was
        # kept of that is made anew.
        cast(Sale.stock_seconds / 86400, Numeric).label("car_days"),
    )


def _purchases() -> Any:
    listed = Sale.list_price_minor * Sale.quantity
    return select(
        Sale.sold_at.label("happened_at"),
        Sale.created_at.label("recorded_at"),
        Buyer.identity_id.label("buyer"),
        Sale.dealer_id.label("dealer"),
        Sale.car_model_id.label("car_model"),
        Sale.country,
        Sale.currency,
        Sale.quantity.label("cars"),
        Sale.total_minor.label("spent"),
        listed.label("listed"),
        (listed - Sale.total_minor).label("discount"),
    ).join(Buyer, Buyer.id == Sale.buyer_id)


def _supplies() -> Any:
    listed = SupplyDeal.list_price_minor * SupplyDeal.quantity
    return select(
        SupplyDeal.bought_at.label("happened_at"),
        SupplyDeal.created_at.label("recorded_at"),
        SupplyDeal.supplier_id.label("supplier"),
        SupplyDeal.dealer_id.label("dealer"),
        SupplyDeal.car_model_id.label("car_model"),
        SupplyDeal.country,
        SupplyDeal.currency,
        SupplyDeal.quantity.label("units"),
        SupplyDeal.total_minor.label("total"),
        (listed - SupplyDeal.total_minor).label("discount"),
        listed.label("listed"),
    )


def _stock() -> Any:
    moves = [
        select(
            moment.label("happened_at"),
            deal.created_at.label("recorded_at"),
            deal.dealer_id.label("dealer"),
            deal.car_model_id.label("car_model"),
            deal.country,
            deal.currency,
            (deal.quantity * sign).label("cars"),
            (cost * sign).label("cost"),
        )
        for deal, moment, cost, sign in (
            (SupplyDeal, SupplyDeal.bought_at, SupplyDeal.total_minor, 1),
            (Sale, Sale.sold_at, Sale.cost_minor, -1),
        )
    ]
    return select(union_all(*moves).subquery("stock"))


def _offers() -> Any:
    return select(
        Offer.placed_at.label("happened_at"),
        Offer.created_at.label("recorded_at"),
        Buyer.identity_id.label("buyer"),
        Offer.car_model_id.label("car_model"),
    ).join(Buyer, Buyer.id == Offer.buyer_id)


def _refusals() -> Any:
    return select(
        Refusal.refused_at.label("happened_at"),
        Refusal.created_at.label("recorded_at"),
        Buyer.identity_id.label("buyer"),
        Refusal.car_model_id.label("car_model"),
        Refusal.reason,
        Refusal.offer_id.label("offer"),
    ).join(Buyer, Buyer.id == Refusal.buyer_id)


_CAR_MODEL = Dimension("car_model", "Car model", names=_model_names)
_COUNTRY = Dimension("country", "Country of the dealer")
_DEALER = Dimension("dealer", "Dealer", names=_dealer_names)
_OWN_DEALER = Dimension("dealer", "Dealer", names=_dealer_names, own=_own_dealers)
_SUPPLIER = Dimension("supplier", "Supplier", names=_supplier_names, own=_own_suppliers)
# Whom a dealer knows by a number alone, as in the list of his sales.
_NUMBERED_BUYER = Dimension("buyer", "Buyer")
_OWN_BUYER = Dimension("buyer", "Buyer", names=_usernames, own=_oneself)

SALES = Facts("autotrade.sales", _sales, (_OWN_DEALER, _NUMBERED_BUYER, _CAR_MODEL, _COUNTRY))
PURCHASES = Facts("autotrade.purchases", _purchases, (_OWN_BUYER, _DEALER, _CAR_MODEL, _COUNTRY))
SUPPLIES = Facts("autotrade.supplies", _supplies, (_SUPPLIER, _OWN_DEALER, _CAR_MODEL, _COUNTRY))
STOCK = Facts("autotrade.stock", _stock, (_OWN_DEALER, _CAR_MODEL, _COUNTRY))
OFFERS = Facts("autotrade.offers", _offers, (_OWN_BUYER, _CAR_MODEL))
REFUSALS = Facts(
    "autotrade.refusals",
    _refusals,
    (_OWN_BUYER, Dimension("reason", "Reason"), _CAR_MODEL),
    together=(("buyer", "reason"),),
)

CARS_SOLD = Metric(
    "autotrade.cars_sold",
    "Cars sold",
    Unit.COUNT,
    SALES,
    "cars sold = cars that dealers sold to buyers",
    value="cars",
)
REVENUE = Metric(
    "autotrade.revenue",
    "Revenue of dealers",
    Unit.MONEY,
    SALES,
    "revenue = what buyers paid, after promotions and loyalty discounts",
    value="revenue",
)
COST = Metric(
    "autotrade.cost",
    "Cost of cars sold",
    Unit.MONEY,
    SALES,
    "cost = what the dealer paid for the cars that were sold, the oldest first",
    value="cost",
)
PROFIT = Metric(
    "autotrade.profit",
    "Profit of dealers",
    Unit.MONEY,
    SALES,
    "profit = revenue − cost",
    value="profit",
)
UNIQUE_BUYERS = Metric(
    "autotrade.unique_buyers",
    "Unique buyers",
    Unit.COUNT,
    SALES,
    "unique buyers = different people who bought a car",
    value="buyer",
    aggregate=Aggregate.DISTINCT,
)
STOCK_DAYS = Metric(
    "autotrade.stock_days",
    "Car-days in stock",
    Unit.NUMBER,
    SALES,
    "car-days in stock = sum over sold cars of the days from purchase to sale",
    value="car_days",
)
STOCK_VALUE = Metric(
    "autotrade.stock_value",
    "Stock value",
    Unit.MONEY,
    STOCK,
    "stock value = what the cars that are not sold yet were bought for",
    value="cost",
    aggregate=Aggregate.LEVEL,
)
STOCK_CARS = Metric(
    "autotrade.stock_cars",
    "Cars in stock",
    Unit.COUNT,
    STOCK,
    "cars in stock = cars bought − cars sold",
    value="cars",
    aggregate=Aggregate.LEVEL,
)
UNITS = Metric(
    "autotrade.units_supplied",
    "Cars supplied",
    Unit.COUNT,
    SUPPLIES,
    "cars supplied = cars that suppliers sold to dealers",
    value="units",
)
SUPPLY_REVENUE = Metric(
    "autotrade.supply_revenue",
    "Revenue of suppliers",
    Unit.MONEY,
    SUPPLIES,
    "revenue of suppliers = what dealers paid, after promotions and loyalty discounts",
    value="total",
)
SUPPLY_LISTED = Metric(
    "autotrade.supply_listed",
    "Supplies at list price",
    Unit.MONEY,
    SUPPLIES,
    "supplies at list price = list price × cars",
    value="listed",
)
DEALERS_SERVED = Metric(
    "autotrade.dealers_served",
    "Dealers served",
    Unit.COUNT,
    SUPPLIES,
    "dealers served = different dealers who bought",
    value="dealer",
    aggregate=Aggregate.DISTINCT,
)
SUPPLY_DISCOUNT = Metric(
    "autotrade.discount_given",
    "Discount given by suppliers",
    Unit.MONEY,
    SUPPLIES,
    "discount given = supplies at list price − revenue of suppliers",
    value="discount",
)
SPENT = Metric(
    "autotrade.spent",
    "Spent by buyers",
    Unit.MONEY,
    PURCHASES,
    "spent = what the buyer paid for cars",
    value="spent",
)
CARS_BOUGHT = Metric(
    "autotrade.cars_bought",
    "Cars bought",
    Unit.COUNT,
    PURCHASES,
    "cars bought = cars that the buyer bought",
    value="cars",
)
LISTED = Metric(
    "autotrade.purchases_listed",
    "Purchases at list price",
    Unit.MONEY,
    PURCHASES,
    "purchases at list price = the dealer's price × cars, before discounts",
    value="listed",
)
DISCOUNT = Metric(
    "autotrade.discount_received",
    "Discount received by buyers",
    Unit.MONEY,
    PURCHASES,
    "discount received = purchases at list price − spent",
    value="discount",
)
OFFERS_PLACED = Metric(
    "autotrade.offers_placed",
    "Offers placed",
    Unit.COUNT,
    OFFERS,
    "offers placed = offers that buyers made",
)
OFFERS_REFUSED = Metric(
    "autotrade.offers_refused",
    "Offers refused",
    Unit.COUNT,
    REFUSALS,
    "offers refused = different offers that a run could not fill; an offer that meets several"
    " reasons counts once for each of them, and once in the total",
    value="offer",
    aggregate=Aggregate.DISTINCT,
)
METRICS: tuple[Metric | Ratio, ...] = (
    CARS_SOLD,
    REVENUE,
    COST,
    PROFIT,
    Ratio("autotrade.margin", "Margin", Unit.PERCENT, PROFIT, REVENUE, "margin = profit / revenue"),
    UNIQUE_BUYERS,
    STOCK_DAYS,
    Ratio(
        "autotrade.days_in_stock",
        "Days in stock",
        Unit.NUMBER,
        STOCK_DAYS,
        CARS_SOLD,
        "days in stock = car-days in stock / cars sold",
    ),
    STOCK_VALUE,
    STOCK_CARS,
    Ratio(
        "autotrade.turn_rate",
        "Stock turn rate",
        Unit.NUMBER,
        COST,
        STOCK_VALUE,
        "turn rate = cost of the cars sold in the period / stock value at its end",
    ),
    UNITS,
    SUPPLY_REVENUE,
    SUPPLY_LISTED,
    DEALERS_SERVED,
    SUPPLY_DISCOUNT,
    SPENT,
    CARS_BOUGHT,
    LISTED,
    DISCOUNT,
    Ratio(
        "autotrade.average_discount",
        "Average discount",
        Unit.PERCENT,
        DISCOUNT,
        LISTED,
        "average discount = discount received / purchases at list price",
    ),
    OFFERS_PLACED,
    OFFERS_REFUSED,
)
