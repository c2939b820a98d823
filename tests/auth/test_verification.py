"""Rule 10: levels, what they unlock, requests by documents, review, reasons and expiry."""

import io
from typing import Any

import pytest
from pydantic import ValidationError
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from torg import contracts, db, identity, jobs
from torg.money import Money
from torg_auth.change_errors import VerificationLevelError
from torg_auth.domain.limits import daily_limit, daily_limit_problem
from torg_auth.settings import AuthSettings

PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 100
PDF = b"%PDF-1.7\n" + b"x" * 200
LIMITS = {"EUR": ["0.00", "1000.00", "5000.00", "unlimited"], "JPY": ["0", "1", "2", "3"]}


def _send(api: Any, token: str, **files: bytes) -> Any:
    data = {
        kind: FileStorage(io.BytesIO(content), f"../{kind}.exe") for kind, content in files.items()
    }
    boundary, body = encode_multipart(data)
    return api.app.test_client().post(
        "/api/v1/auth/verification-requests",
        data=body,
        content_type=f'multipart/form-data; boundary="{boundary}"',
        headers={"Authorization": f"Bearer {token}"},
    )


@pytest.fixture
def chief(api: Any, confirmed: Any, make_admin: Any) -> str:
    """A token of an administrator."""
    token = str(confirmed("chief"))
    make_admin("chief")
    return token


def _decide(api: Any, token: str, request_id: int, decision: str, **more: Any) -> Any:
    path = f"/admin/verification-requests/{request_id}"
    return api.patch(path, {"decision": decision, **more}, token=token)


def _level(api: Any, token: str) -> int:
    return int(api.get("/me", token=token).get_json()["verification_level"])


