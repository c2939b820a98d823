"""What lists show is written down beforehand, and is always what the parts of a product say."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from torg import db
from torg.testing_processes import eventually
from torg_shop.queries import products, ready_products
from torg_shop.schemas import catalogue as shapes

_KEY = "shop.media/00/" + "0" * 31
# Each changes one kind of part; `:n` picks a row, `:word` is any text.
CHANGES = {
    "name": "UPDATE shop_product SET name = :word WHERE id % 3 = :n",
    "description": "UPDATE shop_product SET description = :word WHERE id % 3 = :n",
    "attributes": "UPDATE shop_product SET attributes ="
    " jsonb_build_object(:word, to_jsonb(:n), 'text', :word, 'truth', :n = 1, 'half', :n + 0.5)"
    " WHERE id % 3 = :n",
    "category": "UPDATE shop_product SET category_id = NULLIF((SELECT min(id) FROM shop_category)"
    " * (:n % 2), 0) WHERE id % 3 = :n",
    "category name": "UPDATE shop_category SET name = :word WHERE id % 2 = :n % 2",
    "tags put": "INSERT INTO shop_product_tag SELECT p.id, t.id FROM shop_product p, shop_tag t"
    " WHERE p.id % 3 = :n ON CONFLICT DO NOTHING",
    "tag name": "UPDATE shop_tag SET name = :word || id WHERE id % 3 = :n",
    "tags taken": "DELETE FROM shop_product_tag"
    " WHERE (product_id + tag_id) % 3 = :n AND product_id % 2 = 0",
    "tag put away": "UPDATE shop_tag SET is_active = NOT is_active WHERE id % 3 = :n",
    "picture": "INSERT INTO shop_media (product_id, key, alt, position)"
    f" SELECT id, '{_KEY}' || :n, :word, :n FROM shop_product WHERE id % 3 = :n",
    "small picture": f"UPDATE shop_media SET thumbnail_key = '{_KEY}' || 9 WHERE id % 3 = :n",
    "picture gone": "DELETE FROM shop_media WHERE (id + product_id) % 3 = :n"
    " AND product_id % 2 = 0",
    "picture put away": "UPDATE shop_media SET is_active = false WHERE id % 3 = :n",
    "new product": "INSERT INTO shop_product (name, sku, price_minor, currency, created_at)"
    " SELECT :word, 'S' || count(*), :n, (ARRAY['EUR', 'JPY', 'BHD'])[:n + 1],"
    " '2026-01-01T00:00:00Z'::timestamptz + :n * interval '100 ms' FROM shop_product",
    "price": "UPDATE shop_product SET price_minor = price_minor + :n",
    "stock": "INSERT INTO shop_stock_level (product_id, on_hand) SELECT id, :n FROM shop_product"
    " ON CONFLICT (product_id) DO UPDATE SET on_hand = EXCLUDED.on_hand",
    "removed": "UPDATE shop_product SET is_active = NOT is_active WHERE id % 3 = :n",
}
_BEGIN = """
INSERT INTO shop_category (name, slug) SELECT 'c' || n, 'c-' || n FROM generate_series(1, 2) n;
INSERT INTO shop_tag (name) SELECT 't' || n FROM generate_series(1, 4) n;
INSERT INTO shop_product (name, sku, price_minor, currency, category_id)
SELECT 'p' || n, 'P' || n, n, 'EUR', (SELECT min(id) FROM shop_category)
  FROM generate_series(1, 5) n;
