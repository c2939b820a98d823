"""The way of a request: who may call, what commits, what is refused and how answers look."""

import json
from pathlib import Path
from urllib.parse import quote

import flask
import pytest

from torg import db, http, identity
from torg.blueprint import Blueprint
from torg.manifest import Manifest
from torg.plugins import Plugin, StartError, State
from torg.schemas import Id, Integer, List, MoneyField, Nested, QuerySchema, Schema, Text


class Lot(Schema):
    id = Id(dump_only=True)
    title = Text(maximum=40, required=True)
    price = MoneyField(required=True)


class Search(QuerySchema):
    limit = Integer(minimum=1, maximum=100, load_default=50)
    tag = Text(maximum=10)


class Found(Schema):
    limit = Integer()


class Basket(Schema):
    lots = List(Nested(Lot), maximum=5, required=True)


LOT = {"title": "Vase", "price": {"amount": "5.00", "currency": "EUR"}}


def make_kiosk():
    kiosk = Blueprint("kiosk", description="Lots for sale.")

    @kiosk.route("/")
    @kiosk.public
    @kiosk.arguments(Search, location="query")
    @kiosk.response(200, Found)
    def list_lots(arguments):
        """List lots."""
        return {"limit": arguments["limit"]}

    @kiosk.route("/", methods=["POST"])
    @kiosk.requires("kiosk.lot.create", verified=True)
    @kiosk.arguments(Lot)
    @kiosk.response(201, Lot)
    def add_lot(arguments):
        """Add a lot."""
        return {"id": 1, **arguments}, {"Location": "/api/v1/kiosk/1"}

    @kiosk.route("/<int:lot_id>")
    @kiosk.public
    @kiosk.response(200, Found)
    def show_lot(lot_id):
        """Show a lot."""
        return {"limit": lot_id}

    @kiosk.route("/<int:lot_id>", methods=["DELETE"])
    @kiosk.public
    @kiosk.response(204)
    def remove_lot(lot_id):
        """Remove a lot."""

    @kiosk.route("/baskets", methods=["POST"])
    @kiosk.public
    @kiosk.arguments(Basket)
    @kiosk.response(200)
    def fill_basket(arguments):
        """Fill a basket."""
        return {"count": len(arguments["lots"])}

    @kiosk.route("/notes", methods=["POST"])
    @kiosk.public
    @kiosk.arguments(Search, required=False)
    @kiosk.response(200)
    def note(arguments):
        """Note something, or nothing."""
        return {"given": sorted(arguments)}

    @kiosk.route("/me")
    @kiosk.requires()
    @kiosk.response(200)
    def show_me():
        """Show who asks, also from inside a unit of work of its own."""
        with db.unit_of_work():
            return {"username": identity.current().username}

    @kiosk.route("/whoever")
    @kiosk.public
    @kiosk.response(200)
    def show_whoever():
        """Show who asks, if anybody."""
        caller = identity.current_or_none()
        return {"username": caller.username if caller else None}

    return kiosk


@pytest.fixture
def app(make_api):
    return make_api(make_kiosk())


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def people(app):
    return app.extensions["torg.testing"]


def problem(answer, status, code):
    assert answer.status_code == status, answer.data
    assert answer.mimetype == "application/problem+json"
    assert answer.json["code"] == code, answer.json
    return answer.json


