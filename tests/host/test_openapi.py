"""The API documents: valid for every set of plugins, complete, and readable without a network."""

import itertools
import json
import re
from pathlib import Path

import flask
import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

import torg
from torg import openapi, postman
from torg.blueprint import Blueprint
from torg.errors import ConflictError
from torg.manifest import Manifest
from torg.openapi_rules import operations_of
from torg.schemas import (
    Enum,
    HostField,
    Id,
    Integer,
    List,
    MoneyField,
    Nested,
    QuerySchema,
    Schema,
    Text,
    Timestamp,
)


class BidTooLowError(ConflictError):
    """Bid at least the lowest bid that is named in the answer."""

    code = "bid_too_low"
    title = "Bid too low"
    detail = "Bid at least {minimum_bid}."
    public = ("minimum_bid",)
    example = {"minimum_bid": {"amount": "10.00", "currency": "EUR"}}  # noqa: RUF012


class Bid(Schema):
    id = Id(dump_only=True)
    amount = MoneyField(required=True)
    placed_at = Timestamp(dump_only=True)
    secret = Text(maximum=10, load_only=True)


class Lot(Schema):
    id = Id()
    title = Text(maximum=40, description="What is sold.")
    best = Nested(Bid, allow_none=True)
    bids = List(Nested(Bid), maximum=10)
    state = Enum(["open", "closed"])


class Search(QuerySchema):
    limit = Integer(minimum=1, maximum=100, load_default=50)
    state = Enum(["open", "closed"], required=True)


def make_auction():
    auction = Blueprint("auction", description="Lots and bids.")

    @auction.route("/")
    @auction.public
    @auction.ready_answer(tags=("auctions",), seconds=5)
    @auction.arguments(Search, location="query")
    @auction.response(200, Lot(many=True))
    def list_lots(arguments):
        """List lots."""

    @auction.route("/<int:lot_id>/bids", methods=["POST"])
    @auction.requires("auction.bid.place", verified=True)
    @auction.arguments(Bid)
    @auction.response(201, Bid)
    @auction.fails(BidTooLowError)
    @auction.idempotent
    @auction.limit("60 per minute", by="identity")
    def place_bid(arguments, lot_id):
        """Place a bid.

        The highest bid wins.
        """

    @auction.route("/<int:lot_id>", methods=["PUT", "PATCH"])
    @auction.requires("auction.lot.edit")
    @auction.arguments(Lot(partial=True))
    @auction.response(200, Lot)
    @auction.if_match
    def edit_lot(arguments, lot_id):
        """Edit a lot."""

    @auction.route("/<int:lot_id>", methods=["DELETE"])
    @auction.requires("auction.lot.edit")
    @auction.response(204)
    def remove_lot(lot_id):
        """Remove a lot."""

    return auction


def make_kiosk():
    class Lot(Schema):
        sku = Text(maximum=12)

    kiosk = Blueprint("kiosk")

    @kiosk.route("/<string:sku>")
    @kiosk.public
    @kiosk.response(200, Lot)
    def show_lot(sku):
        """Show a lot."""

    return kiosk


def make_accounts():
    accounts = Blueprint("accounts", description="People.")

    @accounts.route("/me")
    @accounts.requires()
    @accounts.response(200, Schema.from_dict({"name": Text(maximum=20)}))
    def show_me():
        """Show who asks."""

    return accounts


MAKERS = {"auction": make_auction, "kiosk": make_kiosk, "accounts": make_accounts}


def make_broken():
    class Unspeakable(HostField):
        def openapi(self):
            raise RuntimeError("cannot be described")

    class Odd(Schema):
        field = Unspeakable()

    broken = Blueprint("broken")

    @broken.route("/")
    @broken.public
    @broken.response(200, Odd)
    def show():
        """Show."""

    return broken


@pytest.fixture
def app(make_api):
    return make_api(*(make() for make in MAKERS.values()))


@pytest.fixture
def document(app):
    return app.test_client().get("/openapi.json").json


def validate(document):
    errors = [str(error) for error in OpenAPIV31SpecValidator(document).iter_errors()]
    assert errors == []


SUBSETS = [
    names for size in range(len(MAKERS) + 1) for names in itertools.combinations(MAKERS, size)
]


@pytest.mark.parametrize("names", SUBSETS, ids="+".join)
def test_every_set_of_plugins_has_a_valid_and_complete_document(make_api, names):
    app = make_api(*(MAKERS[name]() for name in names))
    validate(openapi.document(app))
    assert openapi.check(app) == []
    for name in names:
        validate(openapi.document(app, name))


