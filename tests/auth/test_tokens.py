"""Promise 9: nothing but our own access tokens, each forgery a 401 as problem+json."""

import base64
import hashlib
import hmac
import json
import random
import time
import uuid
from typing import Any

import pytest

from torg_auth.domain.tokens import Key
from torg_auth.signing import keys


def _key(app: Any) -> Key:
    with app.app_context():
        return keys("access").newest


def _claims(**changes: Any) -> dict[str, Any]:
    claims = {
        "iss": "torg",
        "aud": "torg",
        "sub": "1",
        "sid": "1",
        "typ": "access",
        "type": "access",
        "jti": str(uuid.uuid4()),
        "iat": int(time.time()),
        "exp": int(time.time()) + 600,
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not ...}


def _part(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _raw(header: object, claims: object, signature: str = "") -> str:
    return f"{_part(header)}.{_part(claims)}.{signature}"


_HASHES = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}


def _sign(key: Key, claims: dict[str, Any], **header: Any) -> str:
    # By hand: a library would refuse to make most of these.
    header = {"alg": "HS256", "typ": "JWT", "kid": key.id, **header}
    signed = f"{_part(header)}.{_part(claims)}"
    hash_ = _HASHES.get(str(header["alg"]), hashlib.sha256)
    return f"{signed}.{_part(hmac.digest(key.secret, signed.encode(), hash_))}"


FORGED_CLAIMS: dict[str, dict[str, Any]] = {
    "foreign issuer": {"iss": "https://evil.example"},
    "no issuer": {"iss": ...},
    "list of issuers": {"iss": ["http://127.0.0.1:8000"]},
    "foreign audience": {"aud": "other"},
    "no audience": {"aud": ...},
    "no end": {"exp": ...},
    "over": {"exp": int(time.time()) - 1},
    "end is a text": {"exp": "tomorrow"},
    "end is infinite": {"exp": float("inf")},
    "end is null": {"exp": None},
    "no jti": {"jti": ...},
    "jti is a number": {"jti": 7},
    # Far off: this is written when the file is loaded, long before it may run.
    "begins later": {"nbf": int(time.time()) + 86_400},
    "issued in the future": {"iat": int(time.time()) + 86_400},
    "no type": {"typ": ...},
    "refresh as access": {"typ": "refresh", "type": "refresh"},
    "link as access": {"typ": "link"},
    "no subject": {"sub": ...},
    "subject is a number": {"sub": 1},
    "subject of many digits": {"sub": "9" * 4000},
    "subject is unknown": {"sub": "999"},
    "subject holds NUL": {"sub": "1\0"},
    "no session": {"sid": ...},
    "session of somebody else": {"sid": "999"},
    "session is too large": {"sid": str(2**63)},
}


@pytest.fixture
def signed_in(api: Any) -> Any:
    """Account 1 with session 1, and proof that the forger's own tool makes a good token."""
    api.register("anna")
    api.token("anna")
    good = _sign(_key(api.app), _claims())
    assert api.get("/me", token=good).status_code == 200
    return api


def _is_refused(answer: Any) -> bool:
    return (
        answer.status_code == 401
        and answer.content_type == "application/problem+json"
        and answer.headers["WWW-Authenticate"] == "Bearer"
    )


def _accepted(api: Any, tokens: dict[str, str]) -> dict[str, Any]:
    """The tokens that did not get the right refusal, with what they got."""
    answers = {name: api.get("/me", token=token) for name, token in tokens.items()}
    return {
        name: answer.get_data(as_text=True)
        for name, answer in answers.items()
        if not _is_refused(answer)
    }


def test_a_well_signed_token_with_wrong_claims_is_refused(signed_in: Any) -> None:
    key = _key(signed_in.app)
    tokens = {name: _sign(key, _claims(**change)) for name, change in FORGED_CLAIMS.items()}
    assert _accepted(signed_in, tokens) == {}


