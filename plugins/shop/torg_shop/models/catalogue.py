"""What is for sale: categories, tags, products, how many there are, what goes together.

Owns names and constraints, equal to the migrations (a test holds them so).
"""

from typing import Any

from sqlalchemy import (
    CHAR,
    CheckConstraint,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from torg.db import Base, Record
from torg.search import search_column

CATEGORY, PRODUCT, TAG = "shop_category.id", "shop_product.id", "shop_tag.id"
_SHOWN = text("is_active")


class Category(Record, Base):
    """A node of the tree; a trigger keeps it free of cycles."""

    __tablename__ = "shop_category"
    __table_args__ = (
        CheckConstraint("char_length(name) BETWEEN 1 AND 100", name="name"),
        CheckConstraint("slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'", name="slug"),
        CheckConstraint("parent_id <> id", name="parent"),
        Index("uq_shop_category_slug", "slug", unique=True, postgresql_where=_SHOWN),
        Index("ix_shop_category_parent_id", "parent_id"),
    )

    parent_id: Mapped[int | None] = mapped_column(ForeignKey(CATEGORY, ondelete="RESTRICT"))
    name: Mapped[str] = mapped_column(Text)
    slug: Mapped[str] = mapped_column(Text)
    position: Mapped[int] = mapped_column(Integer, server_default="0")


class Tag(Record, Base):
    """A word that products of any category share."""

    __tablename__ = "shop_tag"
    __table_args__ = (
        CheckConstraint("char_length(name) BETWEEN 1 AND 60", name="name"),
        UniqueConstraint("name"),
    )

    name: Mapped[str] = mapped_column(Text)


class Product(Record, Base):
    """Something for sale. `attributes` are its characteristics: texts, numbers, truths."""

    __tablename__ = "shop_product"
    __table_args__ = (
        CheckConstraint("char_length(name) >= 1", name="name"),
        CheckConstraint("char_length(sku) BETWEEN 1 AND 64", name="sku"),
        CheckConstraint("price_minor >= 0", name="price"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        CheckConstraint("jsonb_typeof(attributes) = 'object'", name="attributes"),
        CheckConstraint("popularity >= 0", name="popularity"),
        UniqueConstraint("sku"),
        # Each of the sorts walks one of these; removed products are in none.
        Index("ix_shop_product_newest", "id", postgresql_where=_SHOWN),
        Index("ix_shop_product_price", "price_minor", "id", postgresql_where=_SHOWN),
        Index("ix_shop_product_name", "name", "id", postgresql_where=_SHOWN),
        Index("ix_shop_product_created_at", "created_at", "id", postgresql_where=_SHOWN),
        Index("ix_shop_product_popularity", "popularity", "id", postgresql_where=_SHOWN),
        Index("ix_shop_product_category_id", "category_id", "id", postgresql_where=_SHOWN),
        Index("ix_shop_product_search", "search", postgresql_using="gin"),
        Index(
            "ix_shop_product_attributes",
            "attributes",
            postgresql_using="gin",
            postgresql_ops={"attributes": "jsonb_path_ops"},
        ),
    )

    name: Mapped[str] = mapped_column(String(100))
    description: Mapped[str] = mapped_column(Text, server_default="")
    sku: Mapped[str] = mapped_column(Text)
    price_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(CHAR(3))
    category_id: Mapped[int | None] = mapped_column(ForeignKey(CATEGORY, ondelete="RESTRICT"))
    attributes: Mapped[Any] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
    popularity: Mapped[int] = mapped_column(server_default="0")
    search: Mapped[Any] = search_column("name", "sku", "description")


class ProductReady(Base):
    """What lists show of a product, as JSON that the database writes whenever a part changes.

    The object lacks its end: price, stock and the closing brace are added when it is shown, and
    the keys of files, which stand between unit separators, become links then.
    """

    __tablename__ = "shop_product_ready"

    product_id: Mapped[int] = mapped_column(
        ForeignKey(PRODUCT, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    json: Mapped[str] = mapped_column(Text)


class ProductTag(Base):
    """Which product has which tag."""

    __tablename__ = "shop_product_tag"
    __table_args__ = (Index("ix_shop_product_tag_tag_id", "tag_id", "product_id"),)

    product_id: Mapped[int] = mapped_column(
        ForeignKey(PRODUCT, ondelete="RESTRICT"), primary_key=True
    )
    tag_id: Mapped[int] = mapped_column(ForeignKey(TAG, ondelete="RESTRICT"), primary_key=True)


class StockLevel(Base):
    """How many of a product there are, and how many of these are promised to somebody."""

    __tablename__ = "shop_stock_level"
    __table_args__ = (
        CheckConstraint("reserved >= 0 AND reserved <= on_hand", name="reserved"),
        # Orders change these rows again and again; room on the page keeps the change on it.
        {"postgresql_with": {"fillfactor": 70}},
    )

    product_id: Mapped[int] = mapped_column(
        ForeignKey(PRODUCT, ondelete="RESTRICT"), primary_key=True, autoincrement=False
    )
    on_hand: Mapped[int] = mapped_column(server_default="0")
    reserved: Mapped[int] = mapped_column(server_default="0")


class BoughtTogether(Base):
    """How strongly a product goes with another one, by the orders of the past (cosine)."""

    __tablename__ = "shop_bought_together"
    __table_args__ = (
        CheckConstraint("product_id <> other_id", name="others"),
        CheckConstraint("score > 0 AND score <= 1", name="score"),
        Index("ix_shop_bought_together_score", "product_id", "score"),
    )

    product_id: Mapped[int] = mapped_column(
        ForeignKey(PRODUCT, ondelete="RESTRICT"), primary_key=True
    )
    other_id: Mapped[int] = mapped_column(
        ForeignKey(PRODUCT, ondelete="RESTRICT"), primary_key=True
    )
    score: Mapped[float] = mapped_column(Float)
    support: Mapped[int] = mapped_column(Integer)
