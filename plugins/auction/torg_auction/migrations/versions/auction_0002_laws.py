"""The laws of an auction as triggers: whatever the application does, these hold.

An auction, a bid, a maximum and an outcome are facts: inserted once, never changed or removed. The
state is moved by the facts themselves: inserting a bid advances it, inserting the outcome closes
it, and nothing else can.
"""

from alembic import op

revision = "auction_0002"
down_revision = "auction_0001"
branch_labels = None
depends_on = None

_LAWS = """
CREATE FUNCTION auction_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: what was recorded there is final', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME;
END $$;

CREATE TRIGGER auction_auction_is_final BEFORE UPDATE OR DELETE ON auction_auction
    FOR EACH ROW EXECUTE FUNCTION auction_refuse_change();
CREATE TRIGGER auction_bid_is_final BEFORE UPDATE OR DELETE ON auction_bid
    FOR EACH ROW EXECUTE FUNCTION auction_refuse_change();
CREATE TRIGGER auction_maximum_is_final BEFORE UPDATE OR DELETE ON auction_maximum
    FOR EACH ROW EXECUTE FUNCTION auction_refuse_change();
CREATE TRIGGER auction_outcome_is_final BEFORE UPDATE OR DELETE ON auction_outcome
    FOR EACH ROW EXECUTE FUNCTION auction_refuse_change();
CREATE TRIGGER auction_state_stays BEFORE DELETE ON auction_state
    FOR EACH ROW EXECUTE FUNCTION auction_refuse_change();

-- A new auction brings its state with it.
CREATE FUNCTION auction_open() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO auction_state
        (auction_id, starts_at, ends_at, current_price_minor, bid_count, extension_count)
    VALUES (NEW.id, NEW.starts_at, NEW.scheduled_ends_at, NEW.starting_price_minor, 0, 0);
    RETURN NULL;
END $$;

CREATE TRIGGER auction_auction_opens AFTER INSERT ON auction_auction
    FOR EACH ROW EXECUTE FUNCTION auction_open();

-- A bid advances the state by exactly one step; a number that is not the next one is refused.
CREATE FUNCTION auction_advance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE auction_state
       SET bid_count = NEW.seq,
           current_price_minor =
               CASE WHEN NEW.is_leading THEN NEW.amount_minor ELSE current_price_minor END,
           leader_id = CASE WHEN NEW.is_leading THEN NEW.bidder_id ELSE leader_id END,
           extension_count = extension_count + (NEW.ends_at_after > ends_at)::integer,
           ends_at = NEW.ends_at_after,
           updated_at = NEW.placed_at
     WHERE auction_id = NEW.auction_id AND bid_count = NEW.seq - 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'bid % of auction % is not the next one', NEW.seq, NEW.auction_id
            USING ERRCODE = 'check_violation', TABLE = 'auction_bid', CONSTRAINT = 'bid_is_next';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER auction_bid_advances AFTER INSERT ON auction_bid
    FOR EACH ROW EXECUTE FUNCTION auction_advance();

-- An outcome closes the state; it must be the one that the state has.
CREATE FUNCTION auction_settle() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    lot record;
    is_right boolean;
BEGIN
    SELECT s.*, a.reserve_price_minor, a.buy_now_price_minor INTO STRICT lot
      FROM auction_state s JOIN auction_auction a ON a.id = s.auction_id
     WHERE s.auction_id = NEW.auction_id
       FOR UPDATE OF s;
    is_right := CASE NEW.reason
        WHEN 'no_bids' THEN lot.leader_id IS NULL
        WHEN 'reserve_not_met' THEN
            lot.leader_id IS NOT NULL AND lot.current_price_minor < lot.reserve_price_minor
        WHEN 'bought_now' THEN
            lot.bid_count = 1 AND lot.current_price_minor = lot.buy_now_price_minor
        ELSE lot.current_price_minor >= coalesce(lot.reserve_price_minor, 0)
        END
        AND (NEW.winner_id IS NULL OR NEW.winner_id = lot.leader_id)
        AND (NEW.hammer_price_minor IS NULL OR NEW.hammer_price_minor = lot.current_price_minor)
        AND CASE WHEN NEW.reason = 'bought_now' THEN NEW.closed_at < lot.ends_at
                 ELSE NEW.closed_at = lot.ends_at AND lot.ends_at <= clock_timestamp() END;
    IF is_right IS NOT TRUE OR lot.closed_at IS NOT NULL THEN
        RAISE EXCEPTION 'outcome % does not fit the state of auction %', NEW.reason, NEW.auction_id
            USING ERRCODE = 'check_violation', TABLE = 'auction_outcome',
                  CONSTRAINT = 'outcome_fits_state';
    END IF;
    UPDATE auction_state SET closed_at = NEW.closed_at, updated_at = clock_timestamp()
     WHERE auction_id = NEW.auction_id;
    RETURN NULL;
END $$;

CREATE TRIGGER auction_outcome_settles AFTER INSERT ON auction_outcome
    FOR EACH ROW EXECUTE FUNCTION auction_settle();

-- The state is only ever what its facts make of it.
CREATE FUNCTION auction_guard_state() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    bid auction_bid;
    is_right boolean;
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT NEW.ends_at = a.scheduled_ends_at AND NEW.starts_at = a.starts_at
               AND NEW.current_price_minor = a.starting_price_minor
               AND NEW.leader_id IS NULL AND NEW.bid_count = 0 AND NEW.extension_count = 0
               AND NEW.closed_at IS NULL
          INTO is_right
          FROM auction_auction a WHERE a.id = NEW.auction_id;
    ELSIF NEW.closed_at IS DISTINCT FROM OLD.closed_at THEN
        is_right := OLD.closed_at IS NULL
            AND (NEW.auction_id, NEW.starts_at, NEW.ends_at, NEW.current_price_minor,
                 NEW.bid_count, NEW.extension_count)
              = (OLD.auction_id, OLD.starts_at, OLD.ends_at, OLD.current_price_minor,
                 OLD.bid_count, OLD.extension_count)
            AND NEW.leader_id IS NOT DISTINCT FROM OLD.leader_id
            AND EXISTS (SELECT FROM auction_outcome o
                         WHERE o.auction_id = NEW.auction_id AND o.closed_at = NEW.closed_at);
    ELSE
        SELECT * INTO bid FROM auction_bid b
         WHERE b.auction_id = OLD.auction_id AND b.seq = OLD.bid_count + 1;
        is_right := FOUND
            AND OLD.closed_at IS NULL
            AND NEW.auction_id = OLD.auction_id AND NEW.starts_at = OLD.starts_at
            AND NEW.bid_count = bid.seq
            AND bid.placed_at >= OLD.starts_at AND bid.placed_at < OLD.ends_at
            AND NEW.ends_at = bid.ends_at_after AND NEW.ends_at >= OLD.ends_at
            AND CASE
                WHEN NOT bid.is_leading THEN
                    OLD.leader_id IS NOT NULL AND NEW.leader_id = OLD.leader_id
                    AND NEW.current_price_minor = OLD.current_price_minor
                WHEN OLD.leader_id IS NULL THEN bid.amount_minor >= OLD.current_price_minor
                ELSE bid.amount_minor > OLD.current_price_minor END
            AND (NOT bid.is_leading OR (NEW.leader_id = bid.bidder_id
                                     AND NEW.current_price_minor = bid.amount_minor));
        IF is_right AND NEW.ends_at > OLD.ends_at THEN
            SELECT NEW.extension_count = OLD.extension_count + 1
                   AND NEW.extension_count <= a.soft_max_extensions
                   AND NEW.ends_at <= coalesce(a.soft_hard_ends_at, NEW.ends_at)
              INTO is_right
              FROM auction_auction a WHERE a.id = NEW.auction_id;
        ELSIF is_right THEN
            is_right := NEW.extension_count = OLD.extension_count;
        END IF;
    END IF;
    IF is_right IS NOT TRUE THEN
        RAISE EXCEPTION 'the state of auction % moves only with a bid or an outcome', NEW.auction_id
            USING ERRCODE = 'check_violation', TABLE = 'auction_state',
                  CONSTRAINT = 'state_follows_facts';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER auction_state_follows_facts BEFORE INSERT OR UPDATE ON auction_state
    FOR EACH ROW EXECUTE FUNCTION auction_guard_state();
"""
_TRIGGERS = {
    "auction_auction": ("auction_auction_is_final", "auction_auction_opens"),
    "auction_bid": ("auction_bid_is_final", "auction_bid_advances"),
    "auction_maximum": ("auction_maximum_is_final",),
    "auction_outcome": ("auction_outcome_is_final", "auction_outcome_settles"),
    "auction_state": ("auction_state_stays", "auction_state_follows_facts"),
}
_FUNCTIONS = (
    "auction_guard_state",
    "auction_settle",
    "auction_advance",
    "auction_open",
    "auction_refuse_change",
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
