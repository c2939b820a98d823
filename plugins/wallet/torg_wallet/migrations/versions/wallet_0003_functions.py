"""Posting, holding, capturing, voiding, reversing: one statement each, under the accounts' locks.

Every function locks the rows of all accounts it touches in the order of their ids, lets go of their
expired holds, and judges; only when all is well does it write. A refusal is a code in the answer,
not an exception, so that it costs nobody his transaction.
"""

from alembic import op

revision = "wallet_0003"
down_revision = "wallet_0002"
branch_labels = None
depends_on = None

_FUNCTIONS = """
-- How an operation ended: `done`, `replay` or the reason why not, with the facts of that reason.
CREATE TYPE wallet_answer AS (
    code text,
    reference text,
    created_at timestamptz,
    account_id bigint,
    currency char(3),
    minor bigint,
    status text
);

-- A new public name: it does not count and cannot be guessed.
CREATE FUNCTION wallet_reference(p_kind text) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT p_kind || upper(replace(gen_random_uuid()::text, '-', ''))
$$;

-- Lock accounts in id order and let go of what expired on them; returns the clock after the locks.
-- A transaction that comes back for an account below one it has locked does not wait for it: it
-- takes it if it is free, and otherwise starts again as a whole. So waiting goes upwards only, and
-- no two can wait for each other.
CREATE FUNCTION wallet_lock(p_accounts bigint[]) RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
    v_highest bigint :=
        coalesce(nullif(current_setting('torg_wallet.highest', true), '')::bigint, 0);
    v_now timestamptz;
    v_taken integer;
    v_below integer;
BEGIN
    IF v_highest > 0 THEN
        SELECT count(*) INTO v_below FROM wallet_account
         WHERE id = ANY (p_accounts) AND id < v_highest;
        SELECT count(*) INTO v_taken
          FROM (SELECT FROM wallet_account WHERE id = ANY (p_accounts) AND id < v_highest
                 ORDER BY id FOR NO KEY UPDATE SKIP LOCKED) AS taken;
        IF v_taken < v_below THEN
            RAISE EXCEPTION 'an account below one that is locked already is not free'
                USING ERRCODE = 'serialization_failure';
        END IF;
    END IF;
    PERFORM FROM wallet_account WHERE id = ANY (p_accounts) AND id >= v_highest
      ORDER BY id FOR NO KEY UPDATE;
    PERFORM set_config('torg_wallet.highest',
                       (SELECT greatest(v_highest, max(id)) FROM unnest(p_accounts) AS asked (id))
                           ::text, true);
    v_now := clock_timestamp();
    UPDATE wallet_hold
       SET status = CASE WHEN captured_minor > 0 THEN 'captured' ELSE 'expired' END,
           voided_minor = amount_minor - captured_minor, closed_at = v_now, updated_at = v_now
     WHERE account_id = ANY (p_accounts) AND status = 'open' AND expires_at <= v_now;
    RETURN v_now;
END $$;

-- Let go of expired holds, of at most so many accounts; returns how many accounts.
CREATE FUNCTION wallet_expire_holds(p_limit integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    v_account bigint;
    v_count integer := 0;
BEGIN
    FOR v_account IN
        SELECT due.account_id
          FROM (SELECT DISTINCT account_id FROM wallet_hold
                 WHERE status = 'open' AND expires_at <= clock_timestamp() LIMIT p_limit) AS due
         ORDER BY 1
    LOOP
        PERFORM wallet_lock(ARRAY[v_account]);
        v_count := v_count + 1;
    END LOOP;
    RETURN v_count;
END $$;

-- What a key stands for already: `replay`, `key_reused`, or nothing.
CREATE FUNCTION wallet_known_transfer(p_source text, p_key text, p_fingerprint bytea)
    RETURNS wallet_answer LANGUAGE plpgsql AS $$
DECLARE
    answer wallet_answer;
    v_found wallet_transfer;
BEGIN
    SELECT * INTO v_found FROM wallet_transfer
     WHERE source = p_source AND idempotency_key = p_key;
    IF FOUND THEN
        answer.code := CASE WHEN v_found.fingerprint = p_fingerprint
            THEN 'replay' ELSE 'key_reused' END;
        answer.reference := v_found.reference;
        answer.created_at := v_found.created_at;
    END IF;
    RETURN answer;
END $$;

-- Which account is missing, of another currency, or short of money; nothing when all is well.
-- `p_released` is what the hold that is being captured lets go of on account `p_held`.
CREATE FUNCTION wallet_objection(p_accounts bigint[], p_amounts bigint[], p_currencies text[],
                                 p_held bigint, p_released bigint)
    RETURNS wallet_answer LANGUAGE plpgsql AS $$
DECLARE
    answer wallet_answer;
    each record;
BEGIN
    FOR each IN
        SELECT e.account_id, e.minor, e.wanted, a.id, a.currency, a.overdraft_limit_minor,
               abs(a.posted_minor::numeric + e.minor) > 9223372036854775807 AS is_too_large,
               a.posted_minor::numeric - a.pending_minor
                   + CASE WHEN a.id = p_held THEN p_released ELSE 0 END AS available
          FROM unnest(p_accounts, p_amounts, p_currencies) AS e (account_id, minor, wanted)
          LEFT JOIN wallet_account a ON a.id = e.account_id AND a.is_active
         ORDER BY e.account_id
    LOOP
        answer.account_id := each.account_id;
        answer.currency := each.currency;
        IF each.id IS NULL THEN
            answer.code := 'account_not_found';
            RETURN answer;
        ELSIF each.currency <> each.wanted THEN
            answer.code := 'wrong_currency';
            RETURN answer;
        ELSIF each.minor < 0 AND each.available + each.minor < -each.overdraft_limit_minor THEN
            answer.code := 'insufficient_funds';
            answer.minor := each.available;
            RETURN answer;
        ELSIF each.is_too_large THEN
            answer.code := 'out_of_range';
            RETURN answer;
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

-- Why this much of a hold cannot be taken; nothing when it can.
CREATE FUNCTION wallet_hold_objection(p_hold wallet_hold, p_minor bigint, p_now timestamptz)
    RETURNS wallet_answer LANGUAGE plpgsql AS $$
DECLARE
    answer wallet_answer;
BEGIN
    answer.status := p_hold.status;
    answer.currency := p_hold.currency;
    answer.minor := p_hold.amount_minor - p_hold.captured_minor - p_hold.voided_minor;
    IF p_hold.status <> 'open' OR p_hold.expires_at <= p_now THEN
        answer.code := 'hold_closed';
    ELSIF p_minor > answer.minor THEN
        answer.code := 'hold_exceeded';
    END IF;
    RETURN answer;
END $$;

-- Whether these entries are at most what is left to reverse of a transfer.
CREATE FUNCTION wallet_can_reverse(p_reverses bigint, p_accounts bigint[], p_amounts bigint[])
    RETURNS boolean LANGUAGE sql AS $$
    SELECT coalesce(bool_and(
               o.id IS NOT NULL AND t.reverses_id IS NULL
               AND e.minor + coalesce(r.reversed_minor, 0)
                   BETWEEN least(0, -o.amount_minor) AND greatest(0, -o.amount_minor)), false)
      FROM unnest(p_accounts, p_amounts) AS e (account_id, minor)
      LEFT JOIN wallet_entry o ON o.transfer_id = p_reverses AND o.account_id = e.account_id
      LEFT JOIN wallet_transfer t ON t.id = o.transfer_id
      LEFT JOIN wallet_reversed r
             ON r.transfer_id = p_reverses AND r.account_id = e.account_id
$$;

-- Write a transfer that was judged to be right; nothing is written when its key or its external
-- reference was taken in this very moment.
CREATE FUNCTION wallet_write(p_accounts bigint[], p_amounts bigint[], p_source text,
                             p_purpose text, p_key text, p_fingerprint bytea,
                             p_external_reference text, p_description text, p_actor_id bigint,
                             p_reverses bigint, p_hold bigint, p_closes boolean, p_now timestamptz)
    RETURNS wallet_answer LANGUAGE plpgsql AS $$
DECLARE
    answer wallet_answer;
    v_id bigint;
BEGIN
    INSERT INTO wallet_transfer (reference, purpose, source, external_reference,
                                 idempotency_key, fingerprint, entry_count, reverses_id,
                                 hold_id, actor_id, description, created_at)
    VALUES (wallet_reference('TR'), p_purpose, p_source, p_external_reference, p_key, p_fingerprint,
            cardinality(p_accounts), p_reverses, p_hold, p_actor_id, p_description, p_now)
    ON CONFLICT DO NOTHING
    RETURNING id, reference, created_at INTO v_id, answer.reference, answer.created_at;
    IF v_id IS NULL THEN
        answer := wallet_known_transfer(p_source, p_key, p_fingerprint);
        answer.code := coalesce(answer.code, 'duplicate_reference');
        RETURN answer;
    END IF;
    -- What is pending goes first: posted less pending is never below its bound on the way.
    IF p_hold IS NOT NULL THEN
        UPDATE wallet_hold h
           SET captured_minor = h.captured_minor - debit.minor,
               voided_minor = CASE WHEN p_closes
                   THEN h.amount_minor - h.captured_minor + debit.minor ELSE 0 END,
               status = CASE WHEN p_closes OR h.captured_minor - debit.minor = h.amount_minor
                   THEN 'captured' ELSE 'open' END,
               closed_at = CASE WHEN p_closes OR h.captured_minor - debit.minor = h.amount_minor
                   THEN p_now END,
               updated_at = p_now
          FROM unnest(p_accounts, p_amounts) AS debit (account_id, minor)
         WHERE h.id = p_hold AND debit.account_id = h.account_id;
    END IF;
    INSERT INTO wallet_entry (transfer_id, account_id, currency, amount_minor,
                              balance_after_minor, account_version, created_at)
    SELECT v_id, a.id, a.currency, e.minor, a.posted_minor + e.minor, a.version + 1, p_now
      FROM unnest(p_accounts, p_amounts) AS e (account_id, minor)
      JOIN wallet_account a ON a.id = e.account_id
     ORDER BY a.id;
    answer.code := 'done';
    RETURN answer;
END $$;

-- Put a transfer into the books. With `p_hold` the entry of the held account is what is captured;
-- with `p_reverses` it moves money of that transfer back.
CREATE FUNCTION wallet_post(p_accounts bigint[], p_amounts bigint[], p_currencies text[],
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

-- Set money aside.
CREATE FUNCTION wallet_place_hold(p_account_id bigint, p_minor bigint, p_currency text,
                                  p_source text, p_purpose text, p_key text, p_fingerprint bytea,
                                  p_description text, p_expires_at timestamptz)
    RETURNS wallet_answer LANGUAGE plpgsql AS $$
DECLARE
    answer wallet_answer;
    v_now timestamptz;
    v_known wallet_hold;
BEGIN
    v_now := wallet_lock(ARRAY[p_account_id]);
    answer := wallet_objection(ARRAY[p_account_id], ARRAY[-p_minor], ARRAY[p_currency], NULL, 0);
    INSERT INTO wallet_hold (reference, account_id, currency, amount_minor, source, purpose,
                             description, idempotency_key, fingerprint, expires_at,
                             created_at, updated_at)
    SELECT wallet_reference('HD'), p_account_id, p_currency, p_minor, p_source, p_purpose,
           p_description, p_key, p_fingerprint, p_expires_at, v_now, v_now
     WHERE answer.code IS NULL AND coalesce(p_expires_at, 'infinity') > v_now
    ON CONFLICT DO NOTHING
    RETURNING reference INTO answer.reference;
    IF answer.reference IS NOT NULL THEN
        answer.code := 'done';
        RETURN answer;
    END IF;
    SELECT * INTO v_known FROM wallet_hold WHERE source = p_source AND idempotency_key = p_key;
    IF FOUND THEN
        answer.reference := v_known.reference;
        answer.code := CASE WHEN v_known.fingerprint = p_fingerprint
            THEN 'replay' ELSE 'key_reused' END;
    END IF;
    answer.code := coalesce(answer.code, 'expiry_passed');
    RETURN answer;
END $$;

-- Let go of what is still held.
CREATE FUNCTION wallet_void_hold(p_reference text) RETURNS wallet_answer LANGUAGE plpgsql AS $$
DECLARE
    answer wallet_answer;
    v_hold wallet_hold;
    v_now timestamptz;
BEGIN
    SELECT * INTO v_hold FROM wallet_hold WHERE reference = p_reference;
    IF NOT FOUND THEN
        answer.code := 'hold_not_found';
        RETURN answer;
    END IF;
    v_now := wallet_lock(ARRAY[v_hold.account_id]);
    UPDATE wallet_hold
       SET status = CASE WHEN captured_minor > 0 THEN 'captured' ELSE 'voided' END,
           voided_minor = amount_minor - captured_minor, closed_at = v_now, updated_at = v_now
     WHERE reference = p_reference AND status = 'open';
    answer.code := CASE WHEN FOUND THEN 'done' ELSE 'replay' END;
    SELECT status INTO answer.status FROM wallet_hold WHERE reference = p_reference;
    IF answer.code = 'replay' AND answer.status = 'captured' THEN
        answer.code := 'hold_closed';
    END IF;
    RETURN answer;
END $$;
"""
_DROPPED = """
DROP FUNCTION wallet_void_hold(text);
DROP FUNCTION wallet_place_hold(
    bigint, bigint, text, text, text, text, bytea, text, timestamptz);
DROP FUNCTION wallet_post(bigint[], bigint[], text[], text, text, text, bytea, text, text, bigint,
    bigint, bigint, boolean);
DROP FUNCTION wallet_write(bigint[], bigint[], text, text, text, bytea, text, text, bigint, bigint,
    bigint, boolean, timestamptz);
DROP FUNCTION wallet_can_reverse(bigint, bigint[], bigint[]);
DROP FUNCTION wallet_hold_objection(wallet_hold, bigint, timestamptz);
DROP FUNCTION wallet_objection(bigint[], bigint[], text[], bigint, bigint);
DROP FUNCTION wallet_known_transfer(text, text, bytea);
DROP FUNCTION wallet_expire_holds(integer);
DROP FUNCTION wallet_lock(bigint[]);
DROP FUNCTION wallet_reference(text);
DROP TYPE wallet_answer;
"""


def upgrade() -> None:
    """Create the functions and the row they answer with."""
    op.execute(_FUNCTIONS)


def downgrade() -> None:
    """Drop them."""
    op.execute(_DROPPED)
