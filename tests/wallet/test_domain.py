"""The pure rules: entries that balance, payments that move in any order, signatures, cells."""

import base64
import hashlib
import hmac
import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torg.money import Money
from torg_ledger import Entry, UnbalancedError
from torg_ledger.payments import PaymentKind, PaymentStatus, WebhookRefusedError
from torg_wallet.domain.cells import harmless
from torg_wallet.domain.entries import balanced, merged
from torg_wallet.domain.payments import FIRST, Outcome, step
from torg_wallet.domain.signatures import secret_from, sign, verify

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRET = secret_from("a key", "test")
BODY = b'{"reference": "DP1"}'
_sides = st.tuples(st.integers(1, 5), st.integers(-1000, 1000), st.sampled_from(["EUR", "USD"]))


@given(st.lists(_sides, max_size=12))
def test_merging_keeps_every_sum_and_leaves_one_entry_for_an_account(sides):
    entries = [Entry(account, Money(minor, code)) for account, minor, code in sides]
    found = merged(entries)
    sums = {}
    for account, minor, code in sides:
        sums[account, code] = sums.get((account, code), 0) + minor
    kept = {(each.account_id, each.amount.currency): each.amount.minor for each in found}
    assert kept == {place: total for place, total in sums.items() if total}
    assert list(kept) == sorted(kept)


@given(st.lists(_sides, max_size=12))
def test_what_balances_sums_to_zero_in_every_currency(sides):
    entries = [Entry(account, Money(minor, code)) for account, minor, code in sides]
    try:
        found = balanced(entries)
    except UnbalancedError:
        return
    for code in ("EUR", "USD"):
        assert sum(each.amount.minor for each in found if each.amount.currency == code) == 0


@pytest.mark.parametrize("kind", list(PaymentKind))
@pytest.mark.parametrize("end", [PaymentStatus.SUCCEEDED, PaymentStatus.FAILED])
def test_a_payment_ends_the_same_in_whatever_order_its_events_come(kind, end):
    told = [PaymentStatus.PROCESSING, PaymentStatus.PROCESSING, end, end]
    for order in itertools.permutations(told):
        status, ends = FIRST[kind], 0
        for each in order:
            status, outcome = step(kind, status, each)
            ends += outcome is Outcome.APPLIED and each is end
        assert status == step(kind, FIRST[kind], end)[0]
        assert ends == 1


def test_a_second_different_end_contradicts_and_changes_nothing():
    told = step(PaymentKind.DEPOSIT, "failed", PaymentStatus.SUCCEEDED)
    assert told == ("failed", Outcome.CONTRADICTS)


def test_a_signature_is_that_of_the_published_scheme():
    headers = sign("whsec_" + base64.b64encode(b"k" * 24).decode(), "msg_1", NOW, BODY)
    message = f"msg_1.{int(NOW.timestamp())}.".encode() + BODY
    digest = base64.b64encode(hmac.new(b"k" * 24, message, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{digest}"


def test_a_signed_call_is_taken_for_five_minutes_in_either_direction():
    headers = sign(SECRET, "msg_1", NOW, BODY)
    for seconds in (-300, 0, 300):
        assert verify(SECRET, headers, BODY, NOW + timedelta(seconds=seconds)) == "msg_1"
    for seconds in (-301, 301):
        with pytest.raises(WebhookRefusedError):
            verify(SECRET, headers, BODY, NOW + timedelta(seconds=seconds))


def test_one_good_signature_among_several_is_enough():
    headers = sign(SECRET, "msg_1", NOW, BODY)
    headers["webhook-signature"] = "v1,AAAA " + headers["webhook-signature"]
    assert verify(SECRET, headers, BODY, NOW) == "msg_1"


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "msg_2"},
        {"webhook-timestamp": str(int(NOW.timestamp()) + 1)},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": "²"},
        {"webhook-timestamp": "9" * 5000},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,\udce9é"},
        {"webhook-signature": "v2,AAAA"},
        {"webhook-id": None},
        {"webhook-timestamp": None},
        {"webhook-signature": None},
    ],
)
def test_a_call_with_anything_changed_is_refused(change):
    headers = {**sign(SECRET, "msg_1", NOW, BODY), **change}
    sent = {name: value for name, value in headers.items() if value is not None}
    with pytest.raises(WebhookRefusedError):
        verify(SECRET, sent, BODY, NOW)


def test_another_body_or_another_secret_is_refused():
    headers = sign(SECRET, "msg_1", NOW, BODY)
    with pytest.raises(WebhookRefusedError):
        verify(SECRET, headers, BODY + b" ", NOW)
    with pytest.raises(WebhookRefusedError):
        verify(secret_from("another key", "test"), headers, BODY, NOW)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_text_acts_as_a_formula(text):
    assert harmless(text) == f"'{text}"


def test_plain_text_is_left_alone():
    assert harmless("Refund = 5") == "Refund = 5"
