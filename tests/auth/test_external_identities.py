"""Seeing and taking away one's own sign-ins at other providers."""

from typing import Any

LIST = "/me/external-identities"


def _link(sql: Any, name: str, provider: str = "oidc") -> int:
    sql(
        "INSERT INTO auth_external_identity (user_id, provider, subject, email)"
        f" SELECT id, '{provider}', 'subject of {name}', '{name}@example.com'"
        f" FROM auth_user WHERE username = '{name}'"
    )
    [(linked_id,)] = sql("SELECT max(id) FROM auth_external_identity")
    return int(linked_id)


def test_the_owner_sees_his_own_without_the_provider_s_name_for_him(
    confirmed: Any, api: Any, sql: Any
) -> None:
    anna, ben = confirmed("anna"), confirmed("ben")
    first, second = _link(sql, "anna"), _link(sql, "anna", "github")
    _link(sql, "ben")
    shown = api.get(LIST, token=anna)
    assert [each["id"] for each in shown.get_json()["items"]] == [second, first]
    assert set(shown.get_json()["items"][0]) == {"id", "provider", "email", "created_at"}
    assert "subject of" not in shown.get_data(as_text=True)
    assert len(api.get(LIST, token=ben).get_json()["items"]) == 1


def test_one_that_is_taken_away_is_gone_and_on_record(confirmed: Any, api: Any, sql: Any) -> None:
    anna = confirmed("anna")
    linked = _link(sql, "anna")
    assert api.delete(f"{LIST}/{linked}", token=anna).status_code == 204
    assert api.get(LIST, token=anna).get_json()["items"] == []
    assert api.delete(f"{LIST}/{linked}", token=anna).status_code == 404
    kinds = "SELECT details FROM auth_security_event WHERE kind = 'provider_unlinked'"
    assert sql(kinds) == [({"provider": "oidc"},)]


def test_one_of_somebody_else_is_not_there(confirmed: Any, api: Any, sql: Any) -> None:
    anna = confirmed("anna")
    confirmed("ben")
    foreign = _link(sql, "ben")
    answer = api.delete(f"{LIST}/{foreign}", token=anna)
    assert answer.get_json()["code"] == "external_identity_not_found"
    assert sql("SELECT count(*) FROM auth_external_identity") == [(1,)]


def test_the_last_way_into_an_account_stays(confirmed: Any, api: Any, sql: Any) -> None:
    anna = confirmed("anna")
    first, second = _link(sql, "anna"), _link(sql, "anna", "github")
    sql("UPDATE auth_user SET email_verified_at = NULL, verification_level = 0")
    assert api.delete(f"{LIST}/{first}", token=anna).status_code == 204
    refused = api.delete(f"{LIST}/{second}", token=anna)
    assert (refused.status_code, refused.get_json()["code"]) == (409, "last_sign_in")
    assert sql("SELECT count(*) FROM auth_external_identity") == [(1,)]
