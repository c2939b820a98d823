"""Entity tags: nothing is sent twice, and nobody overwrites what he has not seen."""

import pytest
from werkzeug.datastructures import Headers

from torg import etag
from torg.blueprint import Blueprint

KEPT = {"title": "vase"}


@pytest.fixture
def client(make_api):
    shelf = Blueprint("shelf")
    kept = dict(KEPT)

    @shelf.route("/")
    @shelf.public
    @shelf.response(200)
    def show():
        """Show."""
        return kept

    @shelf.route("/clock")
    @shelf.public
    @shelf.response(200)
    def show_with_time():
        """Show with the time."""
        etag.attach(etag.of([7, "version 1"]))
        return {"title": "vase", "server_time": "now"}

    @shelf.route("/", methods=["PUT"])
    @shelf.public
    @shelf.if_match
    @shelf.response(200)
    def change():
        """Change."""
        etag.require_match(kept)
        return kept

    @shelf.route("/strict", methods=["PUT"])
    @shelf.public
    @shelf.if_match
    @shelf.response(200)
    def change_strictly():
        """Change, but never blindly."""
        etag.require_match(etag.of(kept), required=True)
        return kept

    @shelf.route("/forgetful", methods=["PUT"])
    @shelf.public
    @shelf.if_match
    @shelf.response(200)
    def change_forgetfully():
        """Change without looking."""
        return kept

    return make_api(shelf).test_client()


@pytest.fixture
def tag(client):
    return client.get("/api/v1/shelf").headers["ETag"]


def test_an_answer_carries_a_strong_tag_of_its_bytes(client, tag):
    assert tag.startswith('"')
    assert tag == f'"{etag.of(client.get("/api/v1/shelf").data)}"'
    assert tag == f'"{etag.of(KEPT)}"'


@pytest.mark.parametrize("form", ["{0}", "W/{0}", '"other", {0}', "*"])
def test_what_the_client_has_is_not_sent_again(client, tag, form):
    answer = client.get("/api/v1/shelf", headers={"If-None-Match": form.format(tag)})
    assert (answer.status_code, answer.data) == (304, b"")
    assert answer.headers["ETag"] == tag
    assert "Content-Type" not in answer.headers
    assert answer.headers["X-Request-Id"]


@pytest.mark.parametrize("given", ['"other"', "", "garbage", '"', "\xff"])
def test_anything_else_is_sent(client, given):
    answer = client.get("/api/v1/shelf", headers={"If-None-Match": given})
    assert (answer.status_code, answer.json) == (200, KEPT)


def test_a_body_with_the_time_in_it_may_have_a_tag_of_its_own(client):
    first = client.get("/api/v1/shelf/clock").headers["ETag"]
    assert first == f'"{etag.of([7, "version 1"])}"'


def test_who_has_seen_the_present_state_may_change_it(client, tag):
    assert client.put("/api/v1/shelf", headers={"If-Match": tag}).status_code == 200
    assert client.put("/api/v1/shelf", headers={"If-Match": f'"x", {tag}'}).status_code == 200
    assert client.put("/api/v1/shelf", headers={"If-Match": "*"}).status_code == 200


@pytest.mark.parametrize("given", ['"other"', "garbage", ""])
def test_who_has_seen_another_state_may_not(client, tag, given):
    answer = client.put("/api/v1/shelf", headers={"If-Match": given})
    assert (answer.status_code, answer.json["code"]) == (412, "precondition_failed")
    assert answer.headers["ETag"] == tag


def test_a_weak_tag_is_not_enough_for_a_change(client, tag):
    answer = client.put("/api/v1/shelf", headers={"If-Match": f"W/{tag}"})
    assert answer.status_code == 412


def test_without_a_tag_a_change_is_allowed_unless_the_route_insists(client):
    assert client.put("/api/v1/shelf").status_code == 200
    answer = client.put("/api/v1/shelf/strict")
    assert (answer.status_code, answer.json["code"]) == (428, "precondition_required")


def test_a_view_that_forgets_to_compare_fails_closed(client, tag):
    assert client.put("/api/v1/shelf/forgetful").status_code == 200
    assert client.put("/api/v1/shelf/forgetful", headers={"If-Match": tag}).status_code == 500


def test_a_change_carries_no_tag_that_could_be_mistaken_for_the_resource_s(client):
    assert "ETag" not in Headers(client.put("/api/v1/shelf").headers)
