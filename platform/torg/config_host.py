"""The host's own settings, one field each, with their rules and words for the reference.

Owns keys, types, defaults and rules that need nothing but the values; leaves sources and messages
to `torg.config`. A plugin's settings class derives from `Section`.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
from email.utils import parseaddr
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from torg.config_values import literal, masked

SECRET_LENGTH = 32
SECRET_VARIETY = 10
_PLUGIN_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


class Section(BaseModel):
    """Base of settings classes: frozen, unknown keys refused, secrets hidden in its text form.

    Name a secret field with `SecretStr`, or mark it `json_schema_extra={"secret": True}`. Every
    field needs a `description`: the reference is made from it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    def __repr_args__(self) -> Any:
        """Show no secret, not even in a traceback."""
        for key, described in type(self).model_fields.items():
            value = getattr(self, key)
            shown = masked(key, value, described)
            yield key, value if shown == literal(value) else shown


def _described(text: str, default: Any = ..., *, allowed: str = "", **rules: Any) -> Any:
    remarks: dict[str, Any] | None = {"allowed": allowed} if allowed else None
    return Field(default, description=text, json_schema_extra=remarks, **rules)


class HostSettings(Section):
    """The settings of the host itself."""

    plugins: tuple[str, ...] = _described(
        "Plugins that are switched on, by name. Order does not matter.",
        (),
        allowed='names of installed plugins: ["auth", "news"]; as a variable: auth,news',
    )
    required_plugins: tuple[str, ...] = _described(
        "Plugins without which the host refuses to start; any other that cannot load is "
        "quarantined and named.",
        (),
        allowed="names out of `plugins`",
    )
    debug: bool = _described(
        "For development: developer pages, details in answers. Only on a loopback address.", False
    )
    demo: bool = _described(
        "A throw-away deployment with seeded data, caught mail and twenty times the usual limits "
        "by address.",
        False,
    )
    bind: str = _described(
        "Address and port the web server listens on.",
        "127.0.0.1:8000",
        allowed="address:port, such as 127.0.0.1:8000, [::1]:8000 or 0.0.0.0:8000",
    )
    site_name: str = _described(
        "The name of the marketplace, in mails and on pages.", "Torg", min_length=1, max_length=60
    )
    base_url: str = _described(
        "The address users see; links in mails begin with it. Default: `http://` + `bind`.",
        "",
        allowed="http:// or https://, a host, no path",
    )
    secret_key: SecretStr = _described(
        "Signs tokens and links. Required unless `debug` or `demo`; these keep one of their own "
        "in the data folder.",
        SecretStr(""),
        allowed=f"random text of {SECRET_LENGTH} characters or more; make one with  "
        "torg config secret >> .env",
    )
    secret_key_fallbacks: tuple[SecretStr, ...] = _described(
        "Former secret keys that are still accepted while tokens signed by them live.", ()
    )
    data_dir: Path = _described("Folder of the deployment's own files.", Path(".torg"))
    database_url: str = _described(
        "The PostgreSQL database. The first-run mode starts one by itself.",
        "",
        allowed="postgresql://user:password@host:5432/name",
    )
    database_pool_size: int = _described(
        "Connections kept by each process; the web needs as many as it has threads.",
        10,
        ge=1,
        le=500,
    )
    database_pool_timeout_seconds: float = _described(
        "Longest wait for a free connection, then 503.", 5.0, gt=0, le=60
    )
    database_statement_timeout_seconds: float = _described(
        "Longest run of one statement of a request or job.", 30.0, gt=0, le=3600
    )
    database_lock_timeout_seconds: float = _described(
        "Longest wait for a lock in a request or job, then 503.", 10.0, gt=0, le=600
    )
    redis_url: str = _described(
        "Redis or Valkey: doorbell for jobs and cache. Without it the sweeper finds jobs within "
        "seconds and nothing is cached between processes.",
        "",
        allowed="redis://, rediss:// or unix://",
    )
    redis_timeout_seconds: float = _described(
        "Longest wait for Redis; after it the request goes on without.", 0.25, gt=0, le=0.5
    )
    mail_url: str = _described(
        "Where mail goes. Default: files in the data folder, sent to nobody.",
        "",
        allowed="smtp://user:password@host:587?starttls=1, smtps://user:password@host:465, "
        "file:///folder or console:",
    )
    mail_from: str = _described(
        "Sender of all mail.", "Torg <torg@localhost>", allowed="Name <address@example.org>"
    )
    mail_timeout_seconds: float = _described(
        "Longest wait for each step of the mail server.", 10.0, gt=0, le=120
    )
    template_dir: Path | None = _described(
        "Folder with the deployment's own mail templates; a file of the same name wins.", None
    )
    storage_url: str = _described(
        "Where uploaded files are kept. Default: a folder in the data folder.",
        "",
        allowed="file:///folder or s3://bucket/prefix?endpoint=https://host&region=name",
    )
    locale_default: Literal["en", "ru"] = _described(
        "Language when a client or user names none we know.", "en"
    )
    cors_origins: tuple[str, ...] = _described(
        "Web pages of other origins that may call the API.",
        (),
        allowed='origins such as ["https://www.example.org"], or ["*"]',
    )
    proxy_hops: int = _described(
        "Reverse proxies in front whose X-Forwarded headers are believed; 0: none.", 0, ge=0, le=10
    )
    body_limit_bytes: int = _described(
        "Largest request body.", 1024 * 1024, ge=1024, le=100 * 1024 * 1024
    )
    upload_limit_bytes: int = _described(
        "Largest request body of routes that take files.",
        10 * 1024 * 1024,
        ge=1024,
        le=1024 * 1024 * 1024,
    )
    rate_limits: dict[str, str] = _described(
        "Rates in place of those in the code, by the name that the header RateLimit shows; `*` "
        "stands for all that are not named, `off` for no limit.",
        {},
        allowed='a table such as {auth_sign_in = "20 per minute"}; as a variable: JSON',
    )
    docs_enabled: bool = _described("Serve the API documents and their pages.", True)
    metrics_enabled: bool = _described("Collect and serve Prometheus metrics at /metrics.", True)
    metrics_token: SecretStr = _described(
        "Bearer token for /metrics. Without it only this machine may read them.", SecretStr("")
    )
    health_timeout_seconds: float = _described(
        "Longest run of one readiness check.", 2.0, gt=0, le=30
    )
    log_format: Literal["json", "console"] = _described(
        "Form of log lines: one JSON object each, or text for a person.", "json"
    )
    log_level: Literal["debug", "info", "warning", "error"] = _described(
        "Least severe lines that are logged.", "info"
    )
    trace_requests: bool = _described(
        "Remember what the last 200 requests cost, for the page `/dev/requests`.", False
    )
    web_workers: int = _described("Web server processes.", 2, ge=1, le=256)
    web_threads: int = _described(
        "Threads of each web process. More serve more slow requests at once, and each costs some "
        "speed.",
        2,
        ge=1,
        le=256,
    )
    stream_limit: int = _described(
        "Live streams one web process serves at once; more get 503.", 100, ge=1, le=10000
    )
    job_workers: int = _described("Job processes of torg run worker and all.", 1, ge=1, le=256)
    job_keep_days: int = _described("Days that finished jobs are kept.", 7, ge=1, le=3650)
    job_keep_keyed_days: int = _described(
        "The same for jobs with a key of their own, which are never made twice while they are "
        "kept; 0: for ever.",
        365,
        ge=0,
        le=36500,
    )
    shutdown_seconds: float = _described(
        "Time that running requests and jobs get to finish at a stop.", 30.0, gt=0, le=3600
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_derived(cls, values: Any) -> Any:
        """Fill defaults that follow from other values."""
        if not isinstance(values, dict):
            return values
        values = dict(values)
        folder = Path(str(values.get("data_dir") or ".torg")).absolute()
        values["data_dir"] = folder
        if not values.get("storage_url"):
            values["storage_url"] = (folder / "files").as_uri()
        if not values.get("mail_url"):
            values["mail_url"] = (folder / "mail").as_uri()
        if not values.get("base_url"):
            bind = str(values.get("bind") or "127.0.0.1:8000")
            values["base_url"] = "http://" + re.sub(r"^(0\.0\.0\.0|\[::\])(?=:)", "localhost", bind)
        return values

    @field_validator("plugins", "required_plugins")
    @classmethod
    def _names(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        for name in value:
            if not _PLUGIN_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no plugin name: lower case letters, digits and _")
        if len(set(value)) != len(value):
            raise ValueError("names a plugin twice")
        absent = set(value) - set(info.data.get("plugins", value))
        if info.field_name == "required_plugins" and absent:
            raise ValueError(f"names plugins that are not enabled: {', '.join(sorted(absent))}")
        return value

    @field_validator("site_name", "mail_from")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if not value.isprintable():
            raise ValueError("holds a line break or another control character")
        return value

    @field_validator("bind")
    @classmethod
    def _bind(cls, value: str, info: ValidationInfo) -> str:
        host, _, port = value.rpartition(":")
        if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
            raise ValueError("is not address:port with a port from 1 to 65535")
        if info.data.get("debug") and not is_loopback(host):
            raise ValueError(
                "debug is on, so only a loopback address may be bound: switch debug off, "
                "or bind to 127.0.0.1"
            )
        return value

    @field_validator("base_url")
    @classmethod
    def _base_url(cls, value: str) -> str:
        parts = _split(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("is not an http:// or https:// address")
        if parts.path.strip("/") or parts.query or parts.fragment or parts.username:
            raise ValueError("holds more than scheme, host and port")
        return value.rstrip("/")

    @field_validator("secret_key")
    @classmethod
    def _secret_key(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        text = value.get_secret_value()
        if info.data.get("debug") or info.data.get("demo"):
            return value if text else SecretStr(secrets.token_urlsafe(48))
        if not text:
            raise ValueError("is missing")
        if len(text) < SECRET_LENGTH or len(set(text)) < SECRET_VARIETY:
            raise ValueError("is too weak")
        return value

    @field_validator("database_url")
    @classmethod
    def _database_url(cls, value: str) -> str:
        if not value:
            return value
        parts = _split(value)
        if parts.scheme not in ("postgresql", "postgres", "postgresql+psycopg2"):
            raise ValueError("is not a PostgreSQL address; Torg runs on PostgreSQL alone")
        if not parts.path.strip("/"):
            raise ValueError("names no database")
        # SQLAlchemy 2.1 reads the bare scheme as psycopg 3, which Torg does not use.
        return "postgresql+psycopg2://" + value.split("://", 1)[1]

    @field_validator("redis_url")
    @classmethod
    def _redis_url(cls, value: str) -> str:
        return _with_scheme(value, ("redis", "rediss", "unix")) if value else value

    @field_validator("mail_url")
    @classmethod
    def _mail_url(cls, value: str) -> str:
        parts = _split(_with_scheme(value, ("smtp", "smtps", "file", "console")))
        if parts.scheme not in ("smtp", "smtps"):
            return value
        query = parse_qs(parts.query)
        if not parts.hostname:
            raise ValueError("names no mail server")
        if set(query) - {"starttls", "ca_file"}:
            raise ValueError("has unknown parameters; there are: starttls, ca_file")
        safe = parts.scheme == "smtps" or query.get("starttls") == ["1"]
        if parts.password and not safe and not is_loopback(parts.hostname):
            raise ValueError(
                "would send its password in the clear: add ?starttls=1 or use smtps://"
            )
        return value

    @field_validator("storage_url")
    @classmethod
    def _storage_url(cls, value: str) -> str:
        parts = _split(_with_scheme(value, ("file", "s3")))
        if parts.scheme == "s3":
            if not parts.netloc or "@" in parts.netloc:
                raise ValueError("names no bucket, or a password: s3://bucket/prefix?endpoint=…")
            return value
        if parts.netloc not in ("", "localhost") or not parts.path.strip("/"):
            raise ValueError("names no folder: file:///folder has three slashes")
        return value

    @field_validator("mail_from")
    @classmethod
    def _mail_from(cls, value: str) -> str:
        _, address = parseaddr(value)
        if not re.fullmatch(r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+", address):
            raise ValueError("is not an e-mail address")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _cors_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            parts = _split(origin)
            whole = f"{parts.scheme}://{parts.netloc}"
            if origin != "*" and (parts.scheme not in ("http", "https") or origin != whole):
                raise ValueError(f"{origin!r} is not an origin: scheme, host and port alone")
        return value

    @field_validator("rate_limits")
    @classmethod
    def _rate_limits(cls, value: dict[str, str]) -> dict[str, str]:
        from limits import parse

        for name, rate in value.items():
            if rate.strip().lower() == "off":
                continue
            try:
                parse(rate)
            except ValueError:
                raise ValueError(f"{name}: {rate!r} is no rate such as '20 per minute'") from None
        return value


def is_loopback(host: str) -> bool:
    """Whether a host name or address, also in brackets, is reached from this machine only."""
    bare = host.strip("[]")
    if bare == "localhost":
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


def _split(value: str) -> Any:
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        raise ValueError("is not an address") from None
    return parts


def _with_scheme(value: str, schemes: tuple[str, ...]) -> str:
    if value.split(":", 1)[0] not in schemes or ":" not in value:
        raise ValueError(f"begins with none of {', '.join(schemes)}")
    return value