class TestRequests:
    def test_documents_are_kept_and_nobody_reads_them_by_an_address_alone(
        self, api: Any, anna: str, chief: str
    ) -> None:
        sent = _send(api, anna, passport=PDF, proof_of_address=PNG)
        assert sent.status_code == 201
        body = sent.get_json()
        assert (body["status"], body["level"]) == ("pending", 3)
        kinds = {each["kind"]: each["content_type"] for each in body["documents"]}
        assert kinds == {"passport": "application/pdf", "proof_of_address": "image/png"}
        shown = api.get(f"/admin/verification-requests/{body['id']}", token=chief).get_json()
        assert shown["username"] == "anna"
        url = shown["documents"][0]["url"]
        path = "/" + url.split("/", 3)[3]
        client = api.app.test_client()
        assert client.get(path).data == PDF
        assert "attachment" in client.get(path).headers["Content-Disposition"]
        assert client.get(path.partition("?")[0]).status_code == 404
        listed = api.get("/verification-requests", token=anna).get_json()["items"]
        assert [each["id"] for each in listed] == [body["id"]]
        assert "url" not in listed[0]["documents"][0]

    @pytest.mark.parametrize(
        "content",
        [b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF89a" + b"x" * 50, b"MZ\x90", b"P"],
    )
    def test_what_is_no_image_and_no_pdf_is_refused_whatever_it_is_called(
        self, api: Any, anna: str, sql: Any, content: bytes
    ) -> None:
        answer = _send(api, anna, passport=content)
        assert (answer.status_code, answer.get_json()["code"]) == (422, "document_type")
        assert sql("SELECT count(*) FROM auth_verification_request") == [(0,)]

    def test_a_document_has_a_largest_size(self, api: Any, anna: str) -> None:
        answer = _send(api, anna, passport=PDF + b"x" * 5 * 1024 * 1024)
        assert (answer.status_code, answer.get_json()["code"]) == (413, "document_too_large")

    def test_unknown_kinds_and_empty_requests_are_refused(self, api: Any, anna: str) -> None:
        assert _send(api, anna, selfie=PNG).status_code == 422
        assert _send(api, anna).status_code == 422

    def test_one_request_waits_at_a_time(self, api: Any, anna: str) -> None:
        assert _send(api, anna, passport=PDF).status_code == 201
        answer = _send(api, anna, passport=PDF)
        assert (answer.status_code, answer.get_json()["code"]) == (409, "verification_pending")

    def test_it_needs_a_confirmed_address(self, api: Any) -> None:
        api.register("boris")
        answer = _send(api, api.token("boris"), passport=PDF)
        assert (answer.status_code, answer.get_json()["code"]) == (403, "email_unverified")

    def test_others_requests_are_not_seen(self, api: Any, anna: str, confirmed: Any) -> None:
        request_id = _send(api, anna, passport=PDF).get_json()["id"]
        boris = confirmed("boris")
        assert api.get("/verification-requests", token=boris).get_json()["items"] == []
        path = f"/admin/verification-requests/{request_id}"
        assert api.get(path, token=boris).status_code == 403
        assert api.get("/admin/verification-requests", token=boris).status_code == 403
        assert _decide(api, boris, request_id, "approved").status_code == 403


class TestReview:
    def test_an_approval_counts_from_the_next_request_and_the_owner_is_told(
        self, api: Any, anna: str, chief: str, mails: Any
    ) -> None:
        request_id = _send(api, anna, passport=PDF).get_json()["id"]
        assert _level(api, anna) == 1
        answer = _decide(api, chief, request_id, "approved", valid_days=30)
        assert answer.status_code == 200
        assert answer.get_json()["status"] == "approved"
        assert _level(api, anna) == 3
        assert any("level 3 until" in mail.text for mail in mails("anna@example.com"))

    def test_a_refusal_needs_a_reason_that_the_owner_reads(
        self, api: Any, anna: str, chief: str, mails: Any
    ) -> None:
        request_id = _send(api, anna, passport=PDF).get_json()["id"]
        missing = _decide(api, chief, request_id, "refused", reason="  ")
        assert (missing.status_code, missing.get_json()["code"]) == (422, "reason_missing")
        assert _decide(api, chief, request_id, "refused", reason="Not readable.").status_code == 200
        assert _level(api, anna) == 1
        assert any("Not readable." in mail.text for mail in mails("anna@example.com"))
        assert _send(api, anna, passport=PDF).status_code == 201

    def test_a_request_is_decided_once(self, api: Any, anna: str, chief: str) -> None:
        request_id = _send(api, anna, passport=PDF).get_json()["id"]
        assert _decide(api, chief, request_id, "approved").status_code == 200
        again = _decide(api, chief, request_id, "refused", reason="No.")
        assert (again.status_code, again.get_json()["code"]) == (409, "verification_decided")
        assert _decide(api, chief, 999, "approved").status_code == 404

    def test_nobody_decides_on_his_own_documents(self, api: Any, chief: str) -> None:
        request_id = _send(api, chief, passport=PDF).get_json()["id"]
        answer = _decide(api, chief, request_id, "approved")
        assert (answer.status_code, answer.get_json()["code"]) == (409, "own_request")
        assert _level(api, chief) == 1

    def test_staff_pages_and_filters(self, api: Any, anna: str, chief: str, confirmed: Any) -> None:
        first = _send(api, anna, passport=PDF).get_json()["id"]
        second = _send(api, confirmed("boris"), passport=PDF).get_json()["id"]
        _decide(api, chief, first, "approved")

        def ids(query: str) -> list[int]:
            listed = api.get(f"/admin/verification-requests{query}", token=chief)
            return [each["id"] for each in listed.get_json()["items"]]

        assert ids("") == [first, second]
        assert ids("?status=pending") == [second]
        assert ids("?user_id=1") == [first]


class TestTime:
    def test_an_approval_runs_out_and_the_owner_is_told(
        self, api: Any, app: Any, anna: str, chief: str, mails: Any, sql: Any
    ) -> None:
        request_id = _send(api, anna, passport=PDF).get_json()["id"]
        _decide(api, chief, request_id, "approved")
        sql("UPDATE auth_verification_request SET expires_at = clock_timestamp()")
        for _ in range(2):
            _run_expiry(app)
        assert _level(api, anna) == 1
        told = [mail for mail in mails("anna@example.com") if "has run out" in mail.text]
        assert len(told) == 1

    def test_an_approval_ends_at_its_moment_with_or_without_a_job(
        self, api: Any, anna: str, chief: str, sql: Any
    ) -> None:
        request_id = _send(api, anna, passport=PDF).get_json()["id"]
        _decide(api, chief, request_id, "approved")
        planned = "SELECT run_at FROM torg_outbox WHERE business_key = 'end:1'"
        assert sql(planned) == sql("SELECT expires_at FROM auth_verification_request")
        sql("UPDATE auth_verification_request SET expires_at = clock_timestamp()")
        from torg_auth.queries.sign_in import standing

        with db.unit_of_work("read", api.app):
            [(session_id,)] = sql("SELECT max(id) FROM auth_session WHERE user_id = 1")
            found = standing(1, session_id)
        assert found is not None
        assert found.verification_level == 1

    def test_a_newer_approval_keeps_the_level(
        self, api: Any, app: Any, anna: str, chief: str, mails: Any, sql: Any
    ) -> None:
        for _ in range(2):
            request_id = _send(api, anna, passport=PDF).get_json()["id"]
            _decide(api, chief, request_id, "approved")
        sql(
            "UPDATE auth_verification_request SET expires_at = clock_timestamp()"
            " WHERE id = (SELECT min(id) FROM auth_verification_request)"
        )
        _run_expiry(app)
        assert _level(api, anna) == 3
        assert not any("has run out" in mail.text for mail in mails("anna@example.com"))

    def test_documents_are_deleted_when_they_have_served(
        self, api: Any, app: Any, anna: str, chief: str, sql: Any
    ) -> None:
        request_id = _send(api, anna, passport=PDF).get_json()["id"]
        _decide(api, chief, request_id, "approved")
        path = f"/admin/verification-requests/{request_id}"
        url = api.get(path, token=chief).get_json()["documents"][0]["url"]
        _run_expiry(app)
        assert api.get(path, token=chief).get_json()["documents"][0]["url"] is not None
        sql("UPDATE auth_verification_request SET decided_at = decided_at - interval '31 days'")
        _run_expiry(app)
        assert api.get(path, token=chief).get_json()["documents"][0]["url"] is None
        assert api.app.test_client().get("/" + url.split("/", 3)[3]).status_code == 404


def _run_expiry(app: Any) -> None:
    from torg import outbox

    with db.unit_of_work(app=app):
        outbox.enqueue("auth.expire_verifications")
    jobs.run_due(app)


class TestWorth:
    def test_other_plugins_ask_the_contract(self, make_app: Any) -> None:
        section = {
            "daily_limits": LIMITS,
            "required_levels": {"wallet.withdrawal.request": 2},
        }
        app = make_app(["auth"], sections={"auth": section})
        with app.app_context():
            found = contracts.require("verification", ">=1,<2")
            assert found.daily_limit(1, "EUR") == Money(100_000, "EUR")
            assert found.daily_limit(3, "EUR") is None
            assert found.required_level("wallet.withdrawal.request") == 2
            assert found.required_level("anything else") == 0
            low = identity.Identity(1, "anna", frozenset(), True, verification_level=1)
            with pytest.raises(VerificationLevelError) as caught:
                found.require_level(low, "wallet.withdrawal.request")
            assert caught.value.status == 403
            high = identity.Identity(1, "anna", frozenset(), True, verification_level=2)
            found.require_level(high, "wallet.withdrawal.request")
        levels = app.test_client().get("/api/v1/auth/verification-levels").get_json()["items"]
        assert [each["proved_by"] for each in levels] == ["nothing", "email", "phone", "documents"]
        assert levels[2]["unlocks"] == ["wallet.withdrawal.request"]
        assert levels[1]["daily_limits"][0] == {
            "currency": "EUR",
            "limit": {"amount": "1000.00", "currency": "EUR"},
        }
        assert levels[3]["daily_limits"][0]["limit"] is None

    def test_a_forgotten_currency_is_no_hole(self) -> None:
        assert daily_limit({}, 0, "EUR") is None
        assert daily_limit(LIMITS, 3, "USD") == Money(0, "USD")
        assert daily_limit(LIMITS, 0, "EUR") == Money(0, "EUR")
        assert daily_limit(LIMITS, 2, "JPY") == Money(2, "JPY")

    @pytest.mark.parametrize(
        ("currency", "amounts"),
        [
            ("EUR", ["0.00"]),
            ("EUR", ["0", "1", "2", "3"]),
            ("XXX", ["0.00", "1.00", "2.00", "3.00"]),
            ("EUR", ["0.00", "2.00", "1.00", "3.00"]),
            ("EUR", ["unlimited", "2.00", "3.00", "4.00"]),
            ("EUR", ["-1.00", "2.00", "3.00", "4.00"]),
        ],
    )
    def test_limits_that_make_no_sense_stop_the_start(
        self, currency: str, amounts: list[str]
    ) -> None:
        assert daily_limit_problem(currency, amounts) is not None
        with pytest.raises(ValidationError):
            AuthSettings(daily_limits={currency: amounts})
        assert daily_limit_problem("EUR", LIMITS["EUR"]) is None
