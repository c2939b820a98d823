"""What comes in is read strictly: anything odd is a 4xx that points at its place."""

import io

import pytest

from torg.blueprint import Blueprint
from torg.schemas import Integer, List, MoneyField, Nested, QuerySchema, Schema, Text
from torg.testing_inputs import BODIES, QUERIES, bodies


class Lot(Schema):
    title = Text(maximum=40, required=True)
    price = MoneyField(required=True)


class Search(QuerySchema):
    limit = Integer(minimum=1, maximum=100, load_default=50)
    tag = Text(maximum=10)


class Basket(Schema):
    lots = List(Nested(Lot), maximum=5, required=True)


LOT = {"title": "Vase", "price": {"amount": "5.00", "currency": "EUR"}}


def make_kiosk():
    kiosk = Blueprint("kiosk")

    @kiosk.route("/")
    @kiosk.public
    @kiosk.arguments(Search, location="query")
    @kiosk.response(200)
    def list_lots(arguments):
        """List lots."""
        return {"limit": arguments["limit"]}

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

    return kiosk


@pytest.fixture
def client(make_api):
    return make_api(make_kiosk()).test_client()


def problem(answer, status, code):
    assert answer.status_code == status, answer.data
    assert answer.mimetype == "application/problem+json"
    assert answer.json["code"] == code, answer.json
    return answer.json


class TestBodies:
    def post(self, client, data, content_type="application/json", **headers):
        return client.post(
            "/api/v1/kiosk/baskets", data=data, content_type=content_type, headers=headers
        )

    def test_no_body_is_refused_where_one_is_needed(self, client):
        problem(self.post(client, b""), 400, "body_required")

    def test_no_body_is_fine_where_none_is_needed(self, client):
        assert client.post("/api/v1/kiosk/notes").json == {"given": ["limit"]}

    @pytest.mark.parametrize("kind", ["text/plain", "application/xml", "", "application/x+json"])
    def test_a_body_that_is_not_json_is_refused_by_its_type(self, client, kind):
        problem(self.post(client, b'{"lots": []}', kind), 415, "unsupported_media_type")
        answer = client.post("/api/v1/kiosk/notes", data=b"{}", content_type=kind)
        problem(answer, 415, "unsupported_media_type")

    def test_a_compressed_body_is_refused_by_its_encoding(self, client):
        answer = self.post(client, b"\x1f\x8b", **{"Content-Encoding": "gzip"})
        problem(answer, 415, "unsupported_media_type")

    @pytest.mark.parametrize("raw", [b"{", b'{"lots": [],}', b"NaN", b"\xff", b"'a'"])
    def test_what_is_no_json_is_malformed(self, client, raw):
        problem(self.post(client, raw), 400, "malformed_json")

    @pytest.mark.parametrize("raw", [b"[]", b"[[]]", b"null", b'"text"', b"1", b"true"])
    def test_another_value_than_an_object_is_refused(self, client, raw):
        found = problem(self.post(client, raw), 422, "validation_failed")
        assert found["errors"][0]["pointer"] == ""

    def test_every_wrong_place_is_pointed_at(self, client):
        body = {"lots": [LOT, {"title": "", "price": {"amount": "x", "currency": "EUR"}}, 3]}
        found = problem(client.post("/api/v1/kiosk/baskets", json=body), 422, "validation_failed")
        assert {(each["pointer"], each["code"]) for each in found["errors"]} == {
            ("/lots/1/title", "too_short"),
            ("/lots/1/price/amount", "malformed_amount"),
            ("/lots/2", "invalid_type"),
        }

    def test_an_unknown_name_is_told_the_known_ones(self, client):
        body = {"lots": [{**LOT, "a/b~c": 1}]}
        found = problem(client.post("/api/v1/kiosk/baskets", json=body), 422, "validation_failed")
        (only,) = found["errors"]
        assert (only["pointer"], only["code"]) == ("/lots/0/a~1b~0c", "unknown")
        assert only["message"] == "Unknown here. Allowed: price, title."

    def test_a_thousand_wrong_items_get_no_thousand_sentences(self, client):
        body = {f"name{number}": 1 for number in range(1000)}
        found = problem(client.post("/api/v1/kiosk/baskets", json=body), 422, "validation_failed")
        assert len(found["errors"]) == 100

    def test_a_body_above_one_mebibyte_is_too_large(self, client):
        at_limit = b'{"lots": []' + b" " * (1024 * 1024 - 12) + b"}"
        assert self.post(client, at_limit).status_code == 200
        problem(self.post(client, at_limit + b" "), 413, "body_too_large")

    def test_a_streamed_body_is_cut_at_the_limit(self, client):
        endless = io.BytesIO(b'{"lots": []' + b" " * 3 * 1024 * 1024)
        answer = client.post(
            "/api/v1/kiosk/baskets",
            content_type="application/json",
            environ_overrides={
                "wsgi.input": endless,
                "wsgi.input_terminated": True,
                "CONTENT_LENGTH": "",
            },
        )
        problem(answer, 413, "body_too_large")
        assert endless.tell() < 2 * 1024 * 1024

    def test_a_body_for_a_view_that_reads_none_is_bounded_too(self, client):
        answer = client.delete("/api/v1/kiosk/7", data=b"x" * (1024 * 1024 + 1))
        problem(answer, 413, "body_too_large")


class TestQueries:
    def test_an_unknown_parameter_is_told_the_known_ones(self, client):
        found = problem(client.get("/api/v1/kiosk?colour=red"), 422, "validation_failed")
        (only,) = found["errors"]
        assert (only["pointer"], only["code"]) == ("?colour", "unknown")
        assert only["message"] == "Unknown here. Allowed: limit, tag."

    def test_a_wrong_value_is_pointed_at(self, client):
        found = problem(client.get("/api/v1/kiosk?limit=101"), 422, "validation_failed")
        assert found["errors"][0]["pointer"] == "?limit"
        assert found["errors"][0]["code"] == "out_of_range"

    def test_a_parameter_with_one_value_may_not_be_given_twice(self, client):
        found = problem(client.get("/api/v1/kiosk?limit=1&limit=2"), 422, "validation_failed")
        assert found["errors"][0] == {
            "pointer": "?limit",
            "code": "repeated",
            "message": "This parameter may be given once only.",
        }


class TestCorpus:
    """What broke other systems."""

    def test_no_body_costs_more_than_a_refusal(self, client):
        for raw in BODIES:
            answer = client.post("/api/v1/kiosk/baskets", data=raw, content_type="application/json")
            assert 400 <= answer.status_code < 500, raw[:60]

    def test_no_value_costs_more_than_a_refusal(self, client):
        for name, raw in bodies({"lots": [LOT]}):
            answer = client.post("/api/v1/kiosk/baskets", data=raw, content_type="application/json")
            assert answer.status_code < 500, name
            if answer.status_code >= 400:
                assert answer.mimetype == "application/problem+json", name

    def test_no_query_costs_more_than_a_refusal(self, client):
        for query in QUERIES:
            assert client.get(f"/api/v1/kiosk?{query}").status_code < 500, query
