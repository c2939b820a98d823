"""A small OpenID Connect provider for tests, in a process of its own; it also plays GitHub.

It keeps the rules of a good one (single-use codes, exact redirect address, client secret, PKCE
S256) until a test asks it for a mischief: `POST /mischief {"nonce": "other"}`. People sign in by
choosing a name on its page: `POST /authorize` with `person`. Run: `oidc_provider.py`; it prints its
address.
"""

import base64
import hashlib
import json
import secrets
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

CLIENT_ID = "torg-client"
CLIENT_SECRET = "the secret of the client"
PEOPLE: dict[str, dict[str, Any]] = {
    "anna": {
        "sub": "248289761001",
        "email": "anna@example.com",
        "email_verified": True,
        "preferred_username": "Anna",
        "locale": "ru-RU",
    },
    "boris": {"sub": "2", "email": "boris@example.com", "email_verified": False},
    "text": {"sub": "3", "email": "text@example.com", "email_verified": "yes"},
    "nobody": {"sub": "4"},
    "odd": {
        "sub": "5",
        "email": "odd@example.com",
        "email_verified": True,
        "preferred_username": "../<script>",
    },
    "mallory": {
        "sub": "6",
        "email": "mallory@example.com",
        "email_verified": True,
        "preferred_username": "Anna",
    },
}


class Provider:
    """Its keys, codes and mischief."""

    def __init__(self) -> None:
        self.issuer = ""
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
        self.stranger = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
        self.codes: dict[str, dict[str, str]] = {}
        self.tokens: dict[str, str] = {}
        self.mischief: dict[str, Any] = {}
        self.requests: list[str] = []

    def description(self) -> dict[str, Any]:
        """What discovery tells."""
        base = self.issuer
        return {
            "issuer": self.mischief.get("described_issuer", base),
            "authorization_endpoint": f"{base}/authorize",
            "token_endpoint": f"{base}/token",
            "userinfo_endpoint": f"{base}/userinfo",
            "jwks_uri": f"{base}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "none", "HS256"],
            "code_challenge_methods_supported": ["S256"],
        }

    def id_token(self, person: str, asked: dict[str, str]) -> str:
        """A token about a person, with whatever mischief is on."""
        facts = dict(PEOPLE[person])
        if self.mischief.get("userinfo_only"):
            facts = {"sub": facts["sub"]}
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": asked.get("nonce", ""),
            **facts,
            **self.mischief.get("claims", {}),
        }
        claims = {name: value for name, value in claims.items() if value != "absent"}
        forged = self.mischief.get("signature")
        if forged == "none":
            return f"{_part({'alg': 'none', 'kid': 'one'})}.{_part(claims)}."
        if forged == "client secret":
            key = OctKey.import_key(CLIENT_SECRET)
            return jwt.encode({"alg": "HS256", "kid": "one"}, claims, key, algorithms=["HS256"])
        if forged == "garbage":
            return "a.b.c"
        key = self.stranger if forged == "stranger" else self.key
        signed = jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, key)
        if forged == "damaged":
            head, body, _ = signed.split(".")
            return f"{head}.{body}.{'A' * 342}"
        return signed

    def exchange(self, form: dict[str, str]) -> dict[str, Any]:
        """Give tokens for a code, once."""
        asked = self.codes.pop(form.get("code", ""), None)
        if asked is None or asked["redirect_uri"] != form.get("redirect_uri"):
            return {"error": "invalid_grant"}
        verifier = form.get("code_verifier", "").encode()
        challenge = (
            base64.urlsafe_b64encode(hashlib.sha256(verifier).digest()).rstrip(b"=").decode()
        )
        if asked.get("code_challenge_method") != "S256" or asked["code_challenge"] != challenge:
            return {"error": "invalid_grant"}
        token = secrets.token_urlsafe(16)
        self.tokens[token] = asked["person"]
        return {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": 300,
            "id_token": self.id_token(asked["person"], asked),
        }


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


PROVIDER = Provider()


