"""The owner of an account hears of a sign-in on a device not seen before."""

from typing import Any

AGENT = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0"}


def _told(mails: Any) -> list[Any]:
    return [mail for mail in mails("anna@example.com") if "a device that was not used" in mail.text]


def test_a_new_device_is_told_once(api: Any, anna: str, mails: Any, sql: Any) -> None:
    assert _told(mails) == []
    api.log_in("anna", at="203.0.113.5", headers=AGENT, device="laptop")
    [mail] = _told(mails)
    assert "Firefox on Linux" in mail.text
    assert "203.0.113.5" in mail.text
    api.log_in("anna", at="203.0.113.99", headers=AGENT, device="laptop")
    assert len(_told(mails)) == 1
    kinds = "SELECT count(*) FROM auth_security_event WHERE kind = 'new_device'"
    assert sql(kinds) == [(1,)]


def test_the_first_sign_in_of_an_account_is_nothing_new(
    api: Any, confirmed: Any, mails: Any
) -> None:
    confirmed("anna")
    assert _told(mails) == []


def test_a_program_without_a_mark_is_known_by_its_name_and_place(
    api: Any, anna: str, mails: Any
) -> None:
    for _ in range(3):
        api.log_in("anna", at="203.0.113.5", headers=AGENT)
    assert len(_told(mails)) == 1
    api.log_in("anna", at="203.0.113.6", headers=AGENT)
    assert len(_told(mails)) == 2


def test_an_address_that_was_never_confirmed_gets_no_such_mail(
    api: Any, mails: Any, sql: Any
) -> None:
    api.register("anna")
    api.token("anna")
    api.log_in("anna", at="203.0.113.5", headers=AGENT)
    assert _told(mails) == []


def test_a_wrong_password_tells_of_no_device(api: Any, anna: str, mails: Any) -> None:
    api.log_in("anna", "not the password", at="203.0.113.5", headers=AGENT)
    assert _told(mails) == []
