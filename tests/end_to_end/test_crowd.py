"""Two hundred people bid at once, by HTTP, at two servers: one price, one order, no surprise."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

CROWD = 200
HANDS = 32


def money(cents: int) -> dict[str, str]:
    return {"amount": f"{cents // 100}.{cents % 100:02d}", "currency": "EUR"}


def test_two_hundred_bidders_on_one_auction(market: Any, crowd: Any, new_auction: Any) -> None:
    second, _ = market.deployment.web()
    auction = new_auction(market.person("seller"))["id"]
    people = crowd(market, CROWD)
    callers = [each.at(second) if number % 2 else each for number, each in enumerate(people)]

    def bid(number: int) -> Any:
        # Many want the same price: ten prices for two hundred people, then what they are told.
        answer = callers[number].post(
            f"auctions/{auction}/bids", {"amount": money(1000 + 100 * (number % 10))}
        )
        if answer.status_code == 422:
            least = answer.json()["minimum_bid"]
            return [answer, callers[number].post(f"auctions/{auction}/bids", {"amount": least})]
        return [answer]

    with ThreadPoolExecutor(HANDS) as pool:
        answers = [each for pair in pool.map(bid, range(CROWD)) for each in pair]

    statuses = Counter(each.status_code for each in answers)
    assert set(statuses) <= {201, 422}, statuses
    for answer in answers:
        if answer.status_code == 422:
            assert answer.json()["code"] == "bid_too_low"
            assert answer.json()["minimum_bid"]["currency"] == "EUR"
    detail = market.caller().get(f"auctions/{auction}").json()
    assert detail["bid_count"] == statuses[201]
    amounts = [bid["amount"]["amount"] for bid in detail["bids"]]
    assert len(set(amounts)) == len(amounts)
    assert [bid["seq"] for bid in detail["bids"]] == list(
        range(detail["bid_count"], detail["bid_count"] - len(amounts), -1)
    )


def test_no_bid_slips_in_over_the_closing_instant_with_every_worker_stopped(
    market: Any, crowd: Any, new_auction: Any
) -> None:
    seller = market.person("seller")
    people = crowd(market, 16)
    market.deployment.children[-1].stop()
    auction = new_auction(seller, seconds=4)
    ends_at = datetime.fromisoformat(auction["ends_at"].replace("Z", "+00:00"))
    accepted: list[dict[str, Any]] = []
    codes: Counter[str] = Counter()
    lock = threading.Lock()

    def hammer(caller: Any) -> None:
        cents = 1000
        while datetime.now(UTC) < ends_at + timedelta(seconds=1):
            answer = caller.post(f"auctions/{auction['id']}/bids", {"amount": money(cents)})
            body = answer.json()
            with lock:
                codes[body.get("code", "accepted")] += 1
                if answer.status_code == 201:
                    accepted.append(body)
            if body.get("code") == "bid_too_low":
                cents = round(float(body["minimum_bid"]["amount"]) * 100)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(hammer, people))

    assert set(codes) <= {"accepted", "bid_too_low", "auction_closed"}, codes
    assert codes["auction_closed"] > 0
    detail = market.caller().get(f"auctions/{auction['id']}").json()
    placed = [datetime.fromisoformat(bid["placed_at"]) for bid in detail["bids"]]
    assert all(each < ends_at for each in placed)
    assert detail["status"] == "finished"
    assert detail["bid_count"] == len(accepted)
    assert detail["winner"] is not None
