"""Many transfers or voids in one call, judged by the rules of a single one.

What a transfer is judged and written by, once its accounts are locked, becomes a function of its
own (`wallet_post_locked`), which `wallet_post` and `wallet_settle` share.
"""

from alembic import op

revision = "wallet_0006"
down_revision = "wallet_0005"
branch_labels = None
depends_on = None

_LOCKED = """
-- Judge and write a transfer whose accounts are locked since `p_now`.
CREATE FUNCTION wallet_post_locked(p_accounts bigint[], p_amounts bigint[], p_currencies text[],
                                   p_source text, p_purpose text, p_key text, p_fingerprint bytea,
                                   p_external_reference text, p_description text,
                                   p_actor_id bigint, p_reverses bigint, p_hold bigint,
                                   p_closes boolean, p_now timestamptz)
    RETURNS wallet_answer LANGUAGE plpgsql AS $$
DECLARE
    answer wallet_answer;
    v_hold wallet_hold;
    v_debit bigint := 0;
BEGIN
    answer := wallet_known_transfer(p_source, p_key, p_fingerprint);
    IF answer.code IS NOT NULL THEN
        RETURN answer;
    END IF;
    IF p_hold IS NOT NULL THEN
        SELECT * INTO STRICT v_hold FROM wallet_hold WHERE id = p_hold;
        SELECT -minor INTO STRICT v_debit FROM unnest(p_accounts, p_amounts) AS e (id, minor)
         WHERE e.id = v_hold.account_id;
        answer := wallet_hold_objection(v_hold, v_debit, p_now);
        IF answer.code IS NOT NULL THEN
            RETURN answer;
        END IF;
    END IF;
    answer := wallet_objection(p_accounts, p_amounts, p_currencies, v_hold.account_id, v_debit);
    IF answer.code IS NOT NULL THEN
        RETURN answer;
    END IF;
    IF p_reverses IS NOT NULL AND NOT wallet_can_reverse(p_reverses, p_accounts, p_amounts) THEN
        answer.code := 'reversal_exceeded';
        RETURN answer;
    END IF;
    RETURN wallet_write(p_accounts, p_amounts, p_source, p_purpose, p_key, p_fingerprint,
                        p_external_reference, p_description, p_actor_id, p_reverses, p_hold,
                        p_closes, p_now);
END $$;

CREATE OR REPLACE FUNCTION wallet_post(p_accounts bigint[], p_amounts bigint[],
                            p_currencies text[], p_source text, p_purpose text, p_key text,
                            p_fingerprint bytea, p_external_reference text, p_description text,
                            p_actor_id bigint, p_reverses bigint, p_hold bigint, p_closes boolean)
    RETURNS wallet_answer LANGUAGE plpgsql AS $$
DECLARE
    v_now timestamptz;
BEGIN
    v_now := wallet_lock(p_accounts);
    RETURN wallet_post_locked(p_accounts, p_amounts, p_currencies, p_source, p_purpose, p_key,
                              p_fingerprint, p_external_reference, p_description, p_actor_id,
                              p_reverses, p_hold, p_closes, v_now);
END $$;
"""
_MANY = """
CREATE TYPE wallet_settlement AS (
    place integer,
    code text,
    reference text,
    created_at timestamptz
);

-- Many transfers, one after the other, under locks that are taken once, in order of ids.
CREATE FUNCTION wallet_settle(p_items jsonb, p_source text, p_purpose text)
    RETURNS SETOF wallet_settlement LANGUAGE plpgsql AS $$
DECLARE
    each record;
    answer wallet_answer;
    settled wallet_settlement;
    v_now timestamptz;
BEGIN
    SELECT wallet_lock(array_agg(DISTINCT a.account_id::bigint ORDER BY a.account_id::bigint))
      INTO v_now
      FROM jsonb_array_elements(p_items) AS i (item),
           jsonb_array_elements_text(i.item -> 'accounts') AS a (account_id);
    FOR each IN
        SELECT i.place,
               ARRAY(SELECT x::bigint FROM jsonb_array_elements_text(item -> 'accounts') AS x)
                   AS accounts,
               ARRAY(SELECT x::bigint FROM jsonb_array_elements_text(item -> 'amounts') AS x)
                   AS amounts,
               ARRAY(SELECT x FROM jsonb_array_elements_text(item -> 'currencies') AS x)
                   AS currencies,
               item ->> 'key' AS key, decode(item ->> 'fingerprint', 'hex') AS fingerprint,
               item ->> 'external_reference' AS external_reference,
               item ->> 'description' AS description, h.id AS hold_id
          FROM jsonb_array_elements(p_items) WITH ORDINALITY AS i (item, place)
          LEFT JOIN wallet_hold h ON h.reference = i.item ->> 'hold'
         ORDER BY i.place
    LOOP
        answer := wallet_post_locked(
            each.accounts, each.amounts, each.currencies, p_source, p_purpose, each.key,
            each.fingerprint, each.external_reference, each.description, NULL, NULL,
            each.hold_id, each.hold_id IS NOT NULL, v_now);
        settled := (each.place, answer.code, answer.reference, answer.created_at);
        RETURN NEXT settled;
    END LOOP;
END $$;

-- Let go of many holds; returns how many of them were open.
CREATE FUNCTION wallet_void_holds(p_references text[]) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    v_now timestamptz;
    v_count integer;
BEGIN
    SELECT wallet_lock(array_agg(DISTINCT account_id ORDER BY account_id)) INTO v_now
      FROM wallet_hold WHERE reference = ANY (p_references);
    UPDATE wallet_hold
       SET status = CASE WHEN captured_minor > 0 THEN 'captured' ELSE 'voided' END,
           voided_minor = amount_minor - captured_minor, closed_at = v_now, updated_at = v_now
     WHERE reference = ANY (p_references) AND status = 'open';
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
END $$;
"""
_BEFORE = """
CREATE OR REPLACE FUNCTION wallet_post(p_accounts bigint[], p_amounts bigint[], p_currencies text[],
                            p_source text, p_purpose text, p_key text, p_fingerprint bytea,
                            p_external_reference text, p_description text, p_actor_id bigint,
                            p_reverses bigint, p_hold bigint, p_closes boolean)
    RETURNS wallet_answer LANGUAGE plpgsql AS $$
DECLARE
    answer wallet_answer;
    v_hold wallet_hold;
    v_now timestamptz;
    v_debit bigint := 0;
BEGIN
    v_now := wallet_lock(p_accounts);
    answer := wallet_known_transfer(p_source, p_key, p_fingerprint);
    IF answer.code IS NOT NULL THEN
        RETURN answer;
    END IF;
    IF p_hold IS NOT NULL THEN
        SELECT * INTO STRICT v_hold FROM wallet_hold WHERE id = p_hold;
        SELECT -minor INTO STRICT v_debit FROM unnest(p_accounts, p_amounts) AS e (id, minor)
         WHERE e.id = v_hold.account_id;
        answer := wallet_hold_objection(v_hold, v_debit, v_now);
        IF answer.code IS NOT NULL THEN
            RETURN answer;
        END IF;
    END IF;
    answer := wallet_objection(p_accounts, p_amounts, p_currencies, v_hold.account_id, v_debit);
    IF answer.code IS NOT NULL THEN
        RETURN answer;
    END IF;
    IF p_reverses IS NOT NULL AND NOT wallet_can_reverse(p_reverses, p_accounts, p_amounts) THEN
        answer.code := 'reversal_exceeded';
        RETURN answer;
    END IF;
    RETURN wallet_write(p_accounts, p_amounts, p_source, p_purpose, p_key, p_fingerprint,
                        p_external_reference, p_description, p_actor_id, p_reverses, p_hold,
                        p_closes, v_now);
END $$;
"""
_DROPPED = """
DROP FUNCTION wallet_void_holds(text[]);
DROP FUNCTION wallet_settle(jsonb, text, text);
DROP TYPE wallet_settlement;
DROP FUNCTION wallet_post_locked(bigint[], bigint[], text[], text, text, text, bytea, text, text,
    bigint, bigint, bigint, boolean, timestamptz);
"""


def upgrade() -> None:
    """Share the judging, add the two calls."""
    op.execute(_LOCKED)
    op.execute(_MANY)


def downgrade() -> None:
    """As before."""
    op.execute(_BEFORE)
    op.execute(_DROPPED)