class TestAddresses:
    def test_a_trailing_slash_means_the_same(self, client, people):
        seller = people.add("ann", permissions=["kiosk.lot.create"])
        for address in ("/api/v1/kiosk", "/api/v1/kiosk/"):
            assert client.get(address).json == {"limit": 50}
            assert client.post(address, json=LOT, headers=seller.headers).status_code == 201
        assert client.get("/api/v1/kiosk/7/").json == {"limit": 7}
        assert client.delete("/api/v1/kiosk/7/").status_code == 204

    @pytest.mark.parametrize("number", ["9223372036854775808", "-1", "٣", "007", "1.0", "1e3"])
    def test_an_id_that_no_row_can_have_is_not_found(self, client, number):
        problem(client.get(f"/api/v1/kiosk/{quote(number)}"), 404, "not_found")

    def test_the_largest_id_is_an_id(self, client):
        assert client.get("/api/v1/kiosk/9223372036854775807").json == {"limit": 2**63 - 1}

    @pytest.mark.parametrize("raw", [b"\0", b"\xff", b"\xc3(", b"\xed\xa0\x80"])
    def test_an_address_that_is_no_text_is_malformed(self, client, raw):
        # A server hands over the bytes of a path as latin-1 characters.
        for path in ("/api/v1/kiosk/", "/nowhere/"):
            path_info = {"PATH_INFO": path + raw.decode("latin-1")}
            problem(client.get("/", environ_overrides=path_info), 400, "malformed_request")
        problem(client.get(f"/api/v1/kiosk?tag={quote(raw)}"), 400, "malformed_request")

    def test_double_slashes_are_not_redirected_to_a_page(self, client):
        problem(client.get("/api//v1/kiosk"), 404, "not_found")

    def test_a_wrong_method_is_told_the_right_ones(self, client):
        answer = client.put("/api/v1/kiosk/7")
        problem(answer, 405, "method_not_allowed")
        assert {"GET", "DELETE"} <= set(answer.headers["Allow"].split(", "))

    def test_head_is_get_without_the_body(self, client):
        answer = client.head("/api/v1/kiosk")
        assert (answer.status_code, answer.data) == (200, b"")
        assert answer.headers["ETag"] == client.get("/api/v1/kiosk").headers["ETag"]

    def test_an_answer_without_content_has_no_body(self, client):
        answer = client.delete("/api/v1/kiosk/7")
        assert (answer.status_code, answer.data) == (204, b"")


class TestAccess:
    def test_nobody_is_asked_to_sign_in(self, client):
        answer = client.post("/api/v1/kiosk", json=LOT)
        problem(answer, 401, "unauthorized")
        assert answer.headers["WWW-Authenticate"] == "Bearer"

    def test_a_token_of_nobody_is_refused(self, client):
        headers = {"Authorization": "Bearer testkit-999"}
        problem(client.post("/api/v1/kiosk", json=LOT, headers=headers), 401, "unauthorized")

    def test_a_missing_permission_is_named(self, client, people):
        buyer = people.add("bob", permissions=[])
        answer = client.post("/api/v1/kiosk", json=LOT, headers=buyer.headers)
        assert problem(answer, 403, "permission_denied")["permission"] == "kiosk.lot.create"

    def test_an_unconfirmed_address_is_refused_where_it_counts(self, client, people):
        eve = people.add("eve", permissions=["kiosk.lot.create"], email_verified=False)
        answer = client.post("/api/v1/kiosk", json=LOT, headers=eve.headers)
        problem(answer, 403, "email_unverified")

    def test_access_is_judged_before_the_body_is_read(self, client):
        problem(client.post("/api/v1/kiosk", data="{"), 401, "unauthorized")

    def test_who_may_call_is_served(self, client, people):
        seller = people.add("ann", permissions=["kiosk.lot.create"])
        answer = client.post("/api/v1/kiosk", json=LOT, headers=seller.headers)
        assert answer.status_code == 201
        assert answer.json == {"id": 1, **LOT}
        assert answer.headers["Location"] == "/api/v1/kiosk/1"

    def test_a_unit_of_work_inside_the_request_knows_who_asks(self, client, people):
        ann = people.add("ann", permissions=[])
        assert client.get("/api/v1/kiosk/me", headers=ann.headers).json == {"username": "ann"}

    def test_on_a_public_route_a_stale_token_is_no_hindrance(self, client, people):
        ann = people.add("ann", permissions=[])
        stale = {"Authorization": "Bearer testkit-999"}
        assert client.get("/api/v1/kiosk/whoever", headers=ann.headers).json["username"] == "ann"
        assert client.get("/api/v1/kiosk/whoever", headers=stale).json["username"] is None

    def test_one_request_s_caller_is_not_the_next_one_s(self, client, people):
        ann = people.add("ann", permissions=[])
        client.get("/api/v1/kiosk/whoever", headers=ann.headers)
        assert client.get("/api/v1/kiosk/whoever").json["username"] is None

    @pytest.mark.parametrize("state", [State.PENDING, State.PAUSED, State.QUARANTINED])
    def test_a_plugin_that_is_not_active_answers_unavailable(self, app, client, state):
        registry = app.extensions["torg.plugins"]
        registry.plugins["kiosk"] = Plugin(manifest("kiosk"), State.ACTIVE)
        assert client.get("/api/v1/kiosk").status_code == 200
        registry.plugins["kiosk"].state = state
        answer = client.get("/api/v1/kiosk")
        found = problem(answer, 503, "plugin_unavailable")
        assert (found["plugin"], found["state"]) == ("kiosk", str(state))
        assert answer.headers["Retry-After"]

    @pytest.mark.parametrize("state", [State.QUARANTINED, State.BLOCKED, State.INCOMPATIBLE])
    def test_a_plugin_that_never_got_its_routes_answers_unavailable(self, app, client, state):
        app.extensions["torg.plugins"].plugins["ghost"] = Plugin(manifest("ghost"), state)
        for address in ("/api/v1/ghost", "/api/v1/ghost/7/bids"):
            problem(client.get(address), 503, "plugin_unavailable")
        problem(client.get("/api/v1/ghostly"), 404, "not_found")

    def test_a_plugin_that_is_switched_off_is_not_there(self, app, client):
        app.extensions["torg.plugins"].plugins["ghost"] = Plugin(manifest("ghost"), State.DISABLED)
        problem(client.get("/api/v1/ghost"), 404, "not_found")


