"""The routes of auctions, below `/api/v1/auctions`.

There is no route that changes or removes an auction or a bid: PUT, PATCH and DELETE answer 405.
"""

from typing import Any

import flask
from flask import request

from torg import etag, identity, ready_answers
from torg.blueprint import Blueprint
from torg.errors import NotFoundError
from torg.schemas import Integer, QuerySchema, Timestamp
from torg_auction import schemas, stream_events, streams
from torg_auction.errors import (
    AuctionClosedError,
    AuctionNotStartedError,
    BidTooLowError,
    BuyNowUnavailableError,
    MaximumNotRaisedError,
    OwnAuctionError,
    PriceMovedError,
    StreamsBusyError,
    WrongCurrencyError,
)
from torg_auction.queries import auctions as auction_queries
from torg_auction.queries import lists
from torg_auction.services import auctions, bids, views, watching

blueprint = Blueprint("auction", description="Auctions: list, create, bid, watch, follow live.")

_CREATE, _BID = "auction.auction.create", "auction.bid.place"
_OWN, _WATCH = "auction.list.read_own", "auction.watch.change"
_NOW = {"server_time": Timestamp(description="The clock that decides.")}
_NEW_AUCTION = {
    "title": "A clock that goes",
    "description": "It was my grandfather's.",
    "category": "clocks",
    "starting_price": {"amount": "25.00", "currency": "EUR"},
    "bid_increment": {"amount": "1.00", "currency": "EUR"},
    "ends_at": "2030-01-31T12:00:00Z",
    "soft_close": {"window_seconds": 120, "extension_seconds": 120, "max_extensions": 20},
}
_Summaries = lists.AuctionListing.envelope(schemas.Summary, **_NOW)


class _StreamQuery(QuerySchema):
    """Where to begin a live stream."""

    after = Integer(
        minimum=0,
        maximum=2**31 - 1,
        example=12,
        description="Tell everything after the bid of this number; by default what comes from now.",
    )


@blueprint.route("/", methods=["GET"])
@blueprint.public
@blueprint.ready_answer(tags=("auctions",), seconds=2.0)
@blueprint.arguments(lists.AuctionListing.arguments(), location="query")
@blueprint.response(200, _Summaries)
def list_auctions(arguments: dict[str, Any]) -> Any:
    """List auctions."""
    if not ready_answers.is_filling():
        return views.page(lists.ALL, arguments)
    page = views.page(lists.ALL_UNTIL, arguments)
    ready_answers.valid_for(views.seconds_list_is_true(page))
    return page


@blueprint.route("/", methods=["POST"])
@blueprint.requires(_CREATE, verified=True)
@blueprint.idempotent
@blueprint.arguments(schemas.CreateAuction, example=_NEW_AUCTION)
@blueprint.response(201, schemas.Detail)
def create_auction(arguments: dict[str, Any]) -> Any:
    """Create an auction; everybody registered is told by mail."""
    auction_id = auctions.create_auction(identity.current().id, arguments)
    return views.detail(auction_id), {"Location": f"{request.base_url.rstrip('/')}/{auction_id}"}


@blueprint.route("/<int:auction_id>", methods=["GET"])
@blueprint.public
@blueprint.ready_answer(tags=("auction:{auction_id}",), seconds=1.0)
@blueprint.response(200, schemas.Detail)
@blueprint.fails(NotFoundError)
def get_auction(auction_id: int) -> Any:
    """Show an auction with its newest bids."""
    facts = views.detail(auction_id)
    if (seconds := views.seconds_until_change(facts)) is not None:
        ready_answers.valid_for(seconds)
    # Bids never change, but the names of who placed them may.
    names = [facts["owner"], facts["winner"], *(bid.username for bid in facts["bids"])]
    moved = [facts["status"], facts["updated_at"], facts["bid_count"]]
    etag.attach(etag.of([auction_id, *moved, *names]))
    return facts


@blueprint.route("/<int:auction_id>/bids", methods=["GET"])
@blueprint.public
@blueprint.ready_answer(tags=("auction:{auction_id}",), seconds=5.0)
@blueprint.arguments(lists.BidListing.arguments(), location="query")
@blueprint.response(200, lists.BidListing.envelope(schemas.Bid))
@blueprint.fails(NotFoundError)
def list_bids(arguments: dict[str, Any], auction_id: int) -> Any:
    """List the bids of an auction, newest first."""
    return views.log(auction_id, arguments)


@blueprint.route("/<int:auction_id>/bids", methods=["POST"])
@blueprint.requires(_BID, verified=True)
@blueprint.idempotent
@blueprint.transaction("statement")
@blueprint.arguments(schemas.PlaceBid, example={"amount": {"amount": "26.00", "currency": "EUR"}})
@blueprint.response(201, schemas.BidPlaced)
@blueprint.fails(
    NotFoundError,
    OwnAuctionError,
    AuctionClosedError,
    AuctionNotStartedError,
    PriceMovedError,
    WrongCurrencyError,
    BidTooLowError,
    MaximumNotRaisedError,
)
def place_bid(arguments: dict[str, Any], auction_id: int) -> Any:
    """Place a bid, or a secret maximum."""
    return bids.place_bid(auction_id, identity.current(), **arguments)