class Handler(BaseHTTPRequestHandler):
    """The pages of the provider, and those of GitHub that sign-in needs."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Discovery, keys, the page to sign in on, and who a token is about."""
        address = urlsplit(self.path)
        PROVIDER.requests.append(address.path)
        if PROVIDER.mischief.get("broken") == address.path:
            self._answer(500, {"error": "server_error"})
        elif address.path == "/.well-known/openid-configuration":
            self._answer(200, PROVIDER.description())
        elif address.path == "/keys":
            self._answer(200, {"keys": [PROVIDER.key.as_dict(private=False)]})
        elif address.path in {"/authorize", "/login/oauth/authorize"}:
            self._page(address.query)
        elif address.path == "/requests":
            self._answer(200, PROVIDER.requests)
        else:
            self._tell(address.path)

    def do_POST(self) -> None:
        """Signing in on the page, exchanging a code, and mischief."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        path = urlsplit(self.path).path
        PROVIDER.requests.append(path)
        if path == "/mischief":
            PROVIDER.mischief = json.loads(body)
            if PROVIDER.mischief.get("new_key"):
                PROVIDER.key = RSAKey.generate_key(2048, {"kid": "two", "use": "sig"})
            self._answer(200, {})
        elif path in {"/authorize", "/login/oauth/authorize"}:
            self._signed_in(dict(parse_qsl(body)))
        elif PROVIDER.mischief.get("broken") == path:
            self._answer(500, {"error": "server_error"})
        elif path in {"/token", "/login/oauth/access_token"}:
            form = dict(parse_qsl(body))
            told = PROVIDER.exchange(form) if self._is_client(form) else {"error": "invalid_client"}
            self._answer(400 if "error" in told else 200, told)
        else:
            self._answer(404, {})

    def _page(self, query: str) -> None:
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        fields = "".join(
            f'<input type="hidden" name="{name}" value="{value}">' for name, value in asked.items()
        )
        page = f'<form method="post">{fields}<input name="person"><button>Sign in</button></form>'
        self._send(200, "text/html; charset=utf-8", page.encode())

    def _signed_in(self, asked: dict[str, str]) -> None:
        answer = {"state": asked.get("state", ""), "iss": PROVIDER.issuer, "session_state": "x"}
        if asked["person"] == "refuse":
            answer["error"] = "access_denied"
        else:
            answer["code"] = secrets.token_urlsafe(16)
            PROVIDER.codes[answer["code"]] = asked
        answer |= PROVIDER.mischief.get("answer", {})
        self.send_response(302)
        self.send_header("Location", f"{asked['redirect_uri']}?{urlencode(answer)}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _is_client(self, form: dict[str, str]) -> bool:
        scheme, _, encoded = self.headers.get("Authorization", "").partition(" ")
        if scheme == "Basic":
            pair = [unquote(each) for each in base64.b64decode(encoded).decode().split(":", 1)]
        else:
            pair = [form.get("client_id", ""), form.get("client_secret", "")]
        return pair == [CLIENT_ID, CLIENT_SECRET]

    def _tell(self, path: str) -> None:
        token = self.headers.get("Authorization", "").partition(" ")[2]
        person = PROVIDER.tokens.get(token)
        if person is None:
            self._answer(401, {"error": "invalid_token"})
            return
        facts = PEOPLE[person]
        if path == "/userinfo":
            self._answer(200, {**facts, **PROVIDER.mischief.get("userinfo", {})})
        elif path == "/user":
            self._answer(200, {"id": int(facts["sub"]), "login": facts.get("preferred_username")})
        elif path == "/user/emails":
            verified = facts.get("email_verified") is True
            primary = {"email": facts.get("email"), "primary": True, "verified": verified}
            other = {"email": "other@example.com", "primary": False, "verified": True}
            self._answer(200, [other, primary])
        else:
            self._answer(404, {})

    def _answer(self, status: int, value: object) -> None:
        self._send(status, "application/json", json.dumps(value).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


def main() -> None:
    """Serve until the parent closes our standard input."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    PROVIDER.issuer = f"http://127.0.0.1:{server.server_address[1]}"
    import threading

    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(PROVIDER.issuer, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
