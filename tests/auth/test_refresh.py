"""Promise 8: a refresh token works once, and one used again ends its whole session."""

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from torg import db
from torg_auth.errors import RefreshTokenInvalidError
from torg_auth.services import sessions
from torg_auth.services.callers import Caller

CALLER = Caller("192.0.2.1", "192.0.2.1", "Test", "")
RACERS = 4


def test_refreshing_gives_new_tokens_of_the_same_session(api: Any) -> None:
    api.register("anna")
    first = api.log_in("anna").get_json()
    answer = api.refresh(first["refresh_token"])
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    second = answer.get_json()
    assert second["refresh_token"] != first["refresh_token"]
    assert api.get("/me", token=second["token"]).status_code == 200
    [session] = api.get("/sessions", token=second["token"]).get_json()["items"]
    assert session["is_current"]


def test_a_used_token_ends_its_session_and_the_owner_is_told(
    api: Any, sql: Any, mails: Any
) -> None:
    api.register("anna")
    first = api.log_in("anna").get_json()
    second = api.refresh(first["refresh_token"]).get_json()
    third = api.refresh(second["refresh_token"]).get_json()
    stolen = api.refresh(first["refresh_token"])
    assert stolen.status_code == 401
    assert stolen.get_json()["code"] == "refresh_token_invalid"
    assert api.refresh(third["refresh_token"]).status_code == 401
    assert [api.get("/me", token=t["token"]).status_code for t in (second, third)] == [401, 401]
    assert sql("SELECT kind, user_id FROM auth_security_event WHERE kind = 'refresh_reused'") == [
        ("refresh_reused", 1)
    ]
    assert "used twice" in mails("anna@example.com")[0].text


def test_a_reuse_ends_that_session_only_and_is_told_once(api: Any, mails: Any) -> None:
    api.register("anna")
    first, other = api.log_in("anna").get_json(), api.log_in("anna").get_json()
    api.refresh(first["refresh_token"])
    for _ in range(3):
        assert api.refresh(first["refresh_token"]).status_code == 401
    assert api.refresh(other["refresh_token"]).status_code == 200
    told = [mail for mail in mails("anna@example.com") if "used twice" in mail.text]
    assert len(told) == 1


def test_an_unknown_token_is_refused_and_ends_nothing(api: Any) -> None:
    api.register("anna")
    body = api.log_in("anna").get_json()
    for wrong in ("x", body["refresh_token"][:-1], body["refresh_token"] + "A", "\u00e9"):
        assert api.refresh(wrong).status_code == 401
    assert api.refresh(body["refresh_token"]).status_code == 200


def test_an_access_token_of_an_older_refresh_stays_good_until_its_own_end(api: Any) -> None:
    api.register("anna")
    first = api.log_in("anna").get_json()
    api.refresh(first["refresh_token"])
    assert api.get("/me", token=first["token"]).status_code == 200


def test_the_database_itself_allows_one_live_token_for_a_session(api: Any, sql: Any) -> None:
    import pytest
    from sqlalchemy.exc import IntegrityError

    api.register("anna")
    api.log_in("anna")
    with pytest.raises(IntegrityError):
        sql("INSERT INTO auth_refresh_token (session_id, token_hash) VALUES (1, 'x'::bytea)")


def _race(app: Any, attempt: Callable[[], bool]) -> int:
    """How many of four simultaneous attempts, each on a connection of its own, succeed."""
    start = threading.Barrier(RACERS)

    def run(_number: int) -> bool:
        with app.app_context():
            start.wait(timeout=30)
            return attempt()

    with ThreadPoolExecutor(RACERS) as pool:
        return sum(pool.map(run, range(RACERS)))


def _open(app: Any) -> str:
    with db.unit_of_work(app=app):
        return sessions.open_session(1, CALLER).refresh_token


def test_of_four_at_once_never_more_than_one_gets_in(api: Any, app: Any, sql: Any) -> None:
    api.register("anna")
    for _ in range(25):
        token = _open(app)

        def attempt(token: str = token) -> bool:
            try:
                sessions.refresh(token, CALLER)
            except RefreshTokenInvalidError:
                return False
            return True

        assert _race(app, attempt) == 1
    # The losers cannot be told from thieves, so the session is over as well.
    assert sql("SELECT count(*) FROM auth_session WHERE revoked_at IS NULL") == [(0,)]


def test_control_a_check_before_the_update_lets_all_four_in(api: Any, app: Any) -> None:
    """Without the one conditional statement the race above would be lost."""
    api.register("anna")
    token_hash = hashlib.sha256(_open(app).encode()).digest()
    looked = threading.Barrier(RACERS)
    find = text("SELECT id FROM auth_refresh_token WHERE token_hash = :hash AND used_at IS NULL")
    use = text("UPDATE auth_refresh_token SET used_at = clock_timestamp() WHERE id = :id")

    def naive() -> bool:
        with db.unit_of_work():
            found = db.session.execute(find, {"hash": token_hash}).scalar()
            looked.wait(timeout=30)
            if found is None:
                return False
            db.session.execute(use, {"id": found})
            return True

    assert _race(app, naive) == RACERS


STEPS = st.lists(st.tuples(st.sampled_from(["use", "end"]), st.integers(0, 5)), max_size=12)


def test_after_any_history_a_session_has_at_most_one_live_token(
    api: Any, app: Any, sql: Any
) -> None:
    api.register("anna")

    @settings(
        max_examples=25,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(STEPS)
    def history(steps: list[tuple[str, int]]) -> None:
        with app.app_context():
            known, spent, ended = [_open(app)], set(), False
            for step, number in steps:
                token = known[number % len(known)]
                should_work = token not in spent and not ended
                if step == "end":
                    with db.unit_of_work():
                        sessions.end_all_sessions(1, "test", CALLER)
                    ended = True
                    continue
                try:
                    known.append(sessions.refresh(token, CALLER).refresh_token)
                    works = True
                except RefreshTokenInvalidError:
                    works = False
                assert works == should_work
                ended = ended or token in spent
                spent.add(token)
            live = sql(
                "SELECT count(*) FROM auth_refresh_token t JOIN auth_session s"
                " ON s.id = t.session_id WHERE t.used_at IS NULL AND s.revoked_at IS NULL"
                " GROUP BY s.id ORDER BY s.id DESC LIMIT 1"
            )
            assert live == ([] if ended else [(1,)])
            with db.unit_of_work():
                sessions.end_all_sessions(1, "next example", CALLER)

    history()
