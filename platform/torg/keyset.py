"""Pages by position instead of OFFSET: the order of a list and the predicate "after this item".

Owns the SQL of it, for mixed directions and NULLs. Which columns a list may be sorted by is
`torg.listing`'s.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import ColumnElement, Integer, Select, and_, bindparam, literal, or_, tuple_

from torg.prepared import NotPreparableError, Prepared

LIMIT = "torg_limit"
_POSITION = "torg_position_"
_AFTER = "torg_after_"


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


@dataclass(frozen=True, slots=True)
class Ordered:
    """A statement in an order, limited by the parameter `LIMIT`.

    Attributes:
        statement: with columns added where a row did not hold its position in the order.
        continued: the same after an item whose values are `parameters_after`; None when the
            predicate depends on which of them are NULL, see `after`.
        places: index of each step's value in a row.
        added: how many columns were added at the end.
        prepared: forms of it by what tells them apart, None for one that cannot be prepared. Only
            for a statement that is remembered; without that no form would be met again.
    """

    statement: "Select[Any]"
    continued: "Select[Any] | None"
    places: tuple[int, ...]
    added: int
    prepared: dict[Hashable, Prepared | None] | None = None

    def prepare(self, key: Hashable, make: Callable[[], "Select[Any]"]) -> Prepared | None:
        """The prepared form of that key; made the first time."""
        if self.prepared is None:
            return None
        if key not in self.prepared:
            made = Prepared(make())
            try:
                self.prepared[key] = made if made.written else None
            except NotPreparableError:
                self.prepared[key] = None
        return self.prepared[key]


class OrderedStatements:
    """Remembers the ordered form of statements that are used again, such as module constants.

    Building it takes SQLAlchemy about as long as PostgreSQL takes to answer it.
    """

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Select[Any], dict[Hashable, Ordered]] = WeakKeyDictionary()

    def get(self, statement: "Select[Any]", steps: Sequence[Step], key: Hashable) -> Ordered:
        """The ordered form; `key` names the order, None one that is not worth remembering."""
        known = self._known.get(statement)
        if known is None:
            # Seen for the first time: perhaps made for this request only, so look no closer.
            self._known[statement] = {}
            return _ordered(statement, steps, look=False)
        if key is None:
            return _ordered(statement, steps, look=True)
        if key not in known:
            known[key] = replace(_ordered(statement, steps, look=True), prepared={})
        return known[key]


def _ordered(statement: "Select[Any]", steps: Sequence[Step], *, look: bool) -> Ordered:
    selected = statement.column_descriptions if look else []
    found = [_place_of(step, selected) for step in steps]
    missing = [step for step, place in zip(steps, found, strict=True) if place is None]
    added = [step.column.label(f"{_POSITION}{count}") for count, step in enumerate(missing)]
    from_end = iter(range(-len(added), 0))
    limit: ColumnElement[int] = bindparam(LIMIT, type_=Integer())
    ordered = statement.order_by(None).order_by(*order_by(steps)).add_columns(*added).limit(limit)
    places = tuple(next(from_end) if place is None else place for place in found)
    continued = ordered.where(_after_parameters(steps)) if look and _is_uniform(steps) else None
    return Ordered(ordered, continued, places, len(added))


def _place_of(step: Step, selected: Sequence[Any]) -> int | None:
    for place, description in enumerate(selected):
        expression = description["expr"]
        if hasattr(expression, "__clause_element__"):
            expression = expression.__clause_element__()
        if isinstance(expression, ColumnElement) and expression.compare(step.column):
            return place
    return None


def order_by(steps: Sequence[Step]) -> list[ColumnElement[Any]]:
    """The terms of ORDER BY."""
    return [step.column.desc() if step.descending else step.column.asc() for step in steps]


def after(steps: Sequence[Step], values: Sequence[Any]) -> ColumnElement[bool]:
    """The predicate "comes after the item that has these values" in the order of the steps.

    The last step has to be unique and never NULL; then walking the pages shows every row once.
    """
    if _is_uniform(steps):
        bounds = [_bound(step, value) for step, value in zip(steps, values, strict=True)]
        return _compare_rows(steps, bounds)
    choices: list[ColumnElement[bool]] = []
    same: list[ColumnElement[bool]] = []
    for step, value in zip(steps, values, strict=True):
        later = _later(step, value)
        if later is not None:
            choices.append(and_(*same, later))
        same.append(step.column.is_(None) if value is None else step.column == _bound(step, value))
    bound = _first_bound(steps[0], values[0])
    return or_(*choices) if bound is None else and_(bound, or_(*choices))


def parameters_after(values: Sequence[Any]) -> dict[str, Any]:
    """The parameters of a `continued` statement."""
    return {f"{_AFTER}{place}": value for place, value in enumerate(values)}


def _after_parameters(steps: Sequence[Step]) -> ColumnElement[bool]:
    bounds: list[ColumnElement[Any]] = [
        bindparam(f"{_AFTER}{place}", type_=step.column.type) for place, step in enumerate(steps)
    ]
    return _compare_rows(steps, bounds)


def _is_uniform(steps: Sequence[Step]) -> bool:
    return len({step.descending for step in steps}) == 1 and not any(
        step.nullable for step in steps
    )


def _compare_rows(
    steps: Sequence[Step], bounds: Sequence[ColumnElement[Any]]
) -> ColumnElement[bool]:
    # One comparison of rows is a single range of a composite index.
    columns, position = tuple_(*(step.column for step in steps)), tuple_(*bounds)
    return columns < position if steps[0].descending else columns > position


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