def manifest(name):
    return Manifest(name, name, "1", Path(), url_prefix=name)


class TestStart:
    def test_a_route_that_says_nothing_of_access_stops_the_start(self, make_api):
        kiosk = Blueprint("kiosk")

        @kiosk.route("/secrets")
        @kiosk.response(200)
        def show_secrets():
            """Show secrets."""

        wanted = r"GET /api/v1/kiosk/secrets of plugin kiosk is neither"
        with pytest.raises(StartError, match=wanted):
            make_api(kiosk)

    def test_one_route_of_two_plugins_stops_the_start_with_both_names(self, make_api):
        first, second = Blueprint("first"), Blueprint("second")
        for blueprint in (first, second):

            @blueprint.route("/<int:any_name>" if blueprint is first else "/<int:other>")
            @blueprint.public
            @blueprint.response(200)
            def show(**_arguments):
                """Show."""

        app = make_api()
        http.mount(app, first, plugin="first", prefix="things")
        with pytest.raises(StartError, match="plugins first and second both claim"):
            http.mount(app, second, plugin="second", prefix="things")

    def test_one_route_claimed_twice_stops_the_start(self, make_api):
        kiosk = Blueprint("kiosk")

        @kiosk.route("/<int:lot_id>")
        @kiosk.public
        @kiosk.response(200)
        def show(lot_id):
            """Show."""

        @kiosk.route("/<int:other_name>/")
        @kiosk.public
        @kiosk.response(200)
        def show_again(other_name):
            """Show."""

        with pytest.raises(StartError, match=r"is claimed by .*kiosk.*kiosk"):
            make_api(kiosk)

    def test_a_rate_that_is_none_stops_the_start(self, make_api):
        kiosk = Blueprint("kiosk")

        @kiosk.route("/")
        @kiosk.public
        @kiosk.limit("often")
        @kiosk.response(200)
        def show():
            """Show."""

        with pytest.raises(StartError, match="kiosk_show declares the rate 'often'"):
            make_api(kiosk)


def test_addresses_forwarded_by_strangers_are_not_believed(make_api):
    seen = {}
    kiosk = Blueprint("kiosk")

    @kiosk.route("/")
    @kiosk.public
    @kiosk.response(200)
    def show():
        """Show."""
        seen["address"] = flask.request.remote_addr
        return {}

    forged = {"X-Forwarded-For": "1.1.1.1, 2.2.2.2"}
    make_api(kiosk).test_client().get("/api/v1/kiosk", headers=forged)
    assert seen["address"] == "127.0.0.1"
    make_api(kiosk, proxy_hops=1).test_client().get("/api/v1/kiosk", headers=forged)
    assert seen["address"] == "2.2.2.2"


def test_every_answer_is_json_that_a_strict_reader_takes(client, people):
    seller = people.add("ann", permissions=["kiosk.lot.create"])
    answer = client.post("/api/v1/kiosk", json={**LOT, "title": "Ваза 🏺"}, headers=seller.headers)
    assert json.loads(answer.data)["title"] == "Ваза 🏺"
