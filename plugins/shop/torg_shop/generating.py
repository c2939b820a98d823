"""A catalogue out of nothing: three levels of categories, products with drawn pictures, stock.

Owns the words and the drawing. Rows go in by a few large statements; one picture for each kind and
colour is drawn and stored, and shared by the products it fits.
"""

import io
from dataclasses import dataclass
from random import Random

from PIL import Image, ImageDraw
from sqlalchemy import func, insert, select

from torg import storage
from torg.db import session
from torg_shop.domain import pictures
from torg_shop.domain.slugs import slug_of
from torg_shop.models.catalogue import Category, Product, ProductTag, StockLevel
from torg_shop.models.media import Media
from torg_shop.services import catalogue, freshness
from torg_shop.services.media import AREA

_TREE = {
    "Kitchen": {"Tea": ("kettle", "teapot", "cup"), "Cooking": ("pan", "pot", "knife")},
    "Garden": {"Tools": ("spade", "rake", "shears"), "Plants": ("fern", "rose", "maple")},
    "Дом": {"Свет": ("лампа", "торшер", "люстра"), "Текстиль": ("плед", "подушка", "штора")},
    "Office": {"Desk": ("pen", "notebook", "stapler"), "Chairs": ("stool", "armchair", "bench")},
}
_COLOURS = {"red": "#c0392b", "blue": "#2e6da4", "green": "#2f8f4e", "white": "#e8e6df"}
_MATERIALS = ("steel", "oak", "glass", "linen", "clay")
# What it is made of, as Russian says it.
_MADE_OF = {
    "steel": "из стали",
    "oak": "из дуба",
    "glass": "из стекла",
    "linen": "изо льна",
    "clay": "из глины",
}
_TAGS = ("new", "sale", "handmade", "gift", "bestseller", "eco")
_LARGE, _SMALL = (640, 480), (320, 240)
_AT_ONCE = 1000


@dataclass(frozen=True)
class _Kind:
    """A kind of thing and the lowest category it stands in."""

    word: str
    category_id: int


def generate(random: Random, number: int) -> int:
    """Enter so many products with all they have; returns how many."""
    kinds = _categories()
    drawn: dict[tuple[str, str], tuple[str, str]] = {}
    tags = catalogue.tag_ids(_TAGS)
    first = 1 + (session.scalar(select(func.max(Product.id))) or 0)
    for start in range(0, number, _AT_ONCE):
        count = min(_AT_ONCE, number - start)
        _products(random, first + start, count, kinds, drawn, sorted(tags.values()))
    freshness.changed()
    return number


def _categories() -> list[_Kind]:
    kinds = []
    for place, (root, middles) in enumerate(_TREE.items()):
        root_id = _category(root, None, place)
        for inner, (middle, words) in enumerate(middles.items()):
            middle_id = _category(middle, root_id, inner)
            kinds += [
                _Kind(word, _category(word.capitalize(), middle_id, at))
                for at, word in enumerate(words)
            ]
    return kinds


def _category(name: str, parent_id: int | None, position: int) -> int:
    slug = f"demo-{slug_of(name)}"
    found: int | None = session.scalar(
        select(Category.id).where(Category.slug == slug, Category.is_active)
    )
    if found is None:
        values = {"name": name, "slug": slug, "parent_id": parent_id, "position": position}
        found = session.scalar(insert(Category).values(values).returning(Category.id))
    assert found is not None
    return found


def _pictures(random: Random, colour: str, kind: int) -> tuple[str, str]:
    """The keys of a drawn picture and of its small form."""
    image = Image.new("RGB", _LARGE, "#f6f4ee")
    pen = ImageDraw.Draw(image)
    for _ in range(3 + kind % 5):
        x, y, size = random.randint(60, 400), random.randint(40, 260), random.randint(60, 180)
        shape = pen.ellipse if (kind + size) % 2 else pen.rectangle
        shape((x, y, x + size, y + size), fill=_COLOURS[colour], outline="#333333", width=4)
    return _stored(image), _stored(image.resize(_SMALL))


def _stored(image: Image.Image) -> str:
    written = io.BytesIO()
    image.save(written, "WEBP", quality=60, method=0)
    return storage.put(written.getvalue(), pictures.CONTENT_TYPE, AREA)


def _words(thing: str, material: str, colour: str, number: int) -> dict[str, str]:
    """Name and description, in the language of the thing's word."""
    if thing.isascii():
        return {
            "name": f"{material.capitalize()} {thing} {number}",
            "description": f"A {colour} {thing} of {material}. It lasts for years.",
        }
    name = f"{thing.capitalize()} {_MADE_OF[material]} {number}"
    return {"name": name, "description": f"{name}: служит годами."}


def _products(
    random: Random,
    first: int,
    count: int,
    kinds: list[_Kind],
    drawn: dict[tuple[str, str], tuple[str, str]],
    tags: list[int],
) -> None:
    rows, images = [], []
    for number in range(first, first + count):
        kind, colour = random.choice(kinds), random.choice([*_COLOURS])
        material = random.choice(_MATERIALS)
        price, weight = random.randint(199, 49_999), random.randint(50, 5000)
        rows.append(
            {
                **_words(kind.word, material, colour, number),
                "sku": f"DEMO-{number:06}",
                "price_minor": price,
                "currency": "EUR",
                "category_id": kind.category_id,
                "attributes": {"colour": colour, "material": material, "weight_g": weight},
            }
        )
        if (kind.word, colour) not in drawn:
            drawn[kind.word, colour] = _pictures(random, colour, kinds.index(kind))
        images.append(drawn[kind.word, colour])
    made = insert(Product).returning(Product.id, sort_by_parameter_order=True)
    ids = list(session.scalars(made, rows))
    session.execute(
        insert(StockLevel),
        [{"product_id": each, "on_hand": random.randint(0, 60)} for each in ids],
    )
    session.execute(
        insert(ProductTag),
        [
            {"product_id": each, "tag_id": tag}
            for each in ids
            for tag in random.sample(tags, random.randint(1, 3))
        ],
    )
    session.execute(
        insert(Media),
        [
            {"product_id": each, "key": large, "thumbnail_key": small, "alt": row["name"]}
            for each, row, (large, small) in zip(ids, rows, images, strict=True)
        ],
    )
