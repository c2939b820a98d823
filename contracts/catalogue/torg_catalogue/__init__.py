"""The contract `catalogue` 1.0: reading what a shop has, for plugins that show it their own way.

Owns types alone; `torg_catalogue.trading` has carts and orders. A plugin finds the provider by name
and never sees a table:

    catalogue: Catalogue = contracts.require("catalogue", ">=1,<2")
    page = catalogue.page(Wanted(category=7, limit=100))

Everything here is the same for everybody. Who may see it is the business of whoever shows it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import IO, Any, Literal, NamedTuple, Protocol, TypedDict

from torg.money import Money

__all__ = [
    "MOST_AT_ONCE",
    "SORTS",
    "Card",
    "Catalogue",
    "Category",
    "Export",
    "Offer",
    "Page",
    "Picture",
    "Wanted",
]

# The longest page. Words to sort by; a minus before one turns the direction.
MOST_AT_ONCE = 1000
SORTS = ("id", "name", "price", "created_at", "popularity")


class Offer(NamedTuple):
    """A product as a list shows it; a plain tuple, because lists are long."""

    id: int
    name: str
    description: str
    price: Money
    category_name: str | None
    tags: Sequence[str]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a page is to hold.

    Attributes:
        category: this one and all below it; one that there is not holds nothing.
        price_min: at least, in units of each product's own currency (19.99).
        price_max: at most.
        sort: words of `SORTS`; the newest first when there are none.
        limit: 1 to `MOST_AT_ONCE`.
        cursor: of the page before; good only with the same category, prices and sort.
    """

    category: int | None = None
    price_min: Decimal | None = None
    price_max: Decimal | None = None
    sort: tuple[str, ...] = ()
    limit: int = 100
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Offers in order; `next_cursor` is None on the last page."""

    items: Sequence[Offer]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Picture:
    """Links to a picture; both work for an hour at least."""

    url: str
    thumbnail_url: str
    alt: str


@dataclass(frozen=True, slots=True)
class Card:
    """A product with all that its page shows.

    Attributes:
        offer: what a list shows of it, too.
        sku: the shop's own mark.
        attributes: characteristics by name: texts, numbers, truths.
        category_path: names from the root to its own category.
        pictures: in order.
        in_stock: whether one can be ordered now.
    """

    offer: Offer
    sku: str
    attributes: Mapping[str, Any]
    category_path: Sequence[str]
    pictures: Sequence[Picture]
    in_stock: bool


class Category(TypedDict):
    """A node of the tree; `product_count` counts what is below it, too."""

    id: int
    name: str
    slug: str
    position: int
    product_count: int
    children: "list[Category]"


@dataclass(frozen=True, slots=True)
class Export:
    """The whole catalogue as a file: ready, or on its way.

    Attributes:
        file: at its beginning; whoever sends it closes it. None while a job still writes it.
        content_type: of the file.
        job_id: of that job, whose state its owner reads at `/api/v1/jobs/{id}`.
    """

    file: IO[bytes] | None
    content_type: str
    job_id: int | None = None


class Catalogue(Protocol):
    """What `contracts.require("catalogue")` gives."""

    def page(self, wanted: Wanted) -> Page:
        """Products for sale, in one statement, however long the page.

        Raises:
            InvalidError: the cursor belongs to another question.
        """

    def card(self, product_id: int) -> Card:
        """One product, in a constant number of statements.

        Raises:
            NotFoundError: there is none of this id for sale.
        """

    def categories(self) -> Sequence[Category]:
        """The roots with all that is below them, in one statement."""

    def export(self, wanted: Literal["xlsx", "csv"], identity_id: int) -> Export:
        """The whole catalogue with all its fields; above the shop's limit a job writes it.

        To be called within a "write" transaction. `identity_id` is whose the job is.
        """

    def kept(self, name: str, question: Mapping[str, Any], fill: Callable[[], bytes]) -> bytes:
        """The bytes that `fill` made, until anything of the catalogue changes.

        Args:
            name: of what is kept, with the asking plugin's name in it: `stall.list`.
            question: everything that the bytes depend on.
            fill: makes them; of many callers at once one does.
        """
