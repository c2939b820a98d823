"""Lists: declared once, then filtered, searched, sorted and paged in one grammar.

Owns the query parameters of a list, the page and its envelope. The predicates are `torg.filters`,
`torg.search` and `torg.keyset`; what an item looks like is a schema of the plugin.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NotRequired, TypedDict

import orjson
from sqlalchemy import (
    ColumnElement,
    Function,
    Select,
    String,
    Table,
    func,
    literal_column,
    select,
    type_coerce,
)

from torg import cursor, db
from torg.filters import Filter
from torg.keyset import LIMIT, Ordered, OrderedStatements, Step, after, parameters_after
from torg.schemas import (
    Boolean,
    Enum,
    HostField,
    Integer,
    List,
    Nested,
    QuerySchema,
    Schema,
    Text,
    Words,
)
from torg.search import MAX_SEARCH_LENGTH, search_predicate

MAX_LIMIT = 100
DEFAULT_LIMIT = 50
_RESERVED = frozenset({"limit", "cursor", "sort", "search", "embed", "include_total"})


@dataclass(frozen=True, slots=True)
class _Window:
    """What is asked of the database for one page."""

    ordered: Ordered
    steps: Sequence[Step]
    limit: int
    after: Sequence[Any] | None
    parameters: Mapping[str, Any]

    def rows(self, session: Any, conditions: Sequence[ColumnElement[bool]]) -> Sequence[Any]:
        """Ask by a statement made for this page."""
        parameters = {**self._parameters(), LIMIT: self.limit}
        found: Sequence[Any] = session.execute(self._statement(conditions), parameters).all()
        return found

    def rows_again(
        self, shape: tuple[Any, ...], conditions: Callable[[], Sequence[ColumnElement[bool]]]
    ) -> Sequence[Any]:
        """Ask by the prepared statement of this shape, if there can be one."""
        prepared = None
        if self.after is None or self._is_continued:
            # With the limit written down, PostgreSQL keeps the plan: it knows how much it costs.
            prepared = self.ordered.prepare(
                (shape, self.limit, self._is_continued),
                lambda: self._statement(conditions()).limit(literal_column(str(self.limit))),
            )
        if prepared is None:
            return self.rows(db.session, conditions())
        return prepared.rows(self._parameters())

    def _parameters(self) -> dict[str, Any]:
        position = parameters_after(self.after or ()) if self._is_continued else {}
        return {**self.parameters, **position}

    @property
    def _is_continued(self) -> bool:
        return self.after is not None and self.ordered.continued is not None

    def _statement(self, conditions: Sequence[ColumnElement[bool]]) -> "Select[Any]":
        if self.after is None:
            statement = self.ordered.statement
        elif self.ordered.continued is not None:
            statement = self.ordered.continued
        else:
            statement = self.ordered.statement.where(after(self.steps, self.after))
        return statement.where(*conditions) if conditions else statement


class Page(TypedDict):
    """One page: what the envelope schema dumps.

    `items` are rows (or entities) of the statement; rows also hold their position in the order
    under names of the host's own.
    """

    items: list[Any]
    next_cursor: str | None
    total: NotRequired[int]


@dataclass(frozen=True, slots=True)
class NeverNull:
    """Says of a sort column that it holds no NULL in the listed rows, which makes pages cheaper.

    The list knows it by itself of its own table's columns. For others the author has to be sure:
    if it is wrong, the rows with NULL are lost from the second page on.
    """

    column: Any


class Listing:
    """A list of one resource, declared by class attributes; it is never instantiated.

    Attributes:
        key: the id column: unique, never NULL, last in every order.
        sorts: columns that clients may sort by, by parameter word. They have to be bounded in
            length; expressions need a type. Wrap what is no column of the key's table in
            `NeverNull` when it is never NULL. `id` is always there.
        default_sort: such as "-created_at,name".
        filters: what clients may filter by, by parameter.
        search: a `tsvector` column (`torg.search.search_column`), or None.
        embeds: words of the parameter `embed`; the plugin loads what they name.
    """

    key: ClassVar[Any]
    sorts: ClassVar[Mapping[str, Any]] = {}
    default_sort: ClassVar[str] = "id"
    filters: ClassVar[Mapping[str, Filter]] = {}
    search: ClassVar[Any] = None
    embeds: ClassVar[Sequence[str]] = ()

    _steps: ClassVar[dict[str, Step]]
    _default: ClassVar[tuple[str, ...]]
    _arguments: ClassVar[type[QuerySchema]]
    _ordered: ClassVar[OrderedStatements]

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Check the declaration when the module is loaded, not when a client comes."""
        super().__init_subclass__(**keywords)
        if taken := _RESERVED & set(cls.filters):
            raise ValueError(f"{cls.__name__}: {', '.join(sorted(taken))} cannot be filters")
        cls._steps = {
            word: _step(cls, word, column) for word, column in {**cls.sorts, "id": cls.key}.items()
        }
        cls._default = tuple(cls.default_sort.split(","))
        if unknown := {word.removeprefix("-") for word in cls._default} - set(cls._steps):
            raise ValueError(f"{cls.__name__}: cannot sort by {', '.join(sorted(unknown))}")
        cls._arguments = _arguments_schema(cls)
        cls._ordered = OrderedStatements()

    @classmethod
    def arguments(cls) -> type[QuerySchema]:
        """The schema of the query parameters, for `@blueprint.arguments(..., location="query")`."""
        return cls._arguments

    @classmethod
    def envelope(cls, item: type[Schema], **extra: HostField) -> type[Schema]:
        """The schema of a page of these items.

        Args:
            item: schema of one item.
            **extra: further fields of the envelope, such as `server_time`; add their values to
                the page before returning it.
        """
        fields: dict[str, Any] = {
            "items": List(Nested(item), maximum=MAX_LIMIT, required=True),
            "next_cursor": Text(
                maximum=cursor.MAX_LENGTH,
                example=cursor.EXAMPLE,
                required=True,
                allow_none=True,
                description="Send it as `cursor` to get the next page; null on the last one.",
            ),
            "total": Integer(
                minimum=0, description="How many there are, when `include_total=true` asked for it."
            ),
            **extra,
        }
        name = item.__name__.removesuffix("Schema") + "Page"
        return Schema.from_dict(fields, name=name)  # type: ignore[return-value]  # keeps the class

    @classmethod
    def page(
        cls,
        statement: "Select[Any]",
        arguments: Mapping[str, Any],
        parameters: Mapping[str, Any] | None = None,
        *,
        session: Any = None,
    ) -> Page:
        """One page of what the statement selects: one SELECT, and a second for `include_total`.

        Args:
            statement: a select of columns (rows come back) or of one entity, without order and
                limit. It may hold conditions of its own, such as the owner's. One that is a
                constant of its module is prepared and answered much faster.
            arguments: what `arguments()` has loaded.
            parameters: values of the statement's own `bindparam`s.
            session: instead of the present one.

        Raises:
            InvalidCursorError: the cursor is not of this list, filter and sort.
        """
        words = arguments.get("sort", cls._default)
        steps = cls._order(words)
        kinds = [step.kind for step in steps]
        limit = arguments.get("limit", DEFAULT_LIMIT)
        scope = cls._scope(arguments, words)
        position = arguments.get("cursor")
        values = None if position is None else cursor.decode(position, kinds, scope)
        # Clients may ask for endless combinations of words; only the usual ones are remembered.
        usual = len(words) == 1 or words == cls._default
        ordered = cls._ordered.get(statement, steps, words if usual else None)
        # One more than asked for tells whether there is a next page.
        window = _Window(ordered, steps, limit + 1, values, parameters or {})
        if usual and session is None and (shape := cls._shape(arguments)) is not None:
            rows = window.rows_again(shape, lambda: cls._conditions(arguments))
        else:
            rows = window.rows(session or db.session, cls._conditions(arguments))
        page = Page(items=_items(rows[:limit], ordered.added), next_cursor=None)
        if len(rows) > limit:
            last = rows[limit - 1]
            page["next_cursor"] = cursor.encode(
                [last[place] for place in ordered.places], kinds, scope
            )
        if arguments.get("include_total"):
            count = _count(statement.where(*cls._conditions(arguments)), cls.key)
            page["total"] = (session or db.session).execute(count, parameters).scalar_one()
        return page

    @classmethod
    def _order(cls, words: Sequence[str]) -> list[Step]:
        steps = []
        for word in words:
            step = cls._steps[word.removeprefix("-")]
            descending = word.startswith("-")
            steps.append(Step(step.column, step.kind, step.nullable, descending))
            if step is cls._steps["id"]:
                return steps
        # In the direction of the sort before it, so that one index serves both.
        key = cls._steps["id"]
        return [*steps, Step(key.column, key.kind, key.nullable, steps[-1].descending)]

    @classmethod
    def _conditions(cls, arguments: Mapping[str, Any]) -> list[ColumnElement[bool]]:
        conditions = [
            declared.predicate(arguments[name])
            for name, declared in cls.filters.items()
            if arguments.get(name) is not None
        ]
        if cls.search is not None and arguments.get("search"):
            conditions.append(search_predicate(cls.search, arguments["search"]))
        return conditions

    @classmethod
    def _shape(cls, arguments: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """The filters and their values, when they can take few forms; else None."""
        given = [name for name in cls.filters if arguments.get(name) is not None]
        is_closed = all(isinstance(cls.filters[name].field, Enum) for name in given)
        if not is_closed or arguments.get("search"):
            return None
        return tuple((name, arguments[name]) for name in given)

    @classmethod
    def _scope(cls, arguments: Mapping[str, Any], words: Sequence[str]) -> bytes:
        """What a cursor is bound to."""
        chosen = {name: arguments.get(name) for name in (*cls.filters, "search")}
        named = [cls.__module__, cls.__qualname__, words, chosen]
        return hashlib.sha256(
            orjson.dumps(named, default=str, option=orjson.OPT_SORT_KEYS)
        ).digest()


def _step(listing: type[Listing], word: str, column: Any) -> Step:
    named = column.column if isinstance(column, NeverNull) else column
    element = named.__clause_element__() if hasattr(named, "__clause_element__") else named
    if getattr(element, "name", None) in ("lower", "upper") and isinstance(element, Function):
        # SQLAlchemy gives functions it does not know no type; these are the usual ones.
        element = type_coerce(element, String())
    try:
        kind = element.type.python_type
    except NotImplementedError:
        kind = object
    if not cursor.can_hold(kind) or getattr(element.type, "timezone", True) is False:
        raise TypeError(f"{listing.__name__}: cannot sort by {word}, a {element.type!r}")
    # Only a column of the table that the id is from is sure to have what its declaration says: one
    # of another table may be on the empty side of an outer join, an expression may be anything.
    table = getattr(element, "table", None)
    own = isinstance(table, Table) and table.is_derived_from(getattr(listing.key, "table", None))
    nullable = not own or bool(getattr(element, "nullable", True))
    if word == "id" or isinstance(column, NeverNull):
        nullable = False
    return Step(element, kind, nullable)


def _arguments_schema(listing: type[Listing]) -> type[QuerySchema]:
    fields: dict[str, Any] = {name: each.field for name, each in listing.filters.items()}
    if listing.search is not None:
        fields["search"] = Text(
            maximum=MAX_SEARCH_LENGTH,
            minimum=0,
            strip=True,
            description="Words to look for, in English or Russian; beginnings of words match too.",
        )
    fields["sort"] = Words(
        list(listing._steps),  # noqa: SLF001 - of the class whose arguments these are
        signed=True,
        load_default=listing._default,  # noqa: SLF001
        example=listing.default_sort,
        description="Words to sort by, joined by commas; a minus turns the direction.",
    )
    if listing.embeds:
        fields["embed"] = Words(
            listing.embeds,
            load_default=tuple,
            description="What to include in every item, joined by commas.",
        )
    fields["limit"] = Integer(
        minimum=1,
        maximum=MAX_LIMIT,
        load_default=DEFAULT_LIMIT,
        example=DEFAULT_LIMIT,
        description="How many items at most.",
    )
    fields["cursor"] = Text(
        maximum=cursor.MAX_LENGTH,
        pattern=cursor.PATTERN,
        example=cursor.EXAMPLE,
        description="`next_cursor` of the page before.",
    )
    fields["include_total"] = Boolean(
        load_default=False, example=False, description="Whether to count all items too."
    )
    name = f"{listing.__name__}Query"
    return QuerySchema.from_dict(fields, name=name)  # type: ignore[return-value]


def _items(rows: Sequence[Any], added: int) -> list[Any]:
    if rows and len(rows[0]) == added + 1 and hasattr(rows[0][0], "_sa_instance_state"):
        return [row[0] for row in rows]
    return list(rows)


def _count(filtered: "Select[Any]", key: Any) -> "Select[int]":
    # The ids alone, below: that counts right for DISTINCT and GROUP BY as well.
    ids = filtered.order_by(None).with_only_columns(key, maintain_column_froms=True).subquery()
    return select(func.count()).select_from(ids)
