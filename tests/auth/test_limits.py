"""Rule 6, promise 11: guessing is throttled by account and by address, also without Redis."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from torg import limits
from torg_auth.services.limiting import FAILURES, LOGIN, REGISTER

WRONG = "not the password"


@pytest.fixture(autouse=True)
def one_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps a test inside one window, whenever it runs and however long it takes."""
    monkeypatch.setattr(limits, "time", SimpleNamespace(time=lambda: 1_800_000_000.0))


def _addresses(count: int) -> list[str]:
    return [f"198.51.100.{number}" for number in range(1, count + 1)]


def _fail(api: Any, name: str, times: int) -> list[int]:
    return [api.log_in(name, WRONG, at=at).status_code for at in _addresses(times)]


def test_the_limits_are_those_of_the_specification() -> None:
    assert (REGISTER.rate, LOGIN.rate) == ("30 per minute", "60 per minute")
    assert FAILURES.rate == "10 per 15 minute"


def test_ten_wrong_passwords_close_an_account_to_strangers(api: Any) -> None:
    api.register("anna")
    assert _fail(api, "anna", 12) == [401] * 10 + [429] * 2
    right = api.log_in("anna", at="203.0.113.5")
    assert right.status_code == 429
    assert 0 < int(right.headers["Retry-After"]) <= 900
    assert right.content_type == "application/problem+json"


def test_both_names_of_an_account_share_the_count(api: Any) -> None:
    api.register("anna")
    assert _fail(api, "anna", 10) == [401] * 10
    assert api.log_in("anna@example.com", WRONG).status_code == 429


def test_a_name_that_nobody_has_is_closed_just_the_same(api: Any) -> None:
    assert _fail(api, "nobody", 12) == [401] * 10 + [429] * 2


def test_other_accounts_are_not_touched(api: Any) -> None:
    api.register("anna")
    api.register("boris")
    _fail(api, "anna", 12)
    assert api.log_in("boris").status_code == 200


def test_a_stranger_cannot_lock_the_owner_out_of_a_known_device(api: Any) -> None:
    api.register("anna")
    assert api.log_in("anna", device="phone", at="203.0.113.5").status_code == 200
    _fail(api, "anna", 12)
    assert api.log_in("anna", device="phone", at="203.0.113.77").status_code == 200


def test_a_stranger_cannot_lock_the_owner_out_of_a_known_place(api: Any) -> None:
    api.register("anna")
    assert api.log_in("anna", at="203.0.113.5").status_code == 200
    _fail(api, "anna", 12)
    assert api.log_in("anna", at="203.0.113.5").status_code == 200
    assert api.log_in("anna", at="203.0.113.6").status_code == 429


def test_a_known_device_has_a_limit_of_its_own(api: Any) -> None:
    api.register("anna")
    api.log_in("anna", device="phone")
    tries = [api.log_in("anna", WRONG, device="phone").status_code for _ in range(12)]
    assert tries == [401] * 10 + [429] * 2


def test_a_device_known_to_one_account_is_a_stranger_to_another(api: Any) -> None:
    api.register("anna")
    api.register("boris")
    api.log_in("boris", device="phone")
    _fail(api, "anna", 12)
    assert api.log_in("anna", device="phone").status_code == 429


def test_a_forged_device_mark_is_a_stranger(api: Any) -> None:
    api.register("anna")
    _fail(api, "anna", 12)
    for mark in ("x", "WzEsIngiXQ.aaaa.bbbb", "1"):
        answer = api.log_in("anna", headers={"Cookie": f"torg_device={mark}"})
        assert answer.status_code == 429


def test_guesses_at_once_get_no_more_answers_than_one_after_another(api: Any) -> None:
    api.register("anna")
    with ThreadPoolExecutor(8) as pool:
        answers = Counter(
            pool.map(lambda at: api.log_in("anna", WRONG, at=at).status_code, _addresses(24))
        )
    assert answers == {401: 10, 429: 14}


