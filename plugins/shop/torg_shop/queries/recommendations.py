"""What is like a product, what is bought with it, what is liked in its category: ids alone."""

from sqlalchemy import text

from torg.prepared import Prepared

# Candidates share the category or a tag; the most popular of them are looked at closely.
_SIMILAR = Prepared(
    text(
        """
WITH one AS (
    SELECT id, category_id, attributes, tsvector_to_array(to_tsvector('simple', name)) AS words
      FROM shop_product WHERE id = :product_id
), tags AS (
    SELECT tag_id FROM shop_product_tag WHERE product_id = :product_id
), found AS (
    (SELECT p.id, p.category_id, p.attributes, p.name, p.popularity FROM shop_product p, one
      WHERE p.is_active AND p.category_id = one.category_id
      ORDER BY p.popularity DESC, p.id DESC LIMIT 100)
    UNION
    (SELECT p.id, p.category_id, p.attributes, p.name, p.popularity FROM shop_product p
      WHERE p.is_active AND p.id IN (
        SELECT product_id FROM shop_product_tag WHERE tag_id IN (SELECT tag_id FROM tags))
      ORDER BY p.popularity DESC, p.id DESC LIMIT 100)
)
SELECT f.id FROM found f, one WHERE f.id <> one.id
 ORDER BY
    3 * (f.category_id IS NOT DISTINCT FROM one.category_id)::integer
    + 2 * (SELECT count(*) FROM shop_product_tag t
            WHERE t.product_id = f.id AND t.tag_id IN (SELECT tag_id FROM tags))
    + (SELECT count(*) FROM jsonb_each(f.attributes) a
        WHERE one.attributes -> a.key = a.value)
    + (SELECT count(*) FROM unnest(tsvector_to_array(to_tsvector('simple', f.name))) word
        WHERE word = ANY (one.words)) DESC, f.popularity DESC, f.id
 LIMIT :most
"""
    ),
    "id",
)
_TOGETHER = Prepared(
    text(
        "SELECT b.other_id FROM shop_bought_together b"
        " JOIN shop_product p ON p.id = b.other_id AND p.is_active"
        " WHERE b.product_id = :product_id ORDER BY b.score DESC, b.other_id LIMIT :most"
    ),
    "id",
)
_POPULAR = Prepared(
    text(
        "SELECT id FROM shop_product WHERE is_active ORDER BY popularity DESC, id DESC LIMIT :most"
    ),
    "id",
)
_POPULAR_IN = Prepared(
    text(
        "SELECT id FROM shop_product WHERE is_active AND category_id ="
        " (SELECT category_id FROM shop_product WHERE id = :product_id)"
        " ORDER BY popularity DESC, id DESC LIMIT :most"
    ),
    "id",
)


def similar(product_id: int, most: int) -> list[int]:
    """Products that share category, tags, characteristics and words of the name, likest first."""
    return [row.id for row in _SIMILAR.rows({"product_id": product_id, "most": most})]


def together(product_id: int, most: int) -> list[int]:
    """Products that were bought in the same orders, the strongest first."""
    return [row.id for row in _TOGETHER.rows({"product_id": product_id, "most": most})]


def popular(most: int, beside: int | None = None) -> list[int]:
    """The most popular products, of the category that the product `beside` is in if given."""
    if beside is None:
        return [row.id for row in _POPULAR.rows({"most": most})]
    return [row.id for row in _POPULAR_IN.rows({"product_id": beside, "most": most})]