def test_a_token_of_another_key_or_algorithm_is_refused(signed_in: Any) -> None:
    key = _key(signed_in.app)
    stranger = Key("stranger", b"x" * 32)
    with signed_in.app.app_context():
        other_use = keys("one-time code").newest
    tokens = {
        "foreign key under our id": _sign(Key(key.id, stranger.secret), _claims()),
        "unknown key id": _sign(Key("unknown", key.secret), _claims()),
        "key of another use": _sign(other_use, _claims()),
        "empty key": _sign(Key(key.id, b""), _claims()),
        "HS384": _sign(key, _claims(), alg="HS384"),
        "HS512": _sign(key, _claims(), alg="HS512"),
        "none": _sign(key, _claims(), alg="none"),
        "no key id": _sign(key, _claims(), kid=None),
        "crit": _sign(key, _claims(), crit=["made-up"]),
        "key id is a list": _sign(key, _claims(), kid=[key.id]),
        "key id is an object": _sign(key, _claims(), kid={}),
    }
    assert _accepted(signed_in, tokens) == {}


def test_a_header_with_any_other_algorithm_is_refused(signed_in: Any) -> None:
    key = _key(signed_in.app)
    tokens = {}
    for algorithm in ("none", "None", "NONE", "", "RS256", "ES256", ["HS256"], None, 7, {}):
        header = {"alg": algorithm, "kid": key.id, "typ": "JWT"}
        tokens[f"{algorithm} unsigned"] = _raw(header, _claims())
        tokens[f"{algorithm} with a signature"] = _raw(header, _claims(), "c2ln")
        tokens[f"{algorithm} with ours"] = _sign(key, _claims(), alg=algorithm)
    assert _accepted(signed_in, tokens) == {}


def test_garbage_is_refused(signed_in: Any) -> None:
    garbage = [
        "",
        "x",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "....",
        "e30.e30.",
        "null",
        "eyJhbGciOiJIUzI1NiJ9",
        "%00",
        "ü.ü.ü",
        _part(b"\xff\xfe") + ".e30.x",
        _part([1]) + "." + _part([2]) + ".x",
        _part(b"[" * 3000) + ".e30.x",
        _part({"alg": "HS256", "kid": "x" * 3000}) + ".e30.x",
        _part(b'{"alg":"HS256","kid":' + b"1" * 4999 + b"}") + ".e30.x",
        "A" * 7000,
    ]
    assert _accepted(signed_in, {token: token for token in garbage}) == {}


def test_other_credentials_and_none_at_all_are_refused(signed_in: Any) -> None:
    assert _is_refused(signed_in.get("/me"))
    for value in ("Bearer", "Basic YTpi", "bearer", "Token x", "x", "Bearer a b", ""):
        assert _is_refused(signed_in.get("/me", headers={"Authorization": value})), value


def test_a_refresh_token_opens_nothing_as_an_access_token_and_the_reverse(signed_in: Any) -> None:
    body = signed_in.log_in("anna").get_json()
    assert _is_refused(signed_in.get("/me", token=body["refresh_token"]))
    assert _is_refused(signed_in.refresh(body["token"][:200]))


def test_a_token_signed_by_a_former_key_is_still_accepted(make_app: Any) -> None:
    from torg_auth.domain.tokens import Keys

    former, present = (
        "former secret 0123456789abcdefghijklmn",
        "present secret 0123456789abcdefghijklm",
    )
    before = make_app(["auth"], secret_key=former)
    after = make_app(["auth"], secret_key=present, secret_key_fallbacks=(former,))
    later = make_app(["auth"], secret_key=present)
    with before.app_context():
        old = keys("access")
    with after.app_context():
        assert keys("access") == Keys.derived([present, former], "access")
        assert keys("access").find(old.newest.id) == old.newest
    with later.app_context():
        assert keys("access").find(old.newest.id) is None


def test_mutated_tokens_never_pass_and_never_break_the_reader(signed_in: Any) -> None:
    from torg_auth.errors import TokenInvalidError
    from torg_auth.services.tokens import read_access

    chance = random.Random(9)
    good = _sign(_key(signed_in.app), _claims())
    passed = []
    with signed_in.app.app_context():
        for _ in range(20_000):
            letters = list(good)
            for _ in range(chance.randint(1, 4)):
                # The last letter carries two bits that base64 leaves without a meaning.
                letters[chance.randrange(len(letters) - 1)] = chance.choice("ABCabc019-_.=+/ \0é")
            mutated = "".join(letters)
            try:
                read_access(mutated)
            except TokenInvalidError:
                continue
            if mutated != good:
                passed.append(mutated)
    assert passed == []
