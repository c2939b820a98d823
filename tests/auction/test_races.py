"""Many people at one auction at the same moment, over real connections to a real server."""

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import psycopg2

CONNECTIONS = 16
BIDDERS = range(2, 202)


@contextlib.contextmanager
def crowd(database, size: int = CONNECTIONS) -> Iterator[Callable[..., list[Any]]]:
    """`run(act)` calls `act(cursor, number)` on every connection at the same moment."""
    connections = [database.connect() for _ in range(size)]
    start = threading.Barrier(size)

    def act_together(act: Callable[..., Any], number: int) -> Any:
        with connections[number].cursor() as cursor:
            start.wait(10)
            return act(cursor, number)

    with ThreadPoolExecutor(size) as pool:
        yield lambda act: list(pool.map(lambda number: act_together(act, number), range(size)))
    for connection in connections:
        connection.close()


def bid_wildly(bidding, lot, function="auction_place_bid", each=10):
    """Each connection bids for its share of the people, from the price it last saw."""

    def act(cursor, number):
        chance, answers = random.Random(number), []
        price = 1000
        for bidder in BIDDERS[number::CONNECTIONS][:each]:
            kind = chance.choice(["amount", "amount", "maximum"])
            offer = price + 100 * chance.randint(1, 3)
            try:
                answer = bidding(cursor, lot, bidder, function=function, **{kind: offer})
            except psycopg2.Error as error:
                answers.append((bidder, type(error).__name__, None))
                continue
            price = answer.current_price_minor
            answers.append((bidder, answer.code, answer.seq))
        return answers

    return act


def problems_of(database, lot) -> list[str]:
    """Which of AU2, AU3, AU5 the stored auction breaks."""
    bids, state = database.bids(lot), database.state(lot)
    leading = [bid for bid in bids if bid.is_leading]
    found = []
    if [bid.seq for bid in bids] != list(range(1, len(bids) + 1)):
        found.append("numbers have gaps or repeat")
    if not all(low.amount_minor < high.amount_minor for low, high in pairwise(leading)):
        found.append("a leading price does not rise")
    if (state.current_price_minor, state.leader_id) != (
        leading[-1].amount_minor,
        leading[-1].bidder_id,
    ):
        found.append("the state is not that of the last leading bid")
    if state.bid_count != len(bids):
        found.append("the count is not the number of bids")
    return found


def test_two_hundred_bidders_leave_one_sound_log(database, bidding):
    lot = database.auction()
    with crowd(database) as run:
        answers = [answer for share in run(bid_wildly(bidding, lot, each=99)) for answer in share]
    accepted = {seq for _, code, seq in answers if code == "accepted" and seq}
    assert {code for _, code, _ in answers} <= {"accepted", "bid_too_low", "maximum_not_raised"}
    assert len(answers) == len(BIDDERS)
    assert problems_of(database, lot) == []
    logged = {bid.seq for bid in database.bids(lot) if not bid.is_automatic}
    assert accepted == logged


def test_without_lock_and_laws_the_same_crowd_breaks_the_auction(make_database, bidding):
    lawless = make_database()
    lot = lawless.auction()
    _lift_laws(lawless)
    with crowd(lawless) as run:
        run(bid_wildly(bidding, lot, "auction_place_bid_unlocked"))
    assert problems_of(lawless, lot) != []


def test_without_lock_the_laws_alone_keep_the_log_sound(make_database, bidding):
    lockless = make_database()
    lot = lockless.auction()
    _create_unlocked(lockless)
    with crowd(lockless) as run:
        shares = run(bid_wildly(bidding, lot, "auction_place_bid_unlocked"))
    codes = Counter(code for share in shares for _, code, _ in share)
    assert codes["UniqueViolation"] + codes["CheckViolation"] > 0
    assert problems_of(lockless, lot) == []