def test_every_example_fits_its_schema(document):
    tried = 0
    for path, method, described in operations_of(document):
        parts = [*described["responses"].values(), described.get("requestBody", {})]
        for content in itertools.chain(*(part.get("content", {}).values() for part in parts)):
            values = [each["value"] for each in content.get("examples", {}).values()]
            for value in [*values, *([content["example"]] if "example" in content else [])]:
                schema = {**content["schema"], "components": document["components"]}
                found = [error.message for error in OAS31Validator(schema).iter_errors(value)]
                assert found == [], f"{method} {path}: {value}"
                tried += 1
    assert tried


def test_a_plugin_is_described_the_same_whoever_else_is_there(make_api):
    alone = openapi.document(make_api(make_auction()), "auction")
    among = openapi.document(make_api(*(make() for make in MAKERS.values())), "auction")
    assert alone == among


def test_schemas_carry_the_name_of_their_plugin(document):
    schemas = document["components"]["schemas"]
    assert {"auction.Lot", "auction.Bid", "kiosk.Lot", "Problem"} <= set(schemas)
    assert set(schemas["kiosk.Lot"]["properties"]) == {"sku"}
    assert "auction.LotChanges" in schemas


def test_an_operation_tells_all_that_the_blueprint_declares(document):
    place = document["paths"]["/api/v1/auction/{lot_id}/bids"]["post"]
    assert place["operationId"] == "auction_place_bid"
    assert place["summary"] == "Place a bid"
    assert place["description"].startswith("The highest bid wins.")
    assert "auction.bid.place" in place["description"]
    assert place["tags"] == ["auction"]
    assert place["security"] == [{"bearer": []}]
    assert {"201", "400", "401", "403", "404", "409", "413", "415", "422", "429", "503"} <= set(
        place["responses"]
    )
    references = {each["$ref"].rpartition("/")[2] for each in place["parameters"]}
    assert {"IdempotencyKey", "AcceptLanguage"} <= references


def test_a_refusal_is_shown_with_its_facts(document):
    place = document["paths"]["/api/v1/auction/{lot_id}/bids"]["post"]
    examples = place["responses"]["409"]["content"]["application/problem+json"]["examples"]
    assert set(examples) == {"bid_too_low", "request_in_progress"}
    value = examples["bid_too_low"]["value"]
    assert value["minimum_bid"] == {"amount": "10.00", "currency": "EUR"}
    assert value["type"] == "https://torg.example/errors/bid_too_low"
    assert value["status"] == 409


def test_examples_hold_what_is_sent_and_what_is_answered(document):
    place = document["paths"]["/api/v1/auction/{lot_id}/bids"]["post"]
    sent = place["requestBody"]["content"]["application/json"]["example"]
    assert sent == {"amount": {"amount": "19.99", "currency": "EUR"}, "secret": "text"}
    answered = place["responses"]["201"]["content"]["application/json"]["example"]
    assert set(answered) == {"id", "amount", "placed_at"}


def test_money_is_text_everywhere(document):
    amount = document["components"]["schemas"]["auction.Bid"]["properties"]["amount"]
    assert amount["properties"]["amount"]["type"] == "string"


def test_a_public_operation_needs_no_token(document):
    listed = document["paths"]["/api/v1/auction"]["get"]
    assert listed["security"] == []
    assert "401" not in listed["responses"]
    assert "304" in listed["responses"]
    assert "ETag" in listed["responses"]["200"]["headers"]


def test_a_view_of_two_methods_is_two_operations(document):
    item = document["paths"]["/api/v1/auction/{lot_id}"]
    assert item["put"]["operationId"] == "auction_edit_lot_put"
    assert item["patch"]["operationId"] == "auction_edit_lot_patch"
    assert "412" in item["patch"]["responses"]
    assert "content" not in item["delete"]["responses"]["204"]


def test_a_plugin_that_cannot_be_described_harms_no_other(make_api):
    app = make_api(make_kiosk(), make_broken())
    client = app.test_client()
    whole = client.get("/openapi.json").json
    validate(whole)
    assert whole["info"]["x-missing-plugins"] == ["broken"]
    assert "/api/v1/kiosk/{sku}" in whole["paths"]
    assert client.get("/openapi/kiosk.json").status_code == 200
    answer = client.get("/openapi/broken.json")
    assert (answer.status_code, answer.json["code"]) == (503, "document_broken")


def test_two_schemas_of_one_name_in_a_plugin_are_an_error_and_not_a_second_name(make_api):
    first, second = make_auction(), make_kiosk()
    second.name = "auction_kiosk"
    app = make_api()
    manifest = Manifest("auction", "x", "1", Path(), "A", url_prefix="auction")
    openapi.mount(app, manifest, [first, second])
    with pytest.raises(openapi.DocumentBrokenError):
        openapi.document(app, "auction")


def test_a_document_that_is_known_is_not_sent_again(app):
    client = app.test_client()
    tag = client.get("/openapi.json").headers["ETag"]
    assert client.get("/openapi.json", headers={"If-None-Match": tag}).status_code == 304