"""
_WORDS = st.one_of(
    st.sampled_from(['"', "\\", "\x1f", "a\x1fb", "</script>", "й", "\u2028", "🜂", "{", "\x7f\t"]),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1),
).map(lambda word: word[:60])


def begun(shop):
    shop.work(lambda: [db.session.execute(text(each)) for each in _BEGIN.split(";\n") if each])
    return shop


@pytest.fixture(scope="module")
def catalogue(make_shop):
    """A shop with a few products that are changed past every service."""
    return begun(make_shop())


@pytest.fixture
def filled(fresh):
    """The same, for one test."""
    return begun(fresh)


def shown(shop):
    """What the list shows, and what the columns of the same products say."""

    def both():
        rows = db.session.execute(products.SHOWN.order_by(products.Product.id.desc())).all()
        said = shapes.Product(many=True).dumps(products.shown(rows[:100]))
        arguments = {"sort": ("-id",), "limit": 100}
        listed = ready_products.page(arguments)["items"]
        return orjson.loads(orjson.dumps(listed)), orjson.loads(said)

    return shop.work(both)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(CHANGES)), st.integers(0, 2), _WORDS),
        min_size=1,
        max_size=8,
    )
)
def test_after_any_changes_lists_show_what_the_columns_say(catalogue, changes):
    catalogue.work(lambda: [change(*each)() for each in changes])
    listed, said = shown(catalogue)
    assert listed == said


def change(name, number, word):
    statement = text(CHANGES[name])
    values = {"n": number, "word": word}
    used = {each: values[each] for each in statement.compile().params}
    return lambda: db.session.execute(statement, used)


def test_every_kind_of_change_is_told_by_the_lists(filled):
    told = set()
    before, _ = shown(filled)
    for name in CHANGES:
        for number in range(3):
            filled.work(change(name, number, f"{name} {number}"))
        after, said = shown(filled)
        assert after == said, name
        told |= {name} if after != before else set()
        before = after
    assert told == {*CHANGES}


def test_a_product_whose_text_is_lost_is_shown_all_the_same(filled):
    filled.work(
        lambda: db.session.execute(text("DELETE FROM shop_product_ready WHERE product_id > 2"))
    )
    listed, said = shown(filled)
    assert len(listed) == 5
    assert listed == said


_NAME, _TAGGED = (
    "UPDATE shop_category SET name = :word WHERE id = (SELECT min(id) FROM shop_category)",
    """INSERT INTO shop_product_tag SELECT p.id, t.id FROM shop_product p, shop_tag t
        WHERE t.name = :word""",
)
_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
_GUARD = "PERFORM 1 FROM shop_product WHERE id = ANY (ids) ORDER BY id FOR NO KEY UPDATE;"


def both_at_once(shop, word):
    """Tag every product, and rename their category before the tagging has ended."""
    insert = "INSERT INTO shop_tag (name) VALUES (:word)"
    shop.work(lambda: db.session.execute(text(insert), {"word": word}))
    tagged, named = threading.Event(), threading.Event()

    def tag():
        def act():
            db.session.execute(text(_TAGGED), {"word": word})
            tagged.set()
            named.wait(10)

        shop.work(act)

    def rename():
        tagged.wait(10)
        shop.work(lambda: db.session.execute(text(_NAME), {"word": word}))

    threads = [threading.Thread(target=each) for each in (tag, rename)]
    for each in threads:
        each.start()
    eventually(lambda: shop.work(lambda: db.session.scalar(text(_WAITING))) == 1)
    named.set()
    for each in threads:
        each.join(20)


def test_two_parts_changed_at_once_are_both_shown(filled):
    both_at_once(filled, "guarded")
    listed, said = shown(filled)
    assert listed == said
    # The control: without the products' locks the second one never sees what the first one did.
    asked = text("SELECT pg_get_functiondef('shop_make_ready'::regproc)")
    written = filled.work(lambda: db.session.scalar(asked))
    assert _GUARD in written
    unguarded = written.replace(_GUARD, "")
    filled.work(lambda: db.session.connection().exec_driver_sql(unguarded))
    both_at_once(filled, "unguarded")
    listed, said = shown(filled)
    assert listed != said


# What changing the tags of a product does, and what renaming one of them does meanwhile.
_HELD, _TAKEN, _RENAMED = (
    "SELECT 1 FROM shop_product WHERE id = 1 FOR NO KEY UPDATE",
    "INSERT INTO shop_tag (name) VALUES ('t1') ON CONFLICT (name) DO UPDATE SET is_active = true",
    "UPDATE shop_tag SET name = name || '!' WHERE id = 1",
)


def cross(shop, run):
    """Do both at once, each holding what the other one waits for; what became of them."""
    held = threading.Event()

    def change():
        db.session.execute(text(_HELD))
        held.set()
        # The second time nobody may be waiting any more.
        with contextlib.suppress(AssertionError):
            eventually(lambda: shop.work(lambda: db.session.scalar(text(_WAITING))) > 0, seconds=3)
        db.session.execute(text(_TAKEN))

    def rename():
        held.wait(10)
        db.session.execute(text(_RENAMED))

    with ThreadPoolExecutor(2) as pool:
        acts = [pool.submit(run, each) for each in (change, rename)]
    return [each.exception() for each in acts]


def test_a_tag_renamed_while_a_product_takes_it_fails_nobody(filled):
    filled.work(lambda: db.session.execute(text("INSERT INTO shop_product_tag VALUES (1, 1)")))
    assert cross(filled, filled.work) == [None, None]
    listed, said = shown(filled)
    assert listed == said
    assert "t1!" in listed[-1]["tags"]

    # The control: what the database breaks up is not begun again.
    def once(act):
        with db.unit_of_work(app=filled.app):
            act()

    filled.work(lambda: db.session.execute(text("UPDATE shop_tag SET name = 't1' WHERE id = 1")))
    (broken,) = [each for each in cross(filled, once) if each is not None]
    assert "deadlock detected" in str(broken)
