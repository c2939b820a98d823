"""Rule 7: length and a list of common ones decide, kinds of characters do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torg_auth.domain.passwords import LONGEST, SHORTEST, Weakness, normalised, weakness
from torg_auth.services.passwords import Hasher, common_passwords

COMMON = common_passwords()


@pytest.mark.parametrize(
    ("password", "found"),
    [
        ("a" * 9, Weakness.TOO_SHORT),
        ("", Weakness.TOO_SHORT),
        ("vqjzkxwpmg", None),
        ("only lower case words", None),
        ("x" * 128, None),
        ("x" * 129, Weakness.TOO_LONG),
        ("1234567890", Weakness.COMMON),
        ("QwertyUiop", Weakness.COMMON),
        ("anna@example.com", Weakness.OWN_NAME),
        ("ANNAMARIA77", Weakness.OWN_NAME),
        ("annamaria77annamaria77", Weakness.OWN_NAME),
        ("😀" * 10, None),
        ("😀" * 128, None),
    ],
)
def test_passwords_are_judged_by_length_list_and_own_name(
    password: str, found: Weakness | None
) -> None:
    assert weakness(password, COMMON, ["AnnaMaria77", "anna@example.com"]) is found


def test_the_shipped_list_holds_at_least_the_ten_thousand_commonest() -> None:
    assert len(COMMON) >= 10_000
    assert {"123456", "password", "qwertyuiop", "1234567890", "password123"} <= COMMON


def test_every_listed_password_of_allowed_length_is_refused() -> None:
    long_enough = [each for each in COMMON if SHORTEST <= len(each) <= LONGEST]
    assert len(long_enough) > 1_000
    assert all(weakness(each.upper(), COMMON) is Weakness.COMMON for each in long_enough)


@given(st.text(max_size=140))
def test_a_password_is_the_same_however_its_letters_were_composed(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)


def test_a_password_typed_in_another_normal_form_is_accepted() -> None:
    hasher = Hasher(8192, 1, 1)
    composed, decomposed = "caf\u00e9 au lait", "cafe\u0301 au lait"
    assert hasher.verify(hasher.hash(composed), decomposed)


def test_a_hash_is_argon2id_and_outdated_when_the_parameters_change() -> None:
    weak, strong = Hasher(8192, 1, 1), Hasher(16384, 2, 1)
    kept = weak.hash("a fine long sentence")
    assert kept.startswith("$argon2id$")
    assert not weak.is_outdated(kept)
    assert strong.is_outdated(kept)
    assert strong.verify(kept, "a fine long sentence")


def test_nobody_has_every_password_and_a_broken_hash_has_none() -> None:
    hasher = Hasher(8192, 1, 1)
    assert not hasher.verify(None, "a fine long sentence")
    assert not hasher.verify("not a hash", "a fine long sentence")