def test_the_document_of_an_unknown_plugin_is_not_found(app):
    assert app.test_client().get("/openapi/none.json").json["code"] == "not_found"


class TestPages:
    @pytest.mark.parametrize("address", ["/docs", "/redoc", "/docs/", "/redoc/"])
    def test_a_page_loads_everything_from_here_and_runs_no_script_of_its_own(self, app, address):
        client = app.test_client()
        answer = client.get(address)
        html = answer.text
        policy = answer.headers["Content-Security-Policy"]
        assert "script-src 'self';" in policy
        assert "unsafe-eval" not in policy
        addresses = re.findall(r'(?:src|href)="([^"]+)"', html)
        assert addresses
        for each in addresses:
            assert each.startswith("/"), each
            with client.get(each) as loaded:
                assert loaded.status_code == 200, each
        scripts = re.findall(r"<script([^>]*)>(.*?)</script>", html, re.DOTALL)
        assert scripts
        assert all("src=" in attributes and not text for attributes, text in scripts)
        assert not re.search(r"\son\w+=|style=", html)

    def test_vendored_scripts_come_with_their_licences_and_call_no_one(self):
        folder = Path(torg.__file__).parent / "static" / "docs"
        for vendored in ("swagger-ui-dist-5.35.0", "redoc-2.5.4"):
            assert (folder / vendored / "LICENSE").is_file()
        assert "cdn." not in (folder / "redoc-2.5.4" / "redoc.standalone.js").read_text()
        assert "validatorUrl: null" in (folder / "swagger.js").read_text()

    def test_vendored_files_may_be_kept_for_ever_and_others_not(self, app):
        client = app.test_client()
        with client.get("/docs/assets/redoc-2.5.4/LICENSE") as kept:
            assert "immutable" in kept.headers["Cache-Control"]
        with client.get("/docs/assets/redoc.js") as changing:
            assert "immutable" not in changing.headers["Cache-Control"]

    @pytest.mark.parametrize("name", ["../../../app.py", "..%2f..%2f..%2fapp.py", "none.js"])
    def test_no_other_file_can_be_read(self, app, name):
        answer = app.test_client().get(f"/docs/assets/{name}")
        assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")

    def test_documents_can_be_switched_off(self, make_api):
        client = make_api(make_kiosk(), docs_enabled=False).test_client()
        for address in ("/docs", "/redoc", "/openapi.json", "/openapi/kiosk.json", "/postman.json"):
            assert client.get(address).status_code == 404


class TestPostman:
    @pytest.fixture
    def collection(self, app):
        return app.test_client().get("/postman.json").json

    def items(self, collection):
        return {item["name"]: item for folder in collection["item"] for item in folder["item"]}

    def test_every_operation_is_a_request(self, app, collection):
        assert len(self.items(collection)) == len({"List", "Place", "Edit", "Remove"}) + 2
        assert collection["info"]["schema"].endswith("/v2.1.0/collection.json")

    def test_token_and_address_are_variables(self, collection):
        variables = {each["key"]: each["value"] for each in collection["variable"]}
        assert variables == {"base_url": "https://torg.example", "token": ""}
        assert collection["auth"]["bearer"][0]["value"] == "{{token}}"

    def test_a_request_is_ready_to_be_sent(self, collection):
        place = self.items(collection)["Place a bid"]["request"]
        assert place["url"]["raw"] == "{{base_url}}/api/v1/auction/:lot_id/bids"
        assert place["url"]["variable"] == [{"key": "lot_id", "value": "1"}]
        assert json.loads(place["body"]["raw"])["amount"]["amount"] == "19.99"
        keys = {each["key"]: each for each in place["header"]}
        assert keys["Idempotency-Key"]["value"] == "{{$guid}}"

    def test_parameters_that_may_be_left_out_are_switched_off(self, collection):
        listed = self.items(collection)["List lots"]["request"]
        switched = {each["key"]: each["disabled"] for each in listed["url"]["query"]}
        assert switched == {"limit": True, "state": False}
        assert listed["url"]["raw"].endswith("/auction?state=open")
        assert listed["auth"] == {"type": "noauth"}

    def test_answers_are_shown(self, collection):
        codes = {each["code"] for each in self.items(collection)["Place a bid"]["response"]}
        assert {201, 401, 409, 422} <= codes

    def test_it_can_be_made_without_a_server(self, document):
        assert postman.collection(document, "https://elsewhere.example")["variable"][0][
            "value"
        ] == ("https://elsewhere.example")


def test_the_check_names_what_an_operation_lacks(make_api):
    kiosk = Blueprint("kiosk")

    @kiosk.route("/")
    @kiosk.public
    def show():
        return flask.Response("x")

    app = make_api(kiosk)
    assert openapi.check(app) == [
        "GET /api/v1/kiosk has no summary",
        "GET /api/v1/kiosk describes no success",
    ]
