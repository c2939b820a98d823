"""What races is one statement: the functions that bid, buy and close.

Each takes the row lock first and reads the clock after it (now() is the start of the transaction: a
bid that waited for the lock would slip in late). `auction_place_bid` is the twin of
`torg_auction.domain.decide`, in the same order; a property test holds the two equal.
"""

from alembic import op

revision = "auction_0003"
down_revision = "auction_0002"
branch_labels = None
depends_on = None

_FUNCTIONS = """
CREATE TYPE auction_bid_answer AS (
    code text,                     -- 'accepted', or why not
    currency text,
    seq integer,                   -- of the bidder's own row; null when none was needed
    amount_minor bigint,           -- of that row
    is_leading boolean,               -- whether the bidder leads now
    leader_id bigint,
    current_price_minor bigint,
    minimum_bid_minor bigint,
    bid_count integer,
    reserve_met boolean,
    extended boolean,
    ends_at timestamptz,
    server_time timestamptz
);

-- Fix the outcome of an auction whose end has come; true when this call did it.
CREATE FUNCTION auction_close(p_auction_id bigint, p_request_id text)
    RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    lot record;
    v_reason text;
BEGIN
    SELECT s.*, a.reserve_price_minor INTO lot
      FROM auction_state s JOIN auction_auction a ON a.id = s.auction_id
     WHERE s.auction_id = p_auction_id
       FOR UPDATE OF s;
    IF NOT FOUND OR lot.closed_at IS NOT NULL OR clock_timestamp() < lot.ends_at THEN
        RETURN false;
    END IF;
    v_reason := CASE
        WHEN lot.leader_id IS NULL THEN 'no_bids'
        WHEN lot.current_price_minor < lot.reserve_price_minor THEN 'reserve_not_met'
        ELSE 'sold' END;
    INSERT INTO auction_outcome (auction_id, reason, winner_id, hammer_price_minor, closed_at)
    VALUES (p_auction_id, v_reason,
            CASE WHEN v_reason = 'sold' THEN lot.leader_id END,
            CASE WHEN v_reason = 'sold' THEN lot.current_price_minor END,
            lot.ends_at);
    PERFORM torg_enqueue('auction.tell_closed', jsonb_build_object('auction_id', p_auction_id),
                         p_auction_id::text, clock_timestamp(), p_request_id,
                         priority => 0);
    RETURN true;
END $$;

-- Close what is due, oldest end first, leaving alone what another session is closing.
CREATE FUNCTION auction_close_due(p_limit integer, p_request_id text)
    RETURNS SETOF bigint LANGUAGE plpgsql AS $$
DECLARE
    due bigint;
BEGIN
    FOR due IN
        SELECT s.auction_id FROM auction_state s
         WHERE s.closed_at IS NULL AND s.ends_at <= statement_timestamp()
         ORDER BY s.ends_at, s.auction_id
         LIMIT p_limit
           FOR UPDATE SKIP LOCKED
    LOOP
        IF auction_close(due, p_request_id) THEN
            RETURN NEXT due;
        END IF;
    END LOOP;
END $$;

-- Place a plain bid (p_amount) or a secret maximum (p_maximum).
CREATE FUNCTION auction_place_bid(
    p_auction_id bigint, p_bidder_id bigint, p_amount bigint, p_maximum bigint,
    p_currency text, p_expected_price bigint, p_request_id text
) RETURNS auction_bid_answer LANGUAGE plpgsql AS $$
DECLARE
    lot record;
    answer auction_bid_answer;
    v_offered bigint := coalesce(p_amount, p_maximum);
    v_rival_limit bigint;          -- what the leader stands for: his maximum or the price
    v_price bigint;
    v_ends_at timestamptz;
    v_defence bigint;              -- the leader's automatic bid, when his maximum holds
BEGIN
    SELECT s.*, a.owner_id, a.currency, a.bid_increment_minor, a.reserve_price_minor,
           a.soft_window_seconds, a.soft_extension_seconds, a.soft_max_extensions,
           a.soft_hard_ends_at
      INTO lot
      FROM auction_state s JOIN auction_auction a ON a.id = s.auction_id
     WHERE s.auction_id = p_auction_id
       FOR UPDATE OF s;
    IF NOT FOUND THEN
        answer.code := 'not_found';
        RETURN answer;
    END IF;
    answer.server_time := clock_timestamp();
    answer.currency := lot.currency;
    answer.leader_id := lot.leader_id;
    answer.current_price_minor := lot.current_price_minor;
    answer.minimum_bid_minor := lot.current_price_minor
        + CASE WHEN lot.leader_id IS NULL THEN 0 ELSE lot.bid_increment_minor END;
    answer.bid_count := lot.bid_count;
    answer.ends_at := lot.ends_at;
    answer.extended := false;

    IF lot.leader_id IS NOT NULL THEN
        SELECT greatest(lot.current_price_minor, max(m.amount_minor)) INTO v_rival_limit
          FROM auction_maximum m
         WHERE m.auction_id = p_auction_id AND m.bidder_id = lot.leader_id;
    END IF;
    answer.code := CASE
        WHEN p_bidder_id = lot.owner_id THEN 'own_auction'
        WHEN lot.closed_at IS NOT NULL OR answer.server_time >= lot.ends_at THEN 'auction_closed'
        WHEN answer.server_time < lot.starts_at THEN 'auction_not_started'
        WHEN p_currency <> lot.currency THEN 'wrong_currency'
        WHEN p_expected_price <> lot.current_price_minor THEN 'price_moved'
        WHEN v_offered < answer.minimum_bid_minor THEN 'bid_too_low'
        WHEN p_maximum IS NOT NULL AND p_bidder_id = lot.leader_id
             AND p_maximum <= v_rival_limit THEN 'maximum_not_raised'
        ELSE 'accepted' END;
    IF answer.code = 'auction_closed' AND lot.closed_at IS NULL THEN
        PERFORM auction_close(p_auction_id, p_request_id);
    END IF;
    IF answer.code <> 'accepted' THEN
        RETURN answer;
    END IF;

    v_price := CASE
        WHEN p_amount IS NOT NULL THEN p_amount
        WHEN lot.leader_id IS NULL OR p_bidder_id = lot.leader_id THEN lot.current_price_minor
        ELSE least(p_maximum, v_rival_limit + lot.bid_increment_minor) END;
    IF p_maximum >= lot.reserve_price_minor THEN
        v_price := greatest(v_price, lot.reserve_price_minor);
    END IF;
    IF p_bidder_id <> lot.leader_id AND v_offered <= v_rival_limit THEN
        v_defence := least(v_rival_limit, v_offered + lot.bid_increment_minor);
    END IF;
    -- A leader who raises his own maximum raises no price, unless it now reaches the reserve.
    IF p_bidder_id = lot.leader_id AND v_price <= lot.current_price_minor THEN
        INSERT INTO auction_maximum (auction_id, bidder_id, amount_minor, after_seq, created_at)
        VALUES (p_auction_id, p_bidder_id, p_maximum, lot.bid_count, answer.server_time);
        answer.is_leading := true;
        answer.reserve_met := lot.current_price_minor >= coalesce(lot.reserve_price_minor, 0);
        RETURN answer;
    END IF;

    v_ends_at := lot.ends_at;
    IF lot.extension_count < lot.soft_max_extensions
       AND answer.server_time >= lot.ends_at - make_interval(secs => lot.soft_window_seconds) THEN
        v_ends_at := greatest(lot.ends_at, least(
            lot.ends_at + make_interval(secs => lot.soft_extension_seconds),
            coalesce(lot.soft_hard_ends_at, 'infinity')));
    END IF;
    answer.seq := lot.bid_count + 1;
    answer.amount_minor := CASE WHEN v_defence IS NULL THEN v_price ELSE v_offered END;
    answer.is_leading := v_defence IS NULL;
    INSERT INTO auction_bid (auction_id, seq, owner_id, bidder_id, amount_minor, is_leading,
                             is_automatic, ends_at_after, placed_at)
    VALUES (p_auction_id, answer.seq, lot.owner_id, p_bidder_id, answer.amount_minor,
            answer.is_leading, false, v_ends_at, answer.server_time);
    IF p_maximum IS NOT NULL THEN
        INSERT INTO auction_maximum
            (auction_id, bidder_id, amount_minor, after_seq, bid_seq, created_at)
        VALUES (p_auction_id, p_bidder_id, p_maximum, lot.bid_count, answer.seq,
                answer.server_time);
    END IF;
    answer.bid_count := answer.seq;
    answer.leader_id := p_bidder_id;
    answer.current_price_minor := v_price;
    IF v_defence IS NOT NULL THEN
        answer.bid_count := answer.seq + 1;
        answer.leader_id := lot.leader_id;
        answer.current_price_minor := v_defence;
        INSERT INTO auction_bid (auction_id, seq, owner_id, bidder_id, amount_minor, is_leading,
                                 is_automatic, ends_at_after, placed_at)
        VALUES (p_auction_id, answer.bid_count, lot.owner_id, lot.leader_id, v_defence, true,
                true, v_ends_at, answer.server_time);
    END IF;
    answer.minimum_bid_minor := answer.current_price_minor + lot.bid_increment_minor;
    answer.reserve_met := answer.current_price_minor >= coalesce(lot.reserve_price_minor, 0);
    answer.ends_at := v_ends_at;
    answer.extended := v_ends_at > lot.ends_at;

    PERFORM torg_enqueue('auction.tell_bid',
                         jsonb_build_object('auction_id', p_auction_id, 'seq', answer.bid_count),
                         p_auction_id || ':' || answer.bid_count, answer.server_time, p_request_id);
    IF answer.extended THEN
        PERFORM torg_enqueue('auction.close', jsonb_build_object('auction_id', p_auction_id),
                             p_auction_id || ':' || extract(epoch FROM v_ends_at), v_ends_at,
                             p_request_id, priority => 0);
    END IF;
    RETURN answer;
END $$;

-- Take the auction at its buy-now price: exactly one taker, and none once somebody has bid.
CREATE FUNCTION auction_buy_now(p_auction_id bigint, p_bidder_id bigint, p_request_id text)
    RETURNS auction_bid_answer LANGUAGE plpgsql AS $$
DECLARE
    lot record;
    answer auction_bid_answer;
BEGIN
    SELECT s.*, a.owner_id, a.currency, a.buy_now_price_minor, a.bid_increment_minor
      INTO lot
      FROM auction_state s JOIN auction_auction a ON a.id = s.auction_id
     WHERE s.auction_id = p_auction_id
       FOR UPDATE OF s;
    IF NOT FOUND THEN
        answer.code := 'not_found';
        RETURN answer;
    END IF;
    answer.server_time := clock_timestamp();
    answer.currency := lot.currency;
    answer.code := CASE
        WHEN p_bidder_id = lot.owner_id THEN 'own_auction'
        WHEN lot.closed_at IS NOT NULL OR answer.server_time >= lot.ends_at THEN 'auction_closed'
        WHEN answer.server_time < lot.starts_at THEN 'auction_not_started'
        WHEN lot.buy_now_price_minor IS NULL OR lot.leader_id IS NOT NULL
            THEN 'buy_now_unavailable'
        ELSE 'accepted' END;
    IF answer.code = 'auction_closed' AND lot.closed_at IS NULL THEN
        PERFORM auction_close(p_auction_id, p_request_id);
    END IF;
    IF answer.code <> 'accepted' THEN
        RETURN answer;
    END IF;
    INSERT INTO auction_bid (auction_id, seq, owner_id, bidder_id, amount_minor, is_leading,
                             is_automatic, ends_at_after, placed_at)
    VALUES (p_auction_id, 1, lot.owner_id, p_bidder_id, lot.buy_now_price_minor, true, false,
            lot.ends_at, answer.server_time);
    INSERT INTO auction_outcome (auction_id, reason, winner_id, hammer_price_minor, closed_at)
    VALUES (p_auction_id, 'bought_now', p_bidder_id, lot.buy_now_price_minor, answer.server_time);
    PERFORM torg_enqueue('auction.tell_bid',
                         jsonb_build_object('auction_id', p_auction_id, 'seq', 1),
                         p_auction_id || ':' || 1, answer.server_time, p_request_id);
    PERFORM torg_enqueue('auction.tell_closed', jsonb_build_object('auction_id', p_auction_id),
                         p_auction_id::text, answer.server_time, p_request_id,
                         priority => 0);
    answer.seq := 1;
    answer.amount_minor := lot.buy_now_price_minor;
    answer.is_leading := true;
    answer.leader_id := p_bidder_id;
    answer.current_price_minor := lot.buy_now_price_minor;
    answer.minimum_bid_minor := lot.buy_now_price_minor + lot.bid_increment_minor;
    answer.bid_count := 1;
    answer.reserve_met := true;
    answer.extended := false;
    answer.ends_at := lot.ends_at;
    RETURN answer;
END $$;
"""


def upgrade() -> None:
    """Create the functions and the row they answer with."""
    op.execute(_FUNCTIONS)


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP FUNCTION auction_buy_now(bigint, bigint, text)")
    op.execute(
        "DROP FUNCTION auction_place_bid(bigint, bigint, bigint, bigint, text, bigint, text)"
    )
    op.execute("DROP FUNCTION auction_close_due(integer, text)")
    op.execute("DROP FUNCTION auction_close(bigint, text)")
    op.execute("DROP TYPE auction_bid_answer")
