"""Live streams: rule 13 of the specification."""

import json
import os
import time
from dataclasses import dataclass
from typing import Any

import pytest

from torg.testing import Person
from torg_auction import streams
from torg_auction.settings import AuctionSettings
from torg_auction.stream_events import after_bid, position_of, resumed


def euro(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


@pytest.fixture(scope="module")
def site(make_site):
    # Short silences, so that a test that waits in vain ends soon.
    return make_site(stream_limit=5, sections={"auction": {"stream_heartbeat_seconds": 1}})


@pytest.fixture
def open_stream(site):
    opened = []

    def opening(lot: int, **options: Any) -> "Stream":
        opened.append(Stream(site, lot, options.pop("last", None), options))
        return opened[-1]

    yield opening
    for each in opened:
        each.close()


@pytest.fixture
def lot(site) -> int:
    return site.create()["id"]


@dataclass(frozen=True)
class Event:
    id: str
    kind: str
    data: Any


class Stream:
    """Somebody who follows an auction, by the bytes that he gets."""

    def __init__(self, site, lot: int, last: str | None, query: dict[str, Any]) -> None:
        headers = {"Last-Event-ID": last} if last else {}
        self.answer = site.app.test_client().get(
            f"/api/v1/auctions/{lot}/stream", headers=headers, query_string=query
        )
        self._chunks = iter(self.answer.response)
        self.comments = 0

    def read(self, count: int, seconds: float = 10) -> list[Event]:
        """The next events, or those that came in time."""
        events, until = [], time.monotonic() + seconds
        while len(events) < count and time.monotonic() < until:
            try:
                chunk = next(self._chunks).decode()
            except StopIteration:
                break
            if chunk.startswith("id: "):
                lines = dict(line.split(": ", 1) for line in chunk.strip().split("\n"))
                events.append(Event(lines["id"], lines["event"], json.loads(lines["data"])))
            else:
                self.comments += chunk.startswith(":")
        return events

    def is_over(self) -> bool:
        return next(self._chunks, None) is None

    def close(self) -> None:
        self.answer.close()


def bid(site, lot: int, person: Person, amount: int) -> None:
    """A bid that another process takes: this one sees it in the database alone."""
    assert site.database.bid(lot, person.id, amount).code == "accepted"


def test_a_bid_taken_by_another_process_arrives_within_a_second(site, lot, open_stream):
    ann, stream = site.person(), open_stream(lot)
    stream.read(0)
    began = time.monotonic()
    bid(site, lot, ann, 1000)
    (event,) = stream.read(1)
    assert time.monotonic() - began < 1
    assert (event.id, event.kind) == ("1-bid", "bid")
    assert event.data["amount"] == euro("10.00")
    assert event.data["username"] == ann.username
    assert event.data["minimum_bid"] == euro("11.00")


def test_headers_are_those_of_an_event_stream(site, lot, open_stream):
    headers = open_stream(lot).answer.headers
    assert headers["Content-Type"].startswith("text/event-stream")
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Accel-Buffering"] == "no"


def test_without_a_position_only_what_is_new_is_told(site, lot, open_stream):
    ann, ben = site.person(), site.person()
    bid(site, lot, ann, 1000)
    stream = open_stream(lot)
    bid(site, lot, ben, 2000)
    assert [event.id for event in stream.read(1)] == ["2-bid"]


def test_a_broken_stream_is_taken_up_where_it_ended(site, lot, open_stream):
    people = [site.person() for _ in range(2)]
    for number in range(6):
        bid(site, lot, people[number % 2], 1000 + 100 * number)
    stream = open_stream(lot, last="3-bid")
    assert [event.id for event in stream.read(3)] == ["4-bid", "5-bid", "6-bid"]


def test_an_address_can_say_where_to_begin(site, lot, open_stream):
    bid(site, lot, site.person(), 1000)
    bid(site, lot, site.person(), 2000)
    assert [event.id for event in open_stream(lot, after=0).read(2)] == ["1-bid", "2-bid"]


def test_a_long_story_is_told_whole_and_in_order(site, lot, open_stream):
    people = [site.person() for _ in range(2)]
    for number in range(1300):
        site.database.bid(lot, people[number % 2].id, 1000 + 100 * number)
    events = open_stream(lot, after=0).read(1300, seconds=30)
    assert [event.id for event in events] == [f"{number}-bid" for number in range(1, 1301)]


def test_a_newcomer_with_much_to_read_takes_nothing_from_others(site, lot, open_stream):
    people = [site.person() for _ in range(2)]
    early = open_stream(lot)
    for number in range(300):
        site.database.bid(lot, people[number % 2].id, 1000 + 100 * number)
    late = open_stream(lot, after=0)
    assert len(late.read(300, seconds=30)) == 300
    assert [event.id for event in early.read(300)] == [f"{n}-bid" for n in range(1, 301)]


def test_who_comes_while_news_are_read_misses_nothing_before_them(site, lot):
    people = [site.person() for _ in range(2)]
    for number in range(5):
        site.database.bid(lot, people[number % 2].id, 1000 + 100 * number)
    settings = AuctionSettings()
    hub = streams.Hub(site.app, 5, settings)
    early = streams.Subscription(lot, after_bid(3))
    hub._watched = {lot: {early}}
    positions = hub._positions()
    events = hub._news(positions)
    late = streams.Subscription(lot, after_bid(0))
    hub._watched[lot].add(late)
    for _ in range(2):
        hub._tell(events, positions)
        positions = hub._positions()
        events = hub._news(positions)
    told = [late.waiting.get_nowait().position for _ in range(late.waiting.qsize())]
    assert told == [(number, 0) for number in range(1, 6)]
    assert early.waiting.qsize() == 2


def test_an_extension_is_told_after_its_bid(site, open_stream):
    soft = {"window_seconds": 7200, "extension_seconds": 60, "max_extensions": 1}
    made = site.create(soft_close=soft)
    stream = open_stream(made["id"])
    bid(site, made["id"], site.person(), 1000)
    events = stream.read(2)
    assert [(event.id, event.kind) for event in events] == [
        ("1-bid", "bid"),
        ("1-extended", "extended"),
    ]
    assert events[1].data["ends_at"] > made["ends_at"]
    resumed_stream = open_stream(made["id"], last="1-bid")
    assert [event.id for event in resumed_stream.read(1)] == ["1-extended"]


def test_the_closing_is_told_and_ends_the_stream_with_no_worker(site, open_stream):
    owner, ann = site.person(), site.person()
    lot = site.database.auction(owner_id=owner.id, ends_in=1.5)
    stream = open_stream(lot)
    bid(site, lot, ann, 1000)
    events = stream.read(2)
    assert [event.id for event in events] == ["1-bid", "1-closed"]
    assert events[1].data["winner"] == ann.username
    assert events[1].data["outcome"] == "sold"
    assert stream.is_over()
    back = open_stream(lot, last="1-closed")
    assert back.answer.status_code == 204


def test_a_closed_auction_is_told_to_whoever_comes_late(site, open_stream):
    lot = site.ended(site.person(), [(site.person(), 1000)])
    events = open_stream(lot, after=0).read(2)
    assert [event.id for event in events] == ["1-bid", "1-closed"]


def test_a_quiet_stream_shows_that_it_lives(site, lot, open_stream):
    stream = open_stream(lot)
    stream.read(1, seconds=1.5)
    assert stream.comments >= 1


def test_more_streams_than_allowed_are_told_to_come_back(site, lot, open_stream):
    for _ in range(5):
        assert open_stream(lot).answer.status_code == 200
    busy = open_stream(lot)
    assert busy.answer.status_code == 503
    assert busy.answer.json["code"] == "streams_busy"
    assert int(busy.answer.headers["Retry-After"]) > 0


def test_a_stream_that_ends_makes_room_for_another(site, lot, open_stream):
    for _ in range(12):
        stream = open_stream(lot)
        assert stream.answer.status_code == 200
        stream.close()


def test_streams_hold_no_database_connection(site, lot, open_stream):
    for _ in range(5):
        open_stream(lot)
    with site.app.app_context():
        from torg.db import db

        assert db.engine.pool.checkedout() <= 1


def test_nobody_looks_when_nobody_watches(site, lot, open_stream):
    hub = hub_of(site)
    stream = open_stream(lot)
    assert hub.is_looking
    stream.close()
    until = time.monotonic() + 5
    while hub.is_looking and time.monotonic() < until:
        time.sleep(0.05)
    assert not hub.is_looking
    assert hub.open_streams == 0


def test_a_forked_process_looks_by_itself(site, lot):
    with site.app.app_context():
        before = streams.hub()
        before.pid = os.getpid() + 1
        assert streams.hub() is not before
        assert streams.hub() is streams.hub()


def test_a_query_that_makes_no_sense_is_refused(site, lot):
    assert site.call("GET", f"/{lot}/stream", query_string={"after": "-1"}).status_code == 422
    assert site.call("GET", f"/{lot}/stream", query_string={"from": "1"}).status_code == 422


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("12-bid", (12, 0)),
        ("12-extended", (12, 1)),
        ("0-closed", (0, 2)),
        ("12", None),
        ("-bid", None),
        ("12-bid\n", None),
        ("01-bid", None),
        ("9999999999999-bid", None),
        ("12-other", None),
    ],
)
def test_ids_are_read_strictly(text, position):
    assert position_of(text) == position


@pytest.mark.parametrize(
    ("last", "after", "position"),
    [
        (None, None, after_bid(7)),
        (None, 3, after_bid(3)),
        (None, 99, after_bid(7)),
        ("3-bid", None, (3, 0)),
        ("3-bid", 6, (3, 0)),
        ("99-bid", None, after_bid(7)),
        ("nonsense", None, after_bid(7)),
        ("nonsense", 2, after_bid(2)),
        ("7-closed", None, (7, 2)),
    ],
)
def test_a_stream_begins_at_what_was_seen_last(last, after, position):
    assert resumed(last, after, 7) == position


def hub_of(site) -> streams.Hub:
    with site.app.app_context():
        return streams.hub()