@blueprint.route("/<int:auction_id>/bids/<int:seq>", methods=["GET"])
@blueprint.public
@blueprint.response(200, schemas.Bid)
@blueprint.fails(NotFoundError)
def get_bid(auction_id: int, seq: int) -> Any:
    """Show one bid."""
    return views.bid(auction_id, seq)


@blueprint.route("/<int:auction_id>/buy-now", methods=["POST"])
@blueprint.requires(_BID, verified=True)
@blueprint.idempotent
@blueprint.transaction("statement")
@blueprint.response(201, schemas.BidPlaced)
@blueprint.fails(
    NotFoundError,
    OwnAuctionError,
    AuctionClosedError,
    AuctionNotStartedError,
    BuyNowUnavailableError,
)
def buy_now(auction_id: int) -> Any:
    """Take an auction at its buy-now price, which ends it."""
    return bids.buy_now(auction_id, identity.current())


@blueprint.route("/<int:auction_id>/stream", methods=["GET"])
@blueprint.public
@blueprint.arguments(_StreamQuery, location="query")
@blueprint.response(200, description="Server-sent events: bid, extended, closed.")
@blueprint.fails(NotFoundError, StreamsBusyError)
def follow_auction(arguments: dict[str, Any], auction_id: int) -> Any:
    """Follow an auction live (server-sent events)."""
    row = auction_queries.find(auction_id)
    if row is None:
        raise NotFoundError
    position = stream_events.resumed(
        request.headers.get("Last-Event-ID"), arguments.get("after"), row.bid_count
    )
    if stream_events.is_closing(position):
        # An EventSource that is told 204 does not come back (HTML, 9.2.3).
        return flask.Response(status=204)
    hub = streams.hub()
    subscription = hub.subscribe(auction_id, position)
    response = flask.Response(hub.lines(subscription), mimetype="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    # Also when the client is gone before the first byte, when the generator never runs.
    response.call_on_close(lambda: hub.leave(subscription))
    return response


@blueprint.route("/<int:auction_id>/watch", methods=["PUT"])
@blueprint.requires(_WATCH)
@blueprint.response(204)
@blueprint.fails(NotFoundError)
def watch_auction(auction_id: int) -> None:
    """Watch an auction; a mail tells when it ends soon."""
    watching.watch(auction_id, identity.current().id)


@blueprint.route("/<int:auction_id>/watch", methods=["DELETE"])
@blueprint.requires(_WATCH)
@blueprint.response(204)
def unwatch_auction(auction_id: int) -> None:
    """Watch an auction no longer."""
    watching.unwatch(auction_id, identity.current().id)


@blueprint.route("/watched", methods=["GET"])
@blueprint.requires(_OWN)
@blueprint.arguments(lists.AuctionListing.arguments(), location="query")
@blueprint.response(200, _Summaries)
def list_watched(arguments: dict[str, Any]) -> Any:
    """List the auctions you watch."""
    return views.page(lists.WATCHED, arguments, {"identity_id": identity.current().id})


@blueprint.route("/mine", methods=["GET"])
@blueprint.requires(_OWN)
@blueprint.arguments(lists.AuctionListing.arguments(), location="query")
@blueprint.response(200, lists.AuctionListing.envelope(schemas.OwnSummary, **_NOW))
def list_mine(arguments: dict[str, Any]) -> Any:
    """List the auctions you created."""
    return views.page(lists.OWNED, arguments, {"identity_id": identity.current().id})


@blueprint.route("/my-bids", methods=["GET"])
@blueprint.requires(_OWN)
@blueprint.arguments(lists.AuctionListing.arguments(), location="query")
@blueprint.response(200, lists.AuctionListing.envelope(schemas.BidOnSummary, **_NOW))
def list_my_bids(arguments: dict[str, Any]) -> Any:
    """List the auctions you bid on, and whether you lead."""
    return views.bid_on_by(identity.current().id, arguments)


@blueprint.route("/preferences", methods=["GET"])
@blueprint.requires(_WATCH)
@blueprint.response(200, schemas.Preferences)
def get_preferences() -> Any:
    """Show what you are told by mail."""
    return {"announcements": watching.wants_announcements(identity.current().id)}


@blueprint.route("/preferences", methods=["PUT"])
@blueprint.requires(_WATCH)
@blueprint.arguments(schemas.Preferences)
@blueprint.response(200, schemas.Preferences)
def put_preferences(arguments: dict[str, Any]) -> Any:
    """Choose what you are told by mail."""
    watching.choose_announcements(identity.current().id, **arguments)
    return arguments
