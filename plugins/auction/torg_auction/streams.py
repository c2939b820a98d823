"""Live streams: one thread of each web process looks into the database for all who watch.

Owns subscriptions and that thread. A stream holds no database connection while it waits, and the
thread lives only while somebody watches. What a stream misses stands in the log, so a broken one is
taken up where it ended (`Last-Event-ID`). Events themselves are `stream_events`'.
"""

import os
import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import flask
import structlog
from flask import current_app

from torg import config
from torg.db import unit_of_work
from torg_auction.errors import StreamsBusyError
from torg_auction.queries import stream as stream_queries
from torg_auction.services import closing
from torg_auction.settings import AuctionSettings
from torg_auction.stream_events import (
    Position,
    StreamEvent,
    after_bid,
    events_after,
    is_closing,
)

EXTENSION = "torg.auction.streams"
_RETRY = b"retry: 2000\n\n"
_HEARTBEAT = b": still here\n\n"
# Proxies and servers cut very long answers anyway; ending one costs its reader nothing.
_LONGEST_SECONDS = 600.0
# A reader who lags so far behind gets nothing more until he has read; the log keeps it for him.
_MOST_WAITING = 1000
_forked = threading.Lock()

_log = structlog.get_logger(__name__)


@dataclass(eq=False)
class Subscription:
    """One open stream: what waits to be sent, and up to where it was told."""

    auction_id: int
    told: Position
    waiting: "queue.Queue[StreamEvent]" = field(default_factory=lambda: queue.Queue(_MOST_WAITING))

    @property
    def wants_more(self) -> bool:
        """Whether there is room for news and anything can still come."""
        return not self.waiting.full() and not is_closing(self.told)

    def give(self, event: StreamEvent) -> bool:
        """Take the next event in; one that is known, or finds no room, is left."""
        if event.position <= self.told or self.waiting.full():
            return False
        if event.data:
            self.waiting.put_nowait(event)
        self.told = event.position
        return True


class Hub:
    """The open streams of one process."""

    def __init__(self, app: flask.Flask, limit: int, settings: AuctionSettings) -> None:
        self._app = app
        self._limit = limit
        self._settings = settings
        self._watched: dict[int, set[Subscription]] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self.pid = os.getpid()

    @property
    def open_streams(self) -> int:
        """How many streams are open in this process."""
        return sum(len(each) for each in self._watched.values())

    @property
    def is_looking(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def subscribe(self, auction_id: int, position: Position) -> Subscription:
        """Open a stream of what happens after `position`.

        Raises:
            StreamsBusyError: as many are open as this process may serve.
        """
        subscription = Subscription(auction_id, position)
        with self._lock:
            if self.open_streams >= self._limit:
                raise StreamsBusyError(retry_after=2)
            self._watched.setdefault(auction_id, set()).add(subscription)
            if not self.is_looking:
                self._thread = threading.Thread(
                    target=self._look, daemon=True, name="auction-streams"
                )
                self._thread.start()
        return subscription

    def leave(self, subscription: Subscription) -> None:
        """Close a stream; the last one of an auction ends the looking at it."""
        with self._lock:
            watched = self._watched.get(subscription.auction_id)
            if watched is not None:
                watched.discard(subscription)
                if not watched:
                    del self._watched[subscription.auction_id]

    def lines(self, subscription: Subscription) -> Iterator[bytes]:
        """The bytes of a stream until its auction is closed, or it has lasted long enough."""
        until = time.monotonic() + _LONGEST_SECONDS
        yield _RETRY
        while time.monotonic() < until:
            try:
                event = subscription.waiting.get(timeout=self._settings.stream_heartbeat_seconds)
            except queue.Empty:
                yield _HEARTBEAT
                continue
            yield event.encoded()
            if event.is_last:
                return

    def _look(self) -> None:
        while True:
            with self._lock:
                if not self._watched:
                    self._thread = None
                    return
                positions = self._positions()
            try:
                events = self._news(positions) if positions else []
            except Exception:
                # Without its database a stream is silent; it goes on when the database is back.
                _log.warning("auction_stream_waits", exc_info=True)
                events = []
                time.sleep(1.0)
            if not self._tell(events, positions):
                time.sleep(self._settings.stream_poll_seconds)

    def _positions(self) -> dict[int, Position]:
        """From where on each auction is to be read: up to where its last reader was told."""
        waiting = {
            auction_id: [each.told for each in watched if each.wants_more]
            for auction_id, watched in self._watched.items()
        }
        return {auction_id: min(told) for auction_id, told in waiting.items() if told}

    def _news(self, positions: dict[int, Position]) -> list[StreamEvent]:
        with unit_of_work("statement", self._app):
            pulses = stream_queries.pulse(positions)
            for row in pulses:
                if row.is_overdue:
                    closing.close(row.auction_id)
            closed = [row.auction_id for row in pulses if row.is_closed or row.is_overdue]
            changed = {
                row.auction_id: positions[row.auction_id]
                for row in pulses
                if row.auction_id in closed or after_bid(row.bid_count) > positions[row.auction_id]
            }
            return events_after(changed, closed) if changed else []

    def _tell(self, events: list[StreamEvent], positions: dict[int, Position]) -> bool:
        """Hand on the events after `positions`; whether anybody took one."""
        with self._lock:
            # Who came, or found room again, since positions were taken may miss what is before
            # these events: giving him these would skip it for good. The next look is his.
            taken = [
                subscription.give(event)
                for event in events
                for subscription in self._watched.get(event.auction_id, ())
                if subscription.told >= positions[event.auction_id]
            ]
        return any(taken)


def init(app: flask.Flask) -> None:
    """Give the application its hub."""
    limit = config.of(app).host.stream_limit
    settings = config.plugin_settings("auction", AuctionSettings)
    app.extensions[EXTENSION] = Hub(app, limit, settings)


def hub() -> Hub:
    """The hub of this process; after a fork a new one, because threads are not inherited."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
    found: Hub = app.extensions[EXTENSION]
    if found.pid != os.getpid():
        with _forked:
            if app.extensions[EXTENSION] is found:
                init(app)
        found = app.extensions[EXTENSION]
    return found