def _create_unlocked(database, more: Callable[[str], str] = str) -> None:
    """The function that bids, without its lock, and slow enough for others to come between."""
    (source,) = database.one(
        "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = 'auction_place_bid'"
    )
    assert source.count("FOR UPDATE OF s") == 1
    unlocked = source.replace("FOR UPDATE OF s", "").replace(
        "answer.server_time := clock_timestamp();",
        "answer.server_time := clock_timestamp(); PERFORM pg_sleep(0.003);",
    )
    unlocked = unlocked.replace("auction_place_bid", "auction_place_bid_unlocked")
    database.all(more(unlocked))


def _lift_laws(database) -> None:
    database.all("""
        DROP TRIGGER auction_bid_advances ON auction_bid;
        DROP TRIGGER auction_state_follows_facts ON auction_state;
        ALTER TABLE auction_bid DROP CONSTRAINT pk_auction_bid CASCADE;
        ALTER TABLE auction_maximum
            DROP CONSTRAINT uq_auction_maximum_auction_id_bidder_id_amount_minor;
        DROP INDEX uq_auction_bid_leading_amount;
    """)
    move = """
    UPDATE auction_state SET bid_count = answer.bid_count, leader_id = answer.leader_id,
        current_price_minor = answer.current_price_minor WHERE auction_id = p_auction_id;
    answer.minimum_bid_minor := answer.current_price_minor"""
    _create_unlocked(
        database,
        lambda source: source.replace(
            "    answer.minimum_bid_minor := answer.current_price_minor", move
        ),
    )


def test_across_the_closing_instant_no_bid_slips_in_and_one_outcome_is_fixed(database, bidding):
    with crowd(database) as run:
        lot = database.auction(ends_in=1)
        until = time.monotonic() + 1.5

        def act(cursor, number):
            answers, price = [], 1000
            while time.monotonic() < until:
                bidder = random.Random(f"{number}{len(answers)}").choice(BIDDERS)
                answer = bidding(cursor, lot, bidder, price + 100)
                price = answer.current_price_minor
                answers.append(answer)
            return answers

        answers = [answer for share in run(act) for answer in share]
    ends_at = database.state(lot).ends_at
    codes = Counter(answer.code for answer in answers)
    assert codes["accepted"] > 0
    assert codes["auction_closed"] > 0
    assert all(a.server_time < ends_at for a in answers if a.code == "accepted")
    assert all(a.server_time >= ends_at for a in answers if a.code == "auction_closed")
    assert all(bid.placed_at < ends_at for bid in database.bids(lot))
    outcome = database.one("SELECT * FROM auction_outcome WHERE auction_id = %s", lot)
    last = database.bids(lot)[-1]
    assert (outcome.reason, outcome.winner_id, outcome.hammer_price_minor) == (
        "sold",
        last.bidder_id,
        last.amount_minor,
    )
    assert outcome.closed_at == ends_at
    assert jobs_of(database, "auction.tell_closed", str(lot)) == 1


def test_a_bid_that_waited_for_the_lock_over_the_end_is_too_late(database, bidding):
    assert _wait_over_the_end(database, bidding, "auction_place_bid").code == "auction_closed"


def test_with_the_time_of_the_transaction_that_late_bid_would_be_let_in(make_database, bidding):
    wrong = make_database()
    (source,) = wrong.one(
        "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = 'auction_place_bid'"
    )
    source = source.replace("auction_place_bid", "auction_place_bid_early").replace(
        "answer.server_time := clock_timestamp()", "answer.server_time := now()"
    )
    wrong.all(source)
    assert _wait_over_the_end(wrong, bidding, "auction_place_bid_early").code == "accepted"


