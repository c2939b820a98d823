"""Codes, claims of tokens, devices and grants: the pure rules of accounts."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torg_auth.domain.access import (
    DEFAULT_ROLES,
    Grant,
    default_grants,
    effective,
    missing_grants,
    missing_roles,
)
from torg_auth.domain.codes import Purpose, code_of, hash_of, is_same
from torg_auth.domain.devices import device_label
from torg_auth.domain.tokens import ACCESS, Key, Keys, access_or_none

KEY = b"k" * 32
CLAIMS = {"typ": ACCESS, "jti": "x", "sub": "7", "sid": "3", "exp": 2_000_000_000}


@given(st.integers(1, 2**63 - 1), st.text(string.hexdigits, min_size=1, max_size=64))
def test_a_code_is_six_digits_and_the_same_each_time(user_id: int, nonce: str) -> None:
    code = code_of(KEY, Purpose.CONFIRM_EMAIL, user_id, nonce)
    assert len(code) == 6
    assert code.isdigit()
    assert code == code_of(KEY, Purpose.CONFIRM_EMAIL, user_id, nonce)


def test_a_hash_differs_by_key_purpose_account_nonce_and_code() -> None:
    base = (KEY, Purpose.CONFIRM_EMAIL, 7, "n", "123456")
    others = [
        (b"o" * 32, *base[1:]),
        (KEY, Purpose.RESET_PASSWORD, 7, "n", "123456"),
        (KEY, Purpose.CONFIRM_EMAIL, 8, "n", "123456"),
        (KEY, Purpose.CONFIRM_EMAIL, 7, "m", "123456"),
        (KEY, Purpose.CONFIRM_EMAIL, 7, "n", "123457"),
    ]
    assert is_same(hash_of(*base), hash_of(*base))
    assert not any(is_same(hash_of(*base), hash_of(*other)) for other in others)


def test_codes_are_spread_evenly() -> None:
    first_digits = [code_of(KEY, Purpose.CONFIRM_EMAIL, 1, str(n))[0] for n in range(5000)]
    assert all(350 < first_digits.count(digit) < 650 for digit in string.digits)


def test_the_claims_of_our_own_token_are_read() -> None:
    access = access_or_none(CLAIMS)
    assert access is not None
    assert (access.user_id, access.session_id, access.expires_at) == (7, 3, 2_000_000_000.0)


@pytest.mark.parametrize(
    "change",
    [
        {"typ": "refresh"},
        {"typ": None},
        {"jti": None},
        {"jti": 7},
        {"exp": None},
        {"exp": "2000000000"},
        {"sub": 7},
        {"sub": "0"},
        {"sub": "-7"},
        {"sub": " 7"},
        {"sub": "1_0"},
        {"sub": "٧"},
        {"sub": "07"},
        {"sub": str(2**63)},
        {"sub": "9" * 5000},
        {"sub": ["7"]},
        {"sid": None},
        {"sid": True},
    ],
)
def test_other_claims_are_not_ours(change: dict[str, object]) -> None:
    assert access_or_none({**CLAIMS, **change}) is None


@given(st.dictionaries(st.sampled_from(list(CLAIMS)), st.none() | st.integers() | st.text()))
def test_no_claims_whatever_raise(claims: dict[str, object]) -> None:
    access = access_or_none(claims)
    assert access is None or access.user_id > 0


def test_each_use_and_each_secret_has_a_key_of_its_own() -> None:
    keys = [Key.derived(secret, use) for secret in ("one", "two") for use in ("a", "b")]
    assert len({key.secret for key in keys}) == len({key.id for key in keys}) == 4


def test_the_newest_key_signs_and_all_are_found() -> None:
    keys = Keys.derived(["new", "old"], "access")
    assert keys.newest == Key.derived("new", "access")
    assert keys.find(Key.derived("old", "access").id) == Key.derived("old", "access")
    assert keys.find("unknown") is None
    assert keys.find(None) is None
    assert keys.find(["x"]) is None


@pytest.mark.parametrize(
    ("agent", "label"),
    [
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "Firefox on Linux",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/130.0 Safari/537.36 Edg/130.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1",
            "Safari on iPhone",
        ),
        ("curl/8.5.0", "curl"),
        ("", "Unknown device"),
        (None, "Unknown device"),
        ("<script>", "Unknown device"),
    ],
)
def test_a_device_is_named_in_a_few_words(agent: str | None, label: str) -> None:
    assert device_label(agent) == label


@given(st.text(max_size=3000))
def test_a_label_is_always_short(agent: str) -> None:
    assert 0 < len(device_label(agent)) <= 80


def test_the_catalogue_asks_for_what_is_declared_and_for_the_three_roles() -> None:
    wanted = default_grants({"shop.cart.use": ["user", "dealer"], "shop.price.set": ["admin"]})
    assert wanted == {
        Grant("user", "shop.cart.use"),
        Grant("dealer", "shop.cart.use"),
        Grant("admin", "shop.price.set"),
    }
    assert missing_roles(wanted, ["admin"]) == ["dealer", "manager", "user"]
    assert missing_roles([], []) == sorted(DEFAULT_ROLES)


grants = st.builds(Grant, st.sampled_from(["user", "admin"]), st.sampled_from(["a.b.c", "d.e.f"]))


@given(st.sets(grants), st.sets(grants))
def test_what_was_written_once_is_never_written_again(
    wanted: set[Grant], written: set[Grant]
) -> None:
    new = missing_grants(wanted, written)
    assert not set(new) & written
    assert written | set(new) >= wanted
    assert missing_grants(wanted, written | set(new)) == []


def test_nobody_holds_what_no_plugin_declares() -> None:
    assert effective(["a.b.c", "gone.b.c"], ["a.b.c", "d.e.f"]) == {"a.b.c"}
