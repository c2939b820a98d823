"""Refusals: one shape, stable codes, words in the caller's language, nothing of the inside."""

from decimal import Decimal

import marshmallow
import pytest
from redis.exceptions import ConnectionError as RedisAwayError
from werkzeug import exceptions

from torg import errors
from torg.blueprint import Blueprint
from torg.errors import FieldProblem, InvalidError, TooManyError, TorgError
from torg.money import Money


class LowStockError(errors.ConflictError):
    """Fewer are left than you asked for.

    Ask for at most `left`.
    """

    code = "low_stock"
    title = "Too few left"
    detail = "Only {left} of {what} are left at {price}."
    public = ("left", "price", "share")


class Refusing:
    def __init__(self, make_api, **settings):
        self.error = None
        kiosk = Blueprint("kiosk")

        @kiosk.route("/")
        @kiosk.public
        @kiosk.response(200)
        def show():
            """Show."""
            raise self.error

        self.client = make_api(kiosk, **settings).test_client()

    def answer(self, error, **headers):
        self.error = error
        return self.client.get("/api/v1/kiosk", headers=headers)


@pytest.fixture
def refusing(make_api):
    return Refusing(make_api)


def test_a_refusal_carries_all_that_rfc_9457_asks_and_its_facts(refusing):
    facts = {"left": 2, "what": "vases", "price": Money(500, "EUR"), "share": Decimal("0.50")}
    answer = refusing.answer(LowStockError(**facts), **{"X-Request-Id": "r1"})
    assert answer.mimetype == "application/problem+json"
    assert answer.json == {
        "type": "https://torg.example/errors/low_stock",
        "title": "Too few left",
        "status": 409,
        "detail": "Only 2 of vases are left at 5.00 EUR.",
        "instance": "/api/v1/kiosk",
        "code": "low_stock",
        "left": 2,
        "price": {"amount": "5.00", "currency": "EUR"},
        "share": "0.50",
        "request_id": "r1",
    }


def test_wrong_places_are_listed(refusing):
    wrong = [FieldProblem("/name", "taken", "This name is taken.")]
    assert refusing.answer(InvalidError(errors=wrong)).json["errors"] == [
        {"pointer": "/name", "code": "taken", "message": "This name is taken."}
    ]


def test_when_to_come_back_is_told_in_whole_seconds(refusing):
    answer = refusing.answer(TooManyError(retry_after=7, headers={"RateLimit": '"x";r=0;t=7'}))
    assert answer.headers["Retry-After"] == "7"
    assert answer.headers["RateLimit"] == '"x";r=0;t=7'
    assert answer.json["detail"] == "Too many requests. Try again in 7 seconds."
    assert refusing.answer(errors.UnavailableError()).headers["Retry-After"] == "1"


def test_words_follow_the_language_and_codes_do_not(refusing):
    english, russian = (
        refusing.answer(errors.NotFoundError(), **{"Accept-Language": wanted}).json
        for wanted in ("en", "ru")
    )
    assert english["code"] == russian["code"] == "not_found"
    assert english["title"] == "Not found"
    assert russian["title"] == "Не найдено"
    assert english["detail"] != russian["detail"]


def test_wrong_places_are_told_in_the_language_too(refusing):
    wrong = [FieldProblem("?limit", "repeated", "This parameter may be given once only.")]
    answer = refusing.answer(InvalidError(errors=wrong), **{"Accept-Language": "ru"})
    assert answer.json["errors"][0]["message"] != "This parameter may be given once only."


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (marshmallow.ValidationError({"name": ["Wrong."]}), 422, "validation_failed"),
        (RedisAwayError("secret"), 503, "unavailable"),
        (exceptions.BadRequest("secret"), 400, "malformed_request"),
        (exceptions.Unauthorized("secret"), 401, "unauthorized"),
        (exceptions.NotAcceptable(), 406, "not_acceptable"),
        (exceptions.Gone(), 410, "gone"),
        (exceptions.RequestEntityTooLarge(), 413, "body_too_large"),
        (exceptions.ImATeapot(), 418, "http_error"),
        (exceptions.ServiceUnavailable(), 503, "unavailable"),
        (exceptions.BadGateway(), 500, "internal_error"),
        (RuntimeError("secret"), 500, "internal_error"),
        (RecursionError("secret"), 500, "internal_error"),
        (TorgError(), 500, "internal_error"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_every_error_is_a_problem_that_tells_nothing_of_the_inside(refusing, error, status, code):
    answer = refusing.answer(error)
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert answer.mimetype == "application/problem+json"
    assert b"secret" not in answer.data
    assert b"Traceback" not in answer.data


def test_a_failure_is_a_problem_for_developers_too(make_api):
    answer = Refusing(make_api, debug=True).answer(RuntimeError("secret"))
    assert (answer.status_code, answer.json["code"]) == (500, "internal_error")
    assert b"secret" not in answer.data


def test_a_fact_that_cannot_be_told_does_not_turn_a_refusal_into_a_failure(refusing):
    answer = refusing.answer(LowStockError(left=1))
    assert (answer.status_code, answer.json["code"]) == (409, "low_stock")


class TestPages:
    def test_a_code_is_explained_to_programs(self, refusing):
        answer = refusing.client.get("/errors/low_stock")
        assert answer.mimetype == "application/json"
        assert answer.json["title"] == "Too few left"
        assert answer.json["explanation"].startswith("Fewer are left than you asked for.")
        assert answer.json["extras"] == ["left", "price", "share"]

    def test_a_code_is_explained_to_people(self, refusing):
        answer = refusing.client.get("/errors/low_stock", headers={"Accept": "text/html"})
        assert answer.mimetype == "text/html"
        assert "Ask for at most `left`." in answer.text
        assert "<script" not in answer.text

    def test_what_is_shown_to_people_is_escaped(self, refusing):
        class OddError(errors.ConflictError):
            """Beware of <b>tags</b>."""

            code = "odd_tags"
            title = "<i>Odd</i>"

        page = refusing.client.get("/errors/odd_tags", headers={"Accept": "text/html"}).text
        assert "<b>" not in page
        assert "<i>" not in page

    def test_every_code_is_listed(self, refusing):
        listed = {each["code"] for each in refusing.client.get("/errors").json["items"]}
        assert {"not_found", "low_stock", "idempotency_key_reused"} <= listed
        page = refusing.client.get("/errors", headers={"Accept": "text/html"})
        assert 'href="/errors/low_stock"' in page.text

    def test_a_problem_s_type_leads_to_its_page(self, refusing):
        answer = refusing.answer(LowStockError(left=1))
        path = answer.json["type"].removeprefix("https://torg.example")
        assert refusing.client.get(path).json["code"] == "low_stock"

    def test_of_an_internal_error_says_nothing_to_programmers(self, refusing) -> None:
        told = refusing.client.get("/errors/internal_error").json["explanation"]

        assert told == "Something this server could not do, and it is not your mistake."

    def test_a_code_that_is_none_is_not_found(self, refusing):
        assert refusing.client.get("/errors/none").json["code"] == "not_found"

    def test_the_pages_load_nothing_from_elsewhere(self, refusing):
        page = refusing.client.get("/errors", headers={"Accept": "text/html"})
        assert "style-src 'self'" in page.headers["Content-Security-Policy"]
        with refusing.client.get("/errors/page.css") as style:
            assert style.status_code == 200
