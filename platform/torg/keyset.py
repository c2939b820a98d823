"""Pages by position instead of OFFSET: the order of a list and the predicate "after this item".

Owns the SQL of it, for mixed directions and NULLs. Which columns a list may be sorted by is
`torg.listing`'s.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, literal, or_, tuple_


@dataclass(frozen=True, slots=True)
class Step:
    """One column of an order.

    Attributes:
        column: what is sorted by.
        kind: the Python type of its values.
        nullable: whether there may be NULLs; they come last when ascending and first when
            descending, as PostgreSQL and its indexes have it.
        descending: the direction.
    """

    column: ColumnElement[Any]
    kind: type
    nullable: bool
    descending: bool = False


def order_by(steps: Sequence[Step]) -> list[ColumnElement[Any]]:
    """The terms of ORDER BY."""
    return [step.column.desc() if step.descending else step.column.asc() for step in steps]


def after(steps: Sequence[Step], values: Sequence[Any]) -> ColumnElement[bool]:
    """The predicate "comes after the item that has these values" in the order of the steps.

    The last step has to be unique and never NULL; then walking the pages shows every row once.
    """
    if len({step.descending for step in steps}) == 1 and not any(step.nullable for step in steps):
        # One comparison of rows is a single range of a composite index.
        columns = tuple_(*(step.column for step in steps))
        position = tuple_(*(_bound(step, value) for step, value in zip(steps, values, strict=True)))
        return columns < position if steps[0].descending else columns > position
    choices: list[ColumnElement[bool]] = []
    same: list[ColumnElement[bool]] = []
    for step, value in zip(steps, values, strict=True):
        later = _later(step, value)
        if later is not None:
            choices.append(and_(*same, later))
        same.append(step.column.is_(None) if value is None else step.column == _bound(step, value))
    bound = _first_bound(steps[0], values[0])
    return or_(*choices) if bound is None else and_(bound, or_(*choices))


def _first_bound(step: Step, value: Any) -> ColumnElement[bool] | None:
    """What the choices imply for the first column: an index can start there, not from an OR."""
    if value is None:
        return None
    if step.descending:
        return step.column <= _bound(step, value)
    return None if step.nullable else step.column >= _bound(step, value)


def _later(step: Step, value: Any) -> ColumnElement[bool] | None:
    """What comes strictly after the value in this column; None when nothing does."""
    if value is None:
        return step.column.is_not(None) if step.descending else None
    if step.descending:
        return step.column < _bound(step, value)
    later = step.column > _bound(step, value)
    return or_(later, step.column.is_(None)) if step.nullable else later


def _bound(step: Step, value: Any) -> ColumnElement[Any]:
    # A literal of the column's type: SQLAlchemy refuses to order by a plain true or false.
    return literal(value, step.column.type)
