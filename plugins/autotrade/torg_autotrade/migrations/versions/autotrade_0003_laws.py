"""What holds between rows: facts are final, every price leaves a trace, models match preferences.

The matching is a function, because it decides for all dealers or all models in one statement.
"""

from alembic import op

revision = "autotrade_0003"
down_revision = "autotrade_0002"
branch_labels = None
depends_on = None

_FACTS = ("sale", "supply_deal", "decision", "stock_move", "price_change", "money_move")
_LAWS = """
CREATE FUNCTION autotrade_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: what was recorded there is final', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME;
END $$;

-- A price that was asked is kept, whoever asked it.
CREATE FUNCTION autotrade_note_supplier_price() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' OR NEW.price_minor <> OLD.price_minor THEN
        INSERT INTO autotrade_price_change
            (supplier_id, car_model_id, price_minor, currency, priced_at)
        VALUES (NEW.supplier_id, NEW.car_model_id, NEW.price_minor, NEW.currency, NEW.priced_at);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER autotrade_supplier_price_is_noted AFTER INSERT OR UPDATE ON autotrade_supplier_price
    FOR EACH ROW EXECUTE FUNCTION autotrade_note_supplier_price();

CREATE FUNCTION autotrade_note_dealer_price() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO autotrade_price_change (dealer_id, car_model_id, price_minor, currency, priced_at)
    VALUES (NEW.dealer_id, NEW.car_model_id, NEW.price_minor, NEW.currency,
            coalesce(NEW.priced_at, clock_timestamp()));
    RETURN NULL;
END $$;
CREATE TRIGGER autotrade_dealer_price_is_noted AFTER UPDATE ON autotrade_dealer_stock
    FOR EACH ROW WHEN (NEW.price_minor IS DISTINCT FROM OLD.price_minor
                       AND NEW.price_minor IS NOT NULL)
    EXECUTE FUNCTION autotrade_note_dealer_price();

-- Whether a model is among what lists of characteristics name; a missing or empty list allows all.
CREATE FUNCTION autotrade_allows(p_list jsonb, p_word text) RETURNS boolean
    LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(jsonb_array_length(p_list), 0) = 0 OR jsonb_exists(p_list, p_word)
$$;
CREATE FUNCTION autotrade_matches(p jsonb, m autotrade_car_model) RETURNS boolean
    LANGUAGE sql IMMUTABLE AS $$
    SELECT autotrade_allows(p -> 'makes', m.make)
       AND autotrade_allows(p -> 'models', m.model)
       AND autotrade_allows(p -> 'body_types', m.body_type)
       AND autotrade_allows(p -> 'fuel_types', m.fuel_type)
       AND autotrade_allows(p -> 'transmissions', m.transmission)
       AND autotrade_allows(p -> 'classes', m.car_class)
       AND m.model_year >= coalesce((p ->> 'year_min')::integer, 0)
       AND m.model_year <= coalesce((p ->> 'year_max')::integer, 9999)
$$;

-- Bring the lines of one dealer, of one model, or of all up to their preferences; returns how many
-- lines are new or changed. NULL is all.
CREATE FUNCTION autotrade_match(p_dealer bigint, p_model bigint) RETURNS integer
    LANGUAGE plpgsql AS $$
DECLARE
    v_count integer;
BEGIN
    INSERT INTO autotrade_dealer_stock AS s (dealer_id, car_model_id, currency, is_wanted)
    SELECT d.id, m.id, d.currency,
           d.is_active AND m.is_active AND autotrade_matches(d.preferences, m)
      FROM autotrade_dealer d CROSS JOIN autotrade_car_model m
     WHERE (p_dealer IS NULL OR d.id = p_dealer) AND (p_model IS NULL OR m.id = p_model)
       AND ((d.is_active AND m.is_active AND autotrade_matches(d.preferences, m))
            OR EXISTS (SELECT FROM autotrade_dealer_stock k
                        WHERE k.dealer_id = d.id AND k.car_model_id = m.id AND k.is_wanted))
     ORDER BY m.id, d.id
    ON CONFLICT (dealer_id, car_model_id) DO UPDATE
       SET is_wanted = excluded.is_wanted, updated_at = clock_timestamp()
     WHERE s.is_wanted <> excluded.is_wanted;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
END $$;
"""
_FUNCTIONS = (
    "autotrade_match(bigint, bigint)",
    "autotrade_matches(jsonb, autotrade_car_model)",
    "autotrade_allows(jsonb, text)",
    "autotrade_note_dealer_price()",
    "autotrade_note_supplier_price()",
    "autotrade_refuse_change()",
)


def upgrade() -> None:
    """Put the laws in force."""
    op.execute(_LAWS)
    for fact in _FACTS:
        op.execute(
            f"CREATE TRIGGER autotrade_{fact}_is_final BEFORE UPDATE OR DELETE ON autotrade_{fact}"
            " FOR EACH ROW EXECUTE FUNCTION autotrade_refuse_change()"
        )


def downgrade() -> None:
    """Lift them."""
    for fact in _FACTS:
        op.execute(f"DROP TRIGGER autotrade_{fact}_is_final ON autotrade_{fact}")
    op.execute("DROP TRIGGER autotrade_dealer_price_is_noted ON autotrade_dealer_stock")
    op.execute("DROP TRIGGER autotrade_supplier_price_is_noted ON autotrade_supplier_price")
    for function in _FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}")
