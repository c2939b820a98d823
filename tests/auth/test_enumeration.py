"""Rule 5, promise 10: nobody can find out who has an account.

Equal work is counted, not timed: the argon2 computations, the statements and the queued jobs.
"""

from typing import Any

import pytest

PASSWORD = "a fine long sentence"
HALF = "half@example.com"


def _shape(answer: Any) -> tuple[int, set[str], set[str]]:
    body = answer.get_json(silent=True) or {}
    return answer.status_code, set(body), {name for name, _ in answer.headers}


def _kind(statement: str) -> str:
    return " ".join(statement.split()[:3])


@pytest.fixture
def known(confirmed: Any) -> str:
    """The address of somebody who has a confirmed account."""
    confirmed("known")
    return "known@example.com"


def test_registering_answers_the_same_for_a_known_address(
    api: Any, known: Any, count_hashing: Any
) -> None:
    count_hashing.clear()
    fresh = api.register("fresh")
    work = list(count_hashing)
    count_hashing.clear()
    taken = api.register("taken", email=known)
    assert _shape(fresh) == _shape(taken)
    assert taken.status_code == 201
    assert taken.get_json()["email"] == known
    assert taken.get_json()["email_verified"] is False
    assert count_hashing == work == ["hash"]


def test_registering_does_nearly_the_same_for_a_known_address(
    api: Any, known: Any, count_queries: Any
) -> None:
    with count_queries() as fresh:
        api.register("fresh")
    with count_queries() as taken:
        api.register("taken", email=known)
    # One INSERT more, the one that finds the address taken: a fraction of a millisecond.
    assert taken.total - fresh.total == 1


def test_what_a_stranger_registers_with_a_known_address_works_like_any_other(
    api: Any, known: Any
) -> None:
    """Or signing in afterwards would tell what registering did not."""
    api.register("fresh")
    api.register("taken", email=known)
    seen = []
    for name in ("fresh", "taken"):
        token = api.token(name)
        me = api.get("/me", token=token).get_json()
        seen.append(
            (
                {key: me[key] for key in ("email_verified", "verification_level", "roles")},
                _shape(api.get(f"/users/{name}")),
                _shape(api.register(name.upper(), email=f"{name}2@example.com")),
                api.log_in(me["email"], "not the password").status_code,
            )
        )
    assert seen[0] == seen[1]


def test_the_owner_of_the_address_hears_of_it_and_nobody_else(
    api: Any, known: Any, mails: Any
) -> None:
    before = len(mails(known))
    api.register("stranger", email="Known@example.com")
    after = mails(known)
    assert len(after) == before + 1
    assert "You have an account here already: known" in after[0].text
    assert "token=" not in after[0].text


def test_who_registers_again_after_closing_his_account_hears_that_it_is_closed(
    api: Any, known: Any, mails: Any
) -> None:
    """Or he would wait for a code for ever: no other account can confirm his address."""
    api.delete("/me", token=api.token("known"))
    before = len(mails(known))
    assert api.register("again", email=known).status_code == 201
    told = mails(known)
    assert len(told) == before + 1
    assert "You have an account here already: known" in told[0].text
    assert "It is closed" in told[0].text
    assert "password" not in told[0].text


def test_such_an_account_can_never_be_confirmed_and_gets_no_mail(
    api: Any, known: Any, mails: Any, sql: Any
) -> None:
    stranger = api.register("stranger", email=known).get_json()
    mails(known)
    for path in ("/verify-email/resend", "/password/forgot"):
        api.post(path, {"email": known})
    mails(known)
    owners = sql("SELECT DISTINCT user_id FROM auth_one_time_code")
    assert (stranger["id"],) not in owners
    assert api.get("/me", token=api.token("stranger")).get_json()["email_verified"] is False


STRANGERS = "the password of a stranger"


def test_the_owner_of_the_address_still_signs_in_by_it(api: Any, known: Any) -> None:
    api.register("stranger", email=known, password=STRANGERS)
    token = api.log_in(known).get_json()["token"]
    assert api.get("/me", token=token).get_json()["username"] == "known"


def test_signing_in_by_the_registered_address_does_not_tell_whether_it_was_known(
    api: Any, known: Any, count_hashing: Any, count_queries: Any
) -> None:
    api.register("half", email=HALF)
    seen = []
    for name, email in (("fresh", "fresh@example.com"), ("taken", known), ("other", HALF)):
        api.register(name, email=email, password=STRANGERS)
        count_hashing.clear()
        with count_queries() as count:
            answer = api.log_in(email, STRANGERS)
        kinds = [_kind(statement) for statement in count.statements]
        me = api.get("/me", token=answer.get_json()["token"]).get_json()
        assert me["username"] == name
        seen.append((_shape(answer), list(count_hashing), kinds))
    assert seen[0][0][0] == 200
    assert seen.count(seen[0]) == len(seen)


