"""What statistics count of accounts equals the accounts and who signed in."""

from decimal import Decimal

import pytest
from fact_rows import FactRows

from torg_auth import metrics

FACTS = (metrics.REGISTRATIONS, metrics.CONFIRMATIONS, metrics.SIGN_INS)
METRICS = {each.name.removeprefix("auth."): each for each in metrics.METRICS}


@pytest.fixture
def rows(app):
    return FactRows(app)


def test_registrations_are_the_accounts_that_there_are(api, confirmed, rows, sql):
    confirmed("anna")
    for name in ("ben", "cleo"):
        assert api.register(name).status_code == 201
    (accounts,) = sql("SELECT count(*) FROM auth_user")
    assert rows.total(metrics.REGISTERED) == accounts[0] == 3
    assert rows.total(metrics.REGISTERED, "way") == {"email": 3}


def test_confirmation_rate_is_the_share_of_accounts_with_a_confirmed_address(
    api, confirmed, rows, sql
):
    confirmed("anna")
    confirmed("ben")
    assert api.register("cleo").status_code == 201
    (done,) = sql("SELECT count(*) FROM auth_user WHERE email_verified_at IS NOT NULL")
    assert rows.total(metrics.CONFIRMED) == done[0] == 2
    assert rows.total(METRICS["confirmation_rate"]) == Decimal(2) / 3


def test_a_confirmation_counts_on_the_day_of_its_registration(confirmed, rows, sql):
    confirmed("anna")
    (made,) = sql("SELECT created_at FROM auth_user")
    (fact,) = rows.of(metrics.CONFIRMATIONS)
    assert fact["happened_at"] == made.created_at
    assert fact["recorded_at"] > made.created_at


def test_active_users_are_different_people_who_signed_in(api, confirmed, rows, sql):
    confirmed("anna")
    confirmed("ben")
    api.token("anna")
    api.token("anna@example.com")
    assert api.log_in("ben", "a wrong password").status_code == 401
    (sessions,) = sql("SELECT count(*), count(DISTINCT user_id) FROM auth_session")
    assert rows.total(METRICS["sign_ins"]) == sessions[0] == 4
    assert rows.total(METRICS["active_users"]) == sessions[1] == 2


def test_no_fact_ever_changes_when_an_address_is_confirmed_or_changed(api, code_for, change, rows):
    assert api.register("anna").status_code == 201
    before = rows.taken(*FACTS)
    body = {"email": "anna@example.com", "code": code_for("anna@example.com")}
    assert api.post("/verify-email", body).status_code == 200
    token = api.token("anna")
    middle = rows.taken(*FACTS)
    assert before < middle
    assert change(token, "email", "new@example.com", "new@example.com").status_code == 204
    assert middle <= rows.taken(*FACTS)
    assert rows.total(metrics.CONFIRMED) == 1