def _wait_over_the_end(database, bidding, function) -> Any:
    lot = database.auction(ends_in=1)
    holder = database.connect()
    holder.autocommit = False
    with ThreadPoolExecutor(1) as pool, holder.cursor() as lock, database.cursor() as cursor:
        lock.execute("SELECT FROM auction_state WHERE auction_id = %s FOR UPDATE", (lot,))
        waiting = pool.submit(bidding, cursor, lot, 2, 1000, function=function)
        lock.execute(
            "SELECT pg_sleep(extract(epoch FROM ends_at - clock_timestamp()) + 0.1)"
            " FROM auction_state WHERE auction_id = %s",
            (lot,),
        )
        holder.commit()
        answer = waiting.result(10)
    holder.close()
    return answer


def test_buy_now_has_exactly_one_taker(database):
    lot = database.auction(buy_now_price_minor=9000)

    def buy(cursor, number):
        cursor.execute("SELECT * FROM auction_buy_now(%s, %s, 'r')", (lot, number + 2))
        return cursor.fetchone().code

    with crowd(database) as run:
        codes = Counter(run(buy))
    assert codes == {"accepted": 1, "auction_closed": CONNECTIONS - 1}
    assert len(database.bids(lot)) == 1


def test_either_somebody_buys_or_somebody_bids_first(database, bidding):
    for _ in range(10):
        lot = database.auction(buy_now_price_minor=9000)

        def act(cursor, number, lot=lot):
            if number % 2:
                return bidding(cursor, lot, number + 2, 1000 + 100 * number).code
            cursor.execute("SELECT * FROM auction_buy_now(%s, %s, 'r')", (lot, number + 2))
            return "bought" if cursor.fetchone().code == "accepted" else None

        with crowd(database, 4) as run:
            answers = run(act)
        assert (answers.count("bought") == 1) != ("accepted" in answers)


def test_any_number_of_closers_fix_one_outcome(database):
    lots = [database.auction(ends_in=-1) for _ in range(20)]

    def close(cursor, number):
        if number % 2:
            cursor.execute("SELECT * FROM auction_close_due(100, 'r')")
            return [row[0] for row in cursor.fetchall()]
        closed = []
        for lot in lots:
            cursor.execute("SELECT auction_close(%s, 'r') AS closed", (lot,))
            closed += [lot] if cursor.fetchone().closed else []
        return closed

    with crowd(database, 8) as run:
        closed = [lot for share in run(close) for lot in share if lot in lots]
    assert sorted(closed) == lots
    assert all(jobs_of(database, "auction.tell_closed", str(lot)) == 1 for lot in lots)


def test_the_cap_of_extensions_holds_in_a_crowd(database, bidding):
    lot = database.auction(
        ends_in=600, soft_window_seconds=3600, soft_extension_seconds=10, soft_max_extensions=3
    )
    before = database.state(lot).ends_at
    with crowd(database) as run:
        run(bid_wildly(bidding, lot))
    state = database.state(lot)
    assert (state.extension_count, (state.ends_at - before).total_seconds()) == (3, 30.0)


def test_a_refused_bid_leaves_nothing_behind(database, bidding):
    lot = database.auction()
    before = database.one("SELECT count(*) AS n FROM torg_outbox").n
    for bidder, amount in ((1, 5000), (2, 999)):
        assert database.bid(lot, bidder, amount).code != "accepted"
    assert database.bids(lot) == []
    assert database.one("SELECT count(*) AS n FROM torg_outbox").n == before


def test_each_new_price_puts_in_one_job(database, bidding):
    lot = database.auction()
    database.bid(lot, 2, maximum=5000)
    database.bid(lot, 3, 2000)
    database.bid(lot, 2, maximum=6000)
    keys = {
        row.business_key
        for row in database.all(
            "SELECT business_key FROM torg_outbox WHERE job = 'auction.tell_bid'"
            " AND (payload->>'auction_id')::bigint = %s",
            lot,
        )
    }
    assert keys == {f"{lot}:1", f"{lot}:3"}


def jobs_of(database, job: str, key: str) -> int:
    return database.one(
        "SELECT count(*) AS n FROM torg_outbox WHERE job = %s AND business_key = %s", job, key
    ).n
