"""The laws of the books as triggers: whatever the application does, these hold.

Transfers and entries are facts, never changed or removed. Balances are moved by the facts
themselves: inserting an entry advances its account, a hold moves what is pending, and nothing else
can. That the entries of a transfer sum to zero is judged at commit, when all of them are there.
"""

from alembic import op

revision = "wallet_0002"
down_revision = "wallet_0001"
branch_labels = None
depends_on = None

_LAWS = """
CREATE FUNCTION wallet_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: the books are only ever added to', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME;
END $$;

CREATE TRIGGER wallet_transfer_is_final BEFORE UPDATE OR DELETE ON wallet_transfer
    FOR EACH ROW EXECUTE FUNCTION wallet_refuse_change();
CREATE TRIGGER wallet_transfer_stays BEFORE TRUNCATE ON wallet_transfer
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_refuse_change();
CREATE TRIGGER wallet_entry_is_final BEFORE UPDATE OR DELETE ON wallet_entry
    FOR EACH ROW EXECUTE FUNCTION wallet_refuse_change();
CREATE TRIGGER wallet_entry_stays BEFORE TRUNCATE ON wallet_entry
    FOR EACH STATEMENT EXECUTE FUNCTION wallet_refuse_change();
CREATE TRIGGER wallet_account_stays BEFORE DELETE ON wallet_account
    FOR EACH ROW EXECUTE FUNCTION wallet_refuse_change();
CREATE TRIGGER wallet_hold_stays BEFORE DELETE ON wallet_hold
    FOR EACH ROW EXECUTE FUNCTION wallet_refuse_change();
CREATE TRIGGER wallet_reversed_stays BEFORE DELETE ON wallet_reversed
    FOR EACH ROW EXECUTE FUNCTION wallet_refuse_change();

-- A transfer has as many entries as it says, and they sum to zero in every currency.
CREATE FUNCTION wallet_require_balance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_transfer_id bigint;
    v_expected integer;
    v_count integer;
    v_wrong text;
BEGIN
    v_transfer_id := CASE WHEN TG_TABLE_NAME = 'wallet_transfer'
        THEN (to_jsonb(NEW) ->> 'id')::bigint ELSE (to_jsonb(NEW) ->> 'transfer_id')::bigint END;
    SELECT entry_count INTO STRICT v_expected FROM wallet_transfer WHERE id = v_transfer_id;
    SELECT sum(part.number), min(part.currency) FILTER (WHERE part.total <> 0)
      INTO v_count, v_wrong
      FROM (SELECT currency, count(*) AS number, sum(amount_minor) AS total
              FROM wallet_entry WHERE transfer_id = v_transfer_id GROUP BY currency) AS part;
    IF v_wrong IS NOT NULL OR v_count IS DISTINCT FROM v_expected THEN
        RAISE EXCEPTION 'transfer % does not balance', v_transfer_id
            USING ERRCODE = 'check_violation', TABLE = TG_TABLE_NAME,
                  CONSTRAINT = 'transfer_balances';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER wallet_transfer_balances AFTER INSERT ON wallet_transfer
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wallet_require_balance();
CREATE CONSTRAINT TRIGGER wallet_entry_balances AFTER INSERT ON wallet_entry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wallet_require_balance();

-- An entry advances its account by exactly one step, and counts towards what it reverses.
CREATE FUNCTION wallet_advance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_reverses_id bigint;
    v_original bigint;
BEGIN
    UPDATE wallet_account
       SET posted_minor = NEW.balance_after_minor, version = NEW.account_version,
           updated_at = clock_timestamp()
     WHERE id = NEW.account_id AND version = NEW.account_version - 1
       AND posted_minor + NEW.amount_minor = NEW.balance_after_minor;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'entry % of account % is not the next one',
            NEW.account_version, NEW.account_id
            USING ERRCODE = 'check_violation', TABLE = 'wallet_entry',
                  CONSTRAINT = 'entry_is_next';
    END IF;
    SELECT reverses_id INTO v_reverses_id FROM wallet_transfer WHERE id = NEW.transfer_id;
    IF v_reverses_id IS NOT NULL THEN
        SELECT e.amount_minor INTO v_original
          FROM wallet_entry e JOIN wallet_transfer t ON t.id = e.transfer_id
         WHERE e.transfer_id = v_reverses_id AND e.account_id = NEW.account_id
           AND t.reverses_id IS NULL;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'transfer % has no entry of account % to reverse',
                v_reverses_id, NEW.account_id
                USING ERRCODE = 'check_violation', TABLE = 'wallet_entry',
                      CONSTRAINT = 'reversal_mirrors';
        END IF;
        INSERT INTO wallet_reversed AS sum
            (transfer_id, account_id, original_minor, reversed_minor)
        VALUES (v_reverses_id, NEW.account_id, v_original, NEW.amount_minor)
        ON CONFLICT (transfer_id, account_id)
            DO UPDATE SET reversed_minor = sum.reversed_minor + NEW.amount_minor;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER wallet_entry_advances AFTER INSERT ON wallet_entry
    FOR EACH ROW EXECUTE FUNCTION wallet_advance();

-- What is reversed is counted by the entries alone.
CREATE FUNCTION wallet_guard_reversed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_trigger_depth() < 2 THEN
        RAISE EXCEPTION 'what is reversed moves only with an entry'
            USING ERRCODE = 'check_violation', TABLE = 'wallet_reversed',
                  CONSTRAINT = 'reversed_follows_entries';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER wallet_reversed_follows_entries BEFORE INSERT OR UPDATE ON wallet_reversed
    FOR EACH ROW EXECUTE FUNCTION wallet_guard_reversed();

-- A hold moves what is pending on its account.
CREATE FUNCTION wallet_set_aside() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_difference bigint := NEW.amount_minor - NEW.captured_minor - NEW.voided_minor;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        v_difference := v_difference - (OLD.amount_minor - OLD.captured_minor - OLD.voided_minor);
    END IF;
    UPDATE wallet_account
       SET pending_minor = pending_minor + v_difference, updated_at = clock_timestamp()
     WHERE id = NEW.account_id;
    RETURN NULL;
END $$;

CREATE TRIGGER wallet_hold_sets_aside AFTER INSERT OR UPDATE ON wallet_hold
    FOR EACH ROW EXECUTE FUNCTION wallet_set_aside();

-- A hold closes once; it captures only while it is open and has not expired.
CREATE FUNCTION wallet_guard_hold() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    is_right boolean;
BEGIN
    IF TG_OP = 'INSERT' THEN
        is_right := NEW.status = 'open' AND NEW.captured_minor = 0 AND NEW.voided_minor = 0;
    ELSE
        is_right := OLD.status = 'open'
            AND (NEW.id, NEW.reference, NEW.account_id, NEW.currency, NEW.amount_minor, NEW.source,
                 NEW.purpose, NEW.idempotency_key, NEW.created_at)
              = (OLD.id, OLD.reference, OLD.account_id, OLD.currency, OLD.amount_minor, OLD.source,
                 OLD.purpose, OLD.idempotency_key, OLD.created_at)
            AND NEW.expires_at IS NOT DISTINCT FROM OLD.expires_at
            AND NEW.captured_minor >= OLD.captured_minor
            AND (NEW.captured_minor = OLD.captured_minor
                 OR NEW.updated_at < coalesce(OLD.expires_at, 'infinity'));
    END IF;
    IF is_right IS NOT TRUE THEN
        RAISE EXCEPTION 'hold % does not move like this', NEW.reference
            USING ERRCODE = 'check_violation', TABLE = 'wallet_hold',
                  CONSTRAINT = 'hold_closes_once';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER wallet_hold_closes_once BEFORE INSERT OR UPDATE ON wallet_hold
    FOR EACH ROW EXECUTE FUNCTION wallet_guard_hold();

-- Balances are only ever what entries and holds make of them.
CREATE FUNCTION wallet_guard_account() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    is_right boolean := true;
BEGIN
    IF TG_OP = 'INSERT' THEN
        is_right := NEW.posted_minor = 0 AND NEW.pending_minor = 0 AND NEW.version = 0;
    ELSE
        IF (NEW.posted_minor, NEW.version) <> (OLD.posted_minor, OLD.version) THEN
            is_right := NEW.version = OLD.version + 1
                AND EXISTS (SELECT FROM wallet_entry e
                             WHERE e.account_id = NEW.id AND e.account_version = NEW.version
                               AND e.balance_after_minor = NEW.posted_minor);
        END IF;
        is_right := is_right
            AND (NEW.pending_minor = OLD.pending_minor OR pg_trigger_depth() > 1)
            AND (NEW.id, NEW.code, NEW.kind, NEW.currency)
              = (OLD.id, OLD.code, OLD.kind, OLD.currency)
            AND NEW.owner_id IS NOT DISTINCT FROM OLD.owner_id;
    END IF;
    IF is_right IS NOT TRUE THEN
        RAISE EXCEPTION 'account % moves only with an entry or a hold', NEW.id
            USING ERRCODE = 'check_violation', TABLE = 'wallet_account',
                  CONSTRAINT = 'account_follows_entries';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER wallet_account_follows_entries BEFORE INSERT OR UPDATE ON wallet_account
    FOR EACH ROW EXECUTE FUNCTION wallet_guard_account();
"""
_TRIGGERS = {
    "wallet_account": ("wallet_account_stays", "wallet_account_follows_entries"),
    "wallet_entry": (
        "wallet_entry_is_final",
        "wallet_entry_stays",
        "wallet_entry_balances",
        "wallet_entry_advances",
    ),
    "wallet_hold": ("wallet_hold_stays", "wallet_hold_sets_aside", "wallet_hold_closes_once"),
    "wallet_reversed": ("wallet_reversed_stays", "wallet_reversed_follows_entries"),
    "wallet_transfer": (
        "wallet_transfer_is_final",
        "wallet_transfer_stays",
        "wallet_transfer_balances",
    ),
}
_FUNCTIONS = (
    "wallet_guard_account",
    "wallet_guard_hold",
    "wallet_set_aside",
    "wallet_guard_reversed",
    "wallet_advance",
    "wallet_require_balance",
    "wallet_refuse_change",
)


def upgrade() -> None:
    """Put the laws in force."""
    op.execute(_LAWS)


def downgrade() -> None:
    """Lift them."""
    for table, triggers in _TRIGGERS.items():
        for trigger in triggers:
            op.execute(f"DROP TRIGGER {trigger} ON {table}")
    for function in _FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}()")
