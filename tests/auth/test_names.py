"""Which usernames and addresses are accepted, and in which form they are kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torg_auth.domain.names import EMAIL_LENGTH, email_or_none, is_username


@pytest.mark.parametrize("name", ["anna", "a.b", "Anna-Maria_2", "007", "a" * 32])
def test_plain_names_are_accepted(name: str) -> None:
    assert is_username(name)


@pytest.mark.parametrize(
    "name",
    [
        "ab",
        "a" * 33,
        "",
        ".anna",
        "anna-",
        "an na",
        "anna@home",
        "анна",
        "ａｎｎａ",
        "anna\n",
        "a\0b",
    ],
)
def test_other_names_are_refused(name: str) -> None:
    assert not is_username(name)


@given(st.text(max_size=40))
def test_an_accepted_name_is_ascii_and_holds_no_at_sign(name: str) -> None:
    if is_username(name):
        assert name.isascii()
        assert "@" not in name
        assert name.lower() == name.casefold()


@pytest.mark.parametrize(
    ("given_address", "kept"),
    [
        ("anna@example.com", "anna@example.com"),
        ("Anna@EXAMPLE.com", "Anna@example.com"),
        ("seller@demo.example", "seller@demo.example"),
        ("anna+tag@shop.test", "anna+tag@shop.test"),
        ("anna@bücher.de", "anna@xn--bcher-kva.de"),
    ],
)
def test_addresses_are_kept_in_one_form(given_address: str, kept: str) -> None:
    assert email_or_none(given_address) == kept


@pytest.mark.parametrize(
    "address",
    [
        "anna",
        "anna@",
        "@example.com",
        "anna@test",
        "anna@localhost",
        "an na@example.com",
        "a..b@example.com",
        "anna@example..com",
        "ünal@example.com",
        '"anna"@example.com',
        "anna@[192.0.2.1]",
        "anna@example.com\nBcc: x@y.example",
        "anna@example.com\0",
        "a" * 65 + "@example.com",
        "anna@" + "a" * 250 + ".example",
        "anna@\ud800.example",
    ],
)
def test_what_cannot_take_mail_is_refused(address: str) -> None:
    assert email_or_none(address) is None


@given(st.text(max_size=300))
def test_whatever_is_sent_gives_an_ascii_address_or_none(text: str) -> None:
    for candidate in (text, f"{text}@example.com", f"anna@{text}"):
        kept = email_or_none(candidate)
        assert kept is None or (
            kept.isascii() and len(kept) <= EMAIL_LENGTH and kept.count("@") == 1
        )
