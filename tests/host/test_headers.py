"""Headers that every answer carries, refusals and pages included."""

import pytest

from torg.blueprint import Blueprint


def make_kiosk():
    kiosk = Blueprint("kiosk")

    @kiosk.route("/", methods=["GET", "POST"])
    @kiosk.public
    @kiosk.response(200)
    def show():
        """Show."""
        return {}

    @kiosk.route("/me")
    @kiosk.requires()
    @kiosk.response(200)
    def show_me():
        """Show who asks."""
        return {}

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


class TestHeaders:
    def test_a_sane_request_id_is_echoed(self, client):
        answer = client.get("/api/v1/kiosk", headers={"X-Request-Id": "order-7/a"})
        assert answer.headers["X-Request-Id"] == "order-7/a"

    @pytest.mark.parametrize("given", ["", "x" * 129, "a b", "\xe9", None])
    def test_any_other_request_id_is_replaced(self, client, given):
        headers = {} if given is None else {"X-Request-Id": given}
        made = client.get("/api/v1/kiosk", headers=headers).headers["X-Request-Id"]
        assert made != given
        assert len(made) == 32

    def test_a_problem_names_its_request(self, client):
        answer = client.get("/nowhere")
        assert answer.json["request_id"] == answer.headers["X-Request-Id"]

    @pytest.mark.parametrize("address", ["/api/v1/kiosk", "/nowhere", "/errors"])
    def test_every_answer_is_guarded(self, client, address):
        headers = client.get(address).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert "Strict-Transport-Security" not in headers

    def test_a_secure_line_is_to_stay_secure(self, client):
        answer = client.get("/api/v1/kiosk", base_url="https://torg.example")
        assert "max-age" in answer.headers["Strict-Transport-Security"]

    def test_what_a_token_opens_is_stored_nowhere(self, client, people):
        ann = people.add("ann", permissions=[])
        assert client.get("/api/v1/kiosk/me", headers=ann.headers).headers["Cache-Control"] == (
            "no-store"
        )
        assert client.get("/api/v1/kiosk").headers["Cache-Control"] == "no-cache"

    def test_no_cookie_is_ever_set(self, client):
        assert "Set-Cookie" not in client.get("/api/v1/kiosk").headers

    def test_time_and_queries_are_told_to_developers_only(self, make_api, client):
        debugged = make_api(make_kiosk(), debug=True).test_client()
        timing = debugged.get("/api/v1/kiosk").headers["Server-Timing"]
        assert "db;dur=" in timing
        assert 'desc="0 queries"' in timing
        assert "Server-Timing" not in client.get("/api/v1/kiosk").headers


class TestOtherOrigins:
    @pytest.fixture
    def client(self, make_api):
        return make_api(make_kiosk(), cors_origins=("https://kiosk.example",)).test_client()

    def test_the_page_of_a_listed_origin_may_read_the_answer(self, client):
        headers = client.get("/api/v1/kiosk", headers={"Origin": "https://kiosk.example"}).headers
        assert headers["Access-Control-Allow-Origin"] == "https://kiosk.example"
        assert "X-Request-Id" in headers["Access-Control-Expose-Headers"]
        assert "Origin" in headers["Vary"]
        assert "Access-Control-Allow-Credentials" not in headers

    @pytest.mark.parametrize(
        "origin",
        ["https://kiosk.example.evil", "http://kiosk.example", "null", "https://SHOP.example"],
    )
    def test_any_other_page_may_not(self, client, origin):
        headers = client.get("/api/v1/kiosk", headers={"Origin": origin}).headers
        assert "Access-Control-Allow-Origin" not in headers
        assert "Origin" in headers["Vary"]

    def test_a_refusal_can_be_read_too(self, client):
        headers = client.get("/nowhere", headers={"Origin": "https://kiosk.example"}).headers
        assert headers["Access-Control-Allow-Origin"] == "https://kiosk.example"

    def test_a_browser_s_question_is_answered_before_the_call(self, client):
        asked = {"Origin": "https://kiosk.example", "Access-Control-Request-Method": "POST"}
        answer = client.options("/api/v1/kiosk", headers=asked)
        assert answer.status_code == 204
        assert "POST" in answer.headers["Access-Control-Allow-Methods"]
        assert "Idempotency-Key" in answer.headers["Access-Control-Allow-Headers"]

    def test_a_stranger_s_question_gets_no_leave(self, client):
        asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
        assert "Access-Control-Allow-Methods" not in client.options("/", headers=asked).headers

    def test_options_lists_the_methods(self, client):
        answer = client.options("/api/v1/kiosk")
        assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))