def test_right_sign_ins_at_once_all_get_in(api: Any) -> None:
    api.register("anna")
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda at: api.log_in("anna", at=at).status_code, _addresses(16))
        assert set(answers) == {200}


def test_sign_ins_from_one_address_are_limited(api: Any) -> None:
    answers = Counter(api.log_in(f"nobody{n}", WRONG).status_code for n in range(62))
    assert answers == {401: 60, 429: 2}
    assert api.log_in("nobody", WRONG, at="192.0.2.2").status_code == 401


def test_registrations_from_one_address_are_limited(api: Any) -> None:
    answers = Counter(api.register(f"user{n}").status_code for n in range(32))
    assert answers == {201: 30, 429: 2}


def test_an_ipv6_caller_is_counted_by_his_network(api: Any) -> None:
    answers = Counter(
        api.log_in(f"nobody{n}", WRONG, at=f"2001:db8::{n:x}").status_code for n in range(62)
    )
    assert answers == {401: 60, 429: 2}


def test_codes_tried_from_one_address_are_limited(api: Any) -> None:
    body = {"email": "anna@example.com", "code": "000000"}
    answers = Counter(api.post("/verify-email", body).status_code for _ in range(62))
    assert answers == {422: 60, 429: 2}


def test_an_address_gets_three_mails_of_a_kind_an_hour_and_nobody_sees_it(
    api: Any, mails: Any
) -> None:
    api.register("anna")
    answers = Counter(
        api.post("/password/forgot", {"email": "anna@example.com"}).status_code for _ in range(20)
    )
    assert answers == {202: 20}
    sent = [mail for mail in mails("anna@example.com") if "new password" in mail.text]
    assert len(sent) <= 3


def test_resending_is_limited_without_a_word(api: Any, mails: Any) -> None:
    api.register("anna")
    for _ in range(10):
        assert api.post("/verify-email/resend", {"email": "anna@example.com"}).status_code == 202
    assert len(mails("anna@example.com")) <= 4


def test_a_deployment_sets_its_own_rates(api: Any, make_app: Any) -> None:
    api.app = make_app(["auth"], rate_limits={"auth_login_failures": "2 per hour"})
    api.register("anna")
    assert _fail(api, "anna", 3) == [401, 401, 429]


@pytest.fixture
def without_redis(make_app: Any) -> object:
    """An application whose Redis nobody answers."""
    app = make_app(["auth"], redis_url="redis://127.0.0.1:1/0")
    return SimpleNamespace(app=app)


def test_without_redis_sign_in_works_and_is_limited_in_the_process(
    api: Any, without_redis: Any
) -> None:
    api.app = without_redis.app
    api.register("anna")
    assert api.log_in("anna").status_code == 200
    assert _fail(api, "anna", 12) == [401] * 10 + [429] * 2
    assert api.log_in("anna", at="203.0.113.5").status_code == 429


def test_a_hung_redis_opens_nothing_and_holds_nobody_up(
    api: Any, make_app: Any, torg_environment: Any, fault_proxy: Any
) -> None:
    from time import monotonic
    from urllib.parse import urlsplit

    parts = urlsplit(torg_environment.redis_url)
    proxy = fault_proxy((parts.hostname or "127.0.0.1", parts.port or 6379))
    host, port = proxy.address
    api.app = make_app(["auth"], redis_url=f"redis://{host}:{port}{parts.path}")
    api.register("anna")
    assert api.log_in("anna").status_code == 200
    proxy.mode("hang")
    begun = monotonic()
    assert _fail(api, "anna", 12) == [401] * 10 + [429] * 2
    assert api.log_in("anna", at="203.0.113.5").status_code == 429
    # Half a second until the breaker opens, and 13 password checks: far below a wait for each.
    assert monotonic() - begun < 60


def test_keys_and_other_providers_are_refused_without_redis_too(
    api: Any, without_redis: Any
) -> None:
    api.app = without_redis.app
    answers = Counter(api.get("/login/oidc").status_code for _ in range(62))
    assert answers == {404: 60, 429: 2}
    assert api.get("/me", headers={"X-Api-Key": "torg_x"}).status_code == 401
