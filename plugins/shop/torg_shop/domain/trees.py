"""The tree of categories out of flat rows. Pure."""

from collections.abc import Iterable
from typing import Any, Protocol


class Node(Protocol):
    """A row of the tree; `product_count` counts its own products alone."""

    id: int
    parent_id: int | None
    name: str
    slug: str
    position: int
    product_count: int


def nested(rows: Iterable[Node]) -> list[dict[str, Any]]:
    """The roots with all that is below them, each once, counting products of descendants too.

    Siblings keep the order of the rows. A node whose parent is missing is a root; of rows in a
    circle, which the database does not allow, none is shown.
    """
    flat = list(rows)
    made: dict[int | None, dict[str, Any]] = {
        row.id: {
            "id": row.id,
            "name": row.name,
            "slug": row.slug,
            "position": row.position,
            "product_count": row.product_count,
            "children": [],
        }
        for row in flat
    }
    roots: list[dict[str, Any]] = []
    for row in flat:
        parent = made.get(row.parent_id) if row.parent_id is not None else None
        (roots if parent is None else parent["children"]).append(made[row.id])
    _add_up(roots)
    return roots


def _add_up(roots: list[dict[str, Any]]) -> None:
    # Without recursion: a tree may be deeper than Python's stack.
    order = list(roots)
    for node in order:
        order.extend(node["children"])
    for node in reversed(order):
        node["product_count"] += sum(child["product_count"] for child in node["children"])
