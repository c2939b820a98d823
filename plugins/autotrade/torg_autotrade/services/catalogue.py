"""Car models: entered, changed, taken out; dealers' matching lines follow at once."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert

from torg.db import session
from torg.errors import FieldProblem
from torg.i18n import gettext
from torg_autotrade.errors import CarModelExistsError, CarModelUnknownError
from torg_autotrade.models.market import CarModel, DealerStock

_MATCH = text("SELECT autotrade_match(:dealer_id, :model_id)")


def match(dealer_id: int | None = None, car_model_id: int | None = None) -> int:
    """Bring stock lines up to preferences, of one dealer or for one model; returns how many."""
    asked = {"dealer_id": dealer_id, "model_id": car_model_id}
    return int(session.execute(_MATCH, asked).scalar_one())


def create(given: Mapping[str, Any]) -> int:
    """Enter a model; dealers that prefer its like trade in it from now on.

    One that was taken out comes back under its old id.

    Raises:
        CarModelExistsError: it is there already.
    """
    entered = insert(CarModel).values(**given)
    back = {
        "car_class": entered.excluded.car_class,
        "is_active": True,
        "updated_at": func.clock_timestamp(),
    }
    made = session.execute(
        entered.on_conflict_do_update(
            constraint="uq_autotrade_car_model_described",
            set_=back,
            where=CarModel.is_active.is_(False),
        ).returning(CarModel.id)
    ).scalar()
    if made is None:
        raise CarModelExistsError
    match(car_model_id=made)
    return int(made)


def lock(car_model_id: int) -> Any:
    """A model's row, kept from others until the end of the transaction; sales of it wait, too.

    Raises:
        CarModelUnknownError: there is none.
    """
    row = session.execute(
        select(CarModel).where(CarModel.id == car_model_id, CarModel.is_active).with_for_update()
    ).scalar_one_or_none()
    if row is None:
        raise CarModelUnknownError
    return row


def change(car_model_id: int, given: Mapping[str, Any]) -> None:
    """Change a model, or with `is_active` false take it out.

    Raises:
        CarModelUnknownError: there is none.
        CarModelExistsError: another one is described so.
    """
    row = lock(car_model_id)
    described = ("make", "model", "body_type", "fuel_type", "transmission", "engine", "model_year")
    twin = session.execute(
        select(CarModel.id).where(
            *(getattr(CarModel, n) == given.get(n, getattr(row, n)) for n in described),
            CarModel.id != car_model_id,
        )
    ).first()
    if twin is not None:
        raise CarModelExistsError
    if given:
        session.execute(
            update(CarModel)
            .where(CarModel.id == car_model_id)
            .values(**given, updated_at=func.clock_timestamp())
        )
    match(car_model_id=car_model_id)


def require(car_model_id: int, *, or_in_stock: bool = False, pointer: str = "") -> None:
    """Refuse an id that is no active model.

    Args:
        car_model_id: which.
        or_in_stock: whether one that was taken out will do while dealers still have it.
        pointer: where the id stood in the body, if it did.

    Raises:
        CarModelUnknownError: it is none.
    """
    present: ColumnElement[bool] = CarModel.is_active.is_(True)
    if or_in_stock:
        left = select(DealerStock.id).where(
            DealerStock.car_model_id == CarModel.id, DealerStock.quantity > 0
        )
        present = or_(present, left.exists())
    if (
        session.execute(select(CarModel.id).where(CarModel.id == car_model_id, present)).first()
        is None
    ):
        message = gettext("There is no such car model.")
        found = [FieldProblem(pointer, CarModelUnknownError.code, message)] if pointer else []
        raise CarModelUnknownError(errors=found)
