"""Log lines: one JSON object each (or text for a person), with who asked and no secret.

Owns the shape of lines, the context they carry and the removal of secrets; every logger of the
standard library ends here too. Leaves what is logged to those who log:

    log = structlog.get_logger(__name__)
    log.info("article_published", article_id=7)
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TextIO
from urllib.parse import unquote, urlsplit

import orjson
import structlog
from flask import Flask
from structlog.contextvars import bind_contextvars, bound_contextvars, get_contextvars
from structlog.types import EventDict, Processor, WrappedLogger

from torg import config
from torg.config import HostSettings

MASK = "***"
_DEPTH = 6  # of nested values that are searched for secrets; deeper ones are cut off

_SECRET_KEY = re.compile(
    r"(?i)(^|[_-])(authorization|cookie|pass(word|wd)?|secret|tokens?|credentials?|api[_-]?key|"
    r"secret[_-]?key|private[_-]?key|signature|otp|dsn)($|[_-](hash|value|text)$)"
)
# An error's code is a word and worth reading; a confirmation code is digits.
_CODE_KEY = re.compile(r"(?i)(^|_)(code|pin)$")
_DIGITS = re.compile(r"\d{4,12}")
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?<=://)([^/?#@\s:]*):([^/?#\s]*)@"), rf"\1:{MASK}@"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}"), rf"\1 {MASK}"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"), MASK),
    (
        re.compile(
            r"(?i)\b((?:[a-z0-9]+[_-])*(?:password|passwd|secret|token|authorization|api[_-]?key|"
            r"signature)[\"']?\s*[:=]\s*)(?!\*\*\*)(\"[^\"]*\"|'[^']*'|[^\s\"',;&}\])]+)"
        ),
        rf"\1{MASK}",
    ),
    (re.compile(r"(?i)\b(code[\"']?\s*[:=]\s*[\"']?)\d{4,12}\b"), rf"\1{MASK}"),
)
# Most texts hold none of these and need no further look; a line is on the way of every request.
_SUSPICIOUS = re.compile(r"[=:]|[Bb]earer|[Bb]asic|BEARER|BASIC|eyJ")
# Their own handlers would print every line a second time, in another shape.
_ROUTED = ("gunicorn.error", "gunicorn.access", "rq.worker", "rq.scheduler", "werkzeug", "alembic")


class _Handler(logging.StreamHandler[TextIO]):
    """Ours, so that a second `configure` finds and replaces it."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)

    @property
    def stream(self) -> TextIO:
        """The standard error of this moment, which tests and daemons replace."""
        return sys.stderr

    @stream.setter
    def stream(self, value: TextIO) -> None:
        """Kept out on purpose: the stream is always the present one."""


class Redaction:
    """Takes secrets out of log lines, by the names of keys, by shape, and by exact text."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        """Remember the deployment's own secrets; those under 6 characters would hit by chance."""
        exact = sorted({text for text in known if len(text) >= 6}, key=len, reverse=True)
        self._exact = re.compile("|".join(map(re.escape, exact))) if exact else None

    def __call__(self, logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
        """The structlog processor."""
        moment = event.pop("at", None)
        clean = {key: self._value(key, value, 0) for key, value in event.items()}
        clean["at"] = moment
        return clean

    def text(self, text: str) -> str:
        """One text without secrets."""
        if self._exact is not None:
            text = self._exact.sub(MASK, text)
        if _SUSPICIOUS.search(text):
            for pattern, replacement in _PATTERNS:
                text = pattern.sub(replacement, text)
        return text

    def _value(self, key: str, value: Any, depth: int) -> Any:
        if value is None or isinstance(value, bool):
            return value
        kind = _kind(key)
        if kind == "secret" or (kind == "code" and _DIGITS.fullmatch(str(value))):
            return MASK
        if isinstance(value, int | float):
            return value
        if isinstance(value, str):
            return self.text(value)
        if depth >= _DEPTH:
            return "…"
        if isinstance(value, Mapping):
            return {
                str(name): self._value(str(name), item, depth + 1) for name, item in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [self._value("", item, depth + 1) for item in value]
        return self.text(str(value))


@lru_cache(maxsize=4096)
def _kind(key: str) -> str:
    if _SECRET_KEY.search(key):
        return "secret"
    return "code" if _CODE_KEY.search(key) else ""


def configure(log_format: str = "json", level: str = "info", secrets: Iterable[str] = ()) -> None:
    """Set up logging of this process; calling it again replaces the former set-up.

    Args:
        log_format: "json" or "console".
        level: the least severe level that is written.
        secrets: texts that must never appear, such as the deployment's passwords.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            Redaction(secrets),
            _renderer(log_format),
        ],
    )
    handler = _Handler()
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [old for old in root.handlers if not isinstance(old, _Handler)]
    root.addHandler(handler)
    root.setLevel(level.upper())
    _route()


def init(app: Flask) -> None:
    """Set up logging as the settings say, with every secret of the settings kept out."""
    host = config.of(app).host
    configure(host.log_format, host.log_level, secrets=list(_secrets(host)))


def bind(**facts: Any) -> None:
    """Add facts to every further line of this request or job: `bind(identity_id=7)`."""
    bind_contextvars(**facts)


def start(**facts: Any) -> None:
    """Begin a new request or job: forget the facts of the last one and bind these."""
    structlog.contextvars.clear_contextvars()
    bind_contextvars(**facts)


@contextmanager
def bound(**facts: Any) -> Iterator[None]:
    """Bind facts inside a block only."""
    with bound_contextvars(**facts):
        yield


def request_id() -> str | None:
    """The id of the request that this work began with, also inside its jobs."""
    found = get_contextvars().get("request_id")
    return found if isinstance(found, str) else None


def _renderer(log_format: str) -> Processor:
    if log_format == "console":
        return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    return _json_line


def _json_line(logger: WrappedLogger, name: str, event: MutableMapping[str, Any]) -> str:
    line = {
        "at": event.pop("at", None),
        "level": event.pop("level", None),
        "event": event.pop("event", None),
        **event,
    }
    return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def _route() -> None:
    """Let the loggers of libraries flow into the root, whatever they had set up themselves."""
    for name in _ROUTED:
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
    # The host writes its own access line; gunicorn's and werkzeug's would be the second.
    for name in ("werkzeug", "alembic", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _secrets(host: HostSettings) -> Iterator[str]:
    yield host.secret_key.get_secret_value()
    yield host.metrics_token.get_secret_value()
    yield from (former.get_secret_value() for former in host.secret_key_fallbacks)
    for url in (host.database_url, host.redis_url, host.mail_url, host.storage_url):
        password = urlsplit(url).password
        if password:
            yield password
            yield unquote(password)
