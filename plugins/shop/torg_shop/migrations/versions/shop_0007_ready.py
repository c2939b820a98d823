"""What lists show of a product, written down as JSON whenever one of its parts changes.

A list of fifty then reads fifty texts, where it put together tags, pictures and characteristics of
each product anew. Triggers write the text, so that no way of changing a part can forget it. Keys of
files stand between unit separators (U+001F), which JSON never holds: links to them are made when
they are shown. Price and stock are not in it: the one is written by the currency's scale, the other
changes with every order.
"""

from alembic import op

revision = "shop_0007"
down_revision = "shop_0006"
branch_labels = None
depends_on = None

_TABLE = """
CREATE TABLE shop_product_ready (
    product_id BIGINT NOT NULL,
    json TEXT NOT NULL,
    CONSTRAINT pk_shop_product_ready PRIMARY KEY (product_id),
    CONSTRAINT fk_shop_product_ready_product_id FOREIGN KEY(product_id) REFERENCES shop_product
        (id) ON DELETE CASCADE
);
"""
# The text is an object without its closing brace; what is not in it is added behind.
_JSON = r"""
CREATE FUNCTION shop_ready_json(p shop_product) RETURNS text LANGUAGE sql STABLE AS $$
SELECT '{"id":' || p.id || ',"name":' || to_json(p.name)
    || ',"description":' || to_json(p.description) || ',"sku":' || to_json(p.sku)
    || ',"category":' || coalesce((
        SELECT '{"id":' || c.id || ',"name":' || to_json(c.name) || '}'
          FROM shop_category c WHERE c.id = p.category_id), 'null')
    || ',"tags":' || coalesce((
        SELECT json_agg(t.name ORDER BY t.name)::text
          FROM shop_product_tag pt JOIN shop_tag t ON t.id = pt.tag_id
         WHERE pt.product_id = p.id AND t.is_active), '[]')
    || ',"attributes":' || p.attributes
    || ',"media":[' || coalesce((
        SELECT string_agg(
            '{"id":' || m.id || ',"kind":' || to_json(m.kind) || ',"alt":' || to_json(m.alt)
            || ',"position":' || m.position || ',"url":' || chr(31) || m.key || chr(31)
            || ',"thumbnail_url":' || chr(31) || coalesce(m.thumbnail_key, m.key) || chr(31)
            || '}', ',' ORDER BY m.position, m.id)
          FROM shop_media m WHERE m.product_id = p.id AND m.is_active), '')
    || '],"created_at":"' || replace(to_char(p.created_at AT TIME ZONE 'UTC',
        'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000Z', 'Z') || '"'
$$;
"""
# The products are locked first and read by a statement of its own: two that change different parts
# of one product at the same time each see what the other did.
_MAKE = """
CREATE FUNCTION shop_make_ready(ids BIGINT[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF cardinality(ids) = 0 THEN
        RETURN;
    END IF;
    PERFORM 1 FROM shop_product WHERE id = ANY (ids) ORDER BY id FOR NO KEY UPDATE;
    INSERT INTO shop_product_ready (product_id, json)
    SELECT p.id, shop_ready_json(p) FROM shop_product p WHERE p.id = ANY (ids)
    ON CONFLICT (product_id) DO UPDATE SET json = EXCLUDED.json
     WHERE shop_product_ready.json <> EXCLUDED.json;
END $$;
"""
# Which products a statement has changed, by the rows before and after it.
_FOUND = {
    "shop_ready_new": "SELECT array_agg(id) FROM after",
    "shop_ready_changed": """SELECT array_agg(id) FROM after JOIN before USING (id)
     WHERE (after.name, after.description, after.sku, after.category_id, after.attributes)
        IS DISTINCT FROM
        (before.name, before.description, before.sku, before.category_id, before.attributes)""",
    "shop_ready_part_put": "SELECT array_agg(DISTINCT product_id) FROM after",
    "shop_ready_part_taken": "SELECT array_agg(DISTINCT product_id) FROM before",
    "shop_ready_tag": """SELECT array_agg(DISTINCT pt.product_id)
      FROM after JOIN before USING (id) JOIN shop_product_tag pt ON pt.tag_id = after.id
     WHERE (after.name, after.is_active) <> (before.name, before.is_active)""",
    "shop_ready_category": """SELECT array_agg(p.id)
      FROM after JOIN before USING (id) JOIN shop_product p ON p.category_id = after.id
     WHERE after.name <> before.name""",
}
_NEW, _OLD = "NEW TABLE AS after", "OLD TABLE AS before"
_TRIGGERS = (
    ("shop_product", "INSERT", _NEW, "shop_ready_new"),
    ("shop_product", "UPDATE", f"{_NEW} {_OLD}", "shop_ready_changed"),
    ("shop_product_tag", "INSERT", _NEW, "shop_ready_part_put"),
    ("shop_product_tag", "DELETE", _OLD, "shop_ready_part_taken"),
    ("shop_media", "INSERT", _NEW, "shop_ready_part_put"),
    ("shop_media", "UPDATE", _NEW, "shop_ready_part_put"),
    ("shop_media", "DELETE", _OLD, "shop_ready_part_taken"),
    ("shop_tag", "UPDATE", f"{_NEW} {_OLD}", "shop_ready_tag"),
    ("shop_category", "UPDATE", f"{_NEW} {_OLD}", "shop_ready_category"),
)


def upgrade() -> None:
    """Write down what there is, and from now on what changes."""
    for words in (_TABLE, _JSON, _MAKE):
        op.execute(words)
    # All that follows is made of the constants above.
    for name, found in _FOUND.items():
        op.execute(f"""
CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM shop_make_ready(coalesce(({found}), '{{}}'));
    RETURN NULL;
END $$""")
    for table, event, rows, name in _TRIGGERS:
        op.execute(f"""
CREATE TRIGGER {table}_ready_{event.lower()} AFTER {event} ON {table}
    REFERENCING {rows} FOR EACH STATEMENT EXECUTE FUNCTION {name}()""")
    op.execute("""
INSERT INTO shop_product_ready (product_id, json)
SELECT p.id, shop_ready_json(p) FROM shop_product p""")


def downgrade() -> None:
    """Put it together anew for each list, as before."""
    for table, event, _rows, _name in _TRIGGERS:
        op.execute(f"DROP TRIGGER {table}_ready_{event.lower()} ON {table}")
    for name in _FOUND:
        op.execute(f"DROP FUNCTION {name}()")
    op.execute("DROP FUNCTION shop_make_ready(BIGINT[])")
    op.execute("DROP FUNCTION shop_ready_json(shop_product)")
    op.drop_table("shop_product_ready")