def test_of_several_that_claim_an_address_the_newest_signs_in_by_it(api: Any, known: Any) -> None:
    """Were the first one of a fresh address meant too, a second registration would tell."""
    seen = []
    for email in ("fresh@example.com", known):
        first, second = f"first {STRANGERS}", f"second {STRANGERS}"
        api.register(f"{email[:5]}1", email=email, password=first)
        api.register(f"{email[:5]}2", email=email, password=second)
        seen.append([api.log_in(email, each).status_code for each in (first, second)])
    assert seen == [[401, 200], [401, 200]]


def test_who_proved_an_address_is_meant_before_who_claims_it(api: Any, known: Any) -> None:
    api.register("again", email=known)
    token = api.log_in(known).get_json()["token"]
    assert api.get("/me", token=token).get_json()["username"] == "known"


def test_claiming_an_address_wins_no_guesses_at_its_owners_password(api: Any, known: Any) -> None:
    answers = []
    for number in range(11):
        guess = f"guess of a stranger {number}"
        api.register(f"stranger{number}", email=known, password=guess)
        answers.append(api.log_in(known, guess, at="198.51.100.7").status_code)
    assert answers == [200] * 11
    assert api.log_in("known", at="203.0.113.5").status_code == 429


def test_wrong_passwords_of_who_claims_an_address_keep_its_owner_not_out(
    api: Any, known: Any
) -> None:
    api.register("stranger", email=known, password=STRANGERS)
    for number in range(11):
        answer = api.log_in("stranger", "not the password", at=f"198.51.100.{number}")
    assert answer.status_code == 429
    assert api.log_in(known, STRANGERS).status_code == 429
    assert api.log_in(known).status_code == 200


def test_two_registrations_of_one_address_at_once_leave_one_owner(api: Any, sql: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        names = [f"racer{number}" for number in range(4)]
        answers = pool.map(lambda name: api.register(name, email="same@example.com"), names)
        assert [answer.status_code for answer in answers] == [201] * 4
    assert sql("SELECT count(email), count(claimed_email) FROM auth_user") == [(1, 3)]


@pytest.mark.parametrize(
    ("names", "work"),
    [
        (("known", "unknown"), ["verify"]),
        # Held against whoever proved the address and whoever claims it, or against nobody's.
        (("known@example.com", "unknown@example.com", HALF), ["verify", "verify"]),
    ],
    ids=["names", "addresses"],
)
def test_signing_in_does_the_same_work_for_a_known_and_an_unknown_name(
    api: Any, known: Any, count_hashing: Any, count_queries: Any, names: Any, work: Any
) -> None:
    api.register("half", email=HALF)
    seen = []
    for name in names:
        count_hashing.clear()
        with count_queries() as count:
            answer = api.log_in(name, "not the password")
        body = {
            key: answer.get_json()[key] for key in ("type", "title", "status", "detail", "code")
        }
        kinds = [_kind(statement) for statement in count.statements]
        seen.append((_shape(answer), body, list(count_hashing), kinds))
    assert seen[0][2] == work
    assert seen.count(seen[0]) == len(seen)


def test_a_deactivated_account_answers_like_an_unknown_one(
    api: Any, known: Any, count_hashing: Any
) -> None:
    api.delete("/me", token=api.token("known"))
    count_hashing.clear()
    right, unknown = api.log_in("known"), api.log_in("unknown")
    assert _shape(right) == _shape(unknown)
    assert right.get_json()["code"] == unknown.get_json()["code"] == "credentials_wrong"
    assert count_hashing == ["verify", "verify"]


@pytest.mark.parametrize("path", ["/password/forgot", "/verify-email/resend"])
def test_asking_for_a_code_does_the_same_for_any_address(
    api: Any, known: Any, count_queries: Any, path: Any
) -> None:
    seen = []
    for email in (known, "unknown@example.com"):
        with count_queries() as count:
            answer = api.post(path, {"email": email})
        seen.append((_shape(answer), answer.get_data(), count.statements))
    assert seen[0] == seen[1]
    assert seen[0][0][0] == 202


@pytest.mark.parametrize("path", ["/verify-email", "/password/reset"])
def test_a_wrong_code_answers_the_same_for_any_address(
    api: Any, known: Any, count_hashing: Any, count_queries: Any, path: Any
) -> None:
    api.post("/password/forgot", {"email": known})
    seen = []
    for email in (known, "unknown@example.com"):
        body = {"email": email, "code": "000000"}
        if path == "/password/reset":
            body["password"] = "another fine sentence"
        count_hashing.clear()
        with count_queries() as count:
            answer = api.post(path, body)
        seen.append((_shape(answer), list(count_hashing), count.statements))
    assert seen[0] == seen[1]
