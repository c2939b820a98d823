"""One call of a mounted view: who asks, may he, the view, and the commit, in one unit of work.

Owns the order of these steps, their repetition when the database asks for it, and the making of
ready answers. Routing and headers are `torg.http`'s.
"""

import time
from typing import Any

import flask
from flask import request
from sqlalchemy.exc import DBAPIError
from werkzeug.wrappers import Response as AnyResponse

from torg import db, etag, idempotency, identity, limits, logs, migrate, ready_answers
from torg.blueprint import Declaration
from torg.errors import UnauthorizedError, UnavailableError
from torg.operations import HOST, SAFE_METHODS, Operation
from torg.plugins import State
from torg.request_reading import check_length

# Of these the database says itself that it has undone everything.
# 0A000 is said before anything is done: a migration has made a prepared statement worthless.
_UNDONE = frozenset({"40001", "40P01", "0A000"})
_LOOKED_AT = "torg.calls.looked_at"
_LOOK_SECONDS = 1.0


class PluginAwayError(UnavailableError):
    """The feature behind this address is switched on but cannot work at the moment."""

    code = "plugin_unavailable"
    title = "Feature unavailable"
    detail = "The feature {plugin} cannot work at the moment ({state})."
    public = ("plugin", "state")


class Call:
    """One call of an operation, which may take several attempts."""

    def __init__(self, app: flask.Flask, operation: Operation) -> None:
        self._app = app
        self._operation = operation
        self._declaration = operation.declaration
        self._attempts = 0

    def answer(self) -> AnyResponse:
        """The response of the view, after its commit.

        Raises:
            Exception: whatever the view or the host's rules raise, after the rollback.
        """
        operation = self._operation
        _require_active(self._app, operation.plugin)
        check_length(request, operation.body_limit_bytes)
        limits.check(operation.by_address, operation.id, request)
        key = idempotency.key_of(request) if self._declaration.idempotent else None
        mode = operation.mode(request.method, key)
        filling = _begin_ready(self._app, self._declaration)
        try:
            response = self._until_done(mode, key)
            if request.method in SAFE_METHODS:
                etag.apply(response)
        except BaseException:
            _end_ready(self._app, filling)
            raise
        return response

    def _until_done(self, mode: db.Mode, key: str | None) -> AnyResponse:
        def attempt() -> AnyResponse:
            self._rewind()
            with db.committing(mode):
                self._admit()
                if key is None:
                    return self._view(mode)
                return idempotency.once(request, key, self._operation.id, lambda: self._view(mode))

        try:
            return db.retrying(attempt)
        except Exception:
            if key is not None and idempotency.was_answered_meanwhile():
                return db.retrying(attempt)
            raise

    def _rewind(self) -> None:
        self._attempts += 1
        if self._attempts > 1 and self._declaration.upload:
            for file in request.files.values():
                file.seek(0)

    def _admit(self) -> None:
        declared = self._declaration
        if declared.access == "restricted":
            caller = identity.resolve(request)
            identity.check_access(declared.permission, verified=declared.verified)
        else:
            caller = _resolve_if_valid()
        if caller is not None:
            logs.bind(identity_id=caller.id)
        limits.check(self._operation.by_identity, self._operation.id, request)

    def _view(self, mode: db.Mode) -> AnyResponse:
        view: Any = self._app.view_functions[self._operation.endpoint]
        try:
            response = self._app.make_response(view(**(request.view_args or {})))
        except DBAPIError as error:
            if mode == "statement" and request.method not in SAFE_METHODS:
                _refuse_unknown(error)
            raise
        if self._declaration.if_match and "If-Match" in request.headers and not etag.was_checked():
            message = f"{self._operation.id} declares if_match but did not check it"
            raise RuntimeError(message)
        return response


def _resolve_if_valid() -> identity.Identity | None:
    """On public routes a stale token is no hindrance: refreshing and signing in are such routes."""
    if ready_answers.is_anonymous(request.environ):
        return None
    try:
        return identity.resolve(request)
    except UnauthorizedError:
        return None


def _refuse_unknown(error: DBAPIError) -> None:
    """A statement that is its own transaction may have been committed when the line broke."""
    if db.is_retryable(error) and getattr(error.orig, "pgcode", None) not in _UNDONE:
        raise db.CommitUnknownError from error


def _require_active(app: flask.Flask, name: str) -> None:
    registry = app.extensions.get("torg.plugins")
    plugin = registry.plugins.get(name) if registry is not None else None
    if plugin is None or plugin.state is State.ACTIVE:
        return
    if plugin.state is State.PENDING:
        _follow_upgrade(app)
    if plugin.state is not State.ACTIVE:
        raise PluginAwayError(plugin=name, state=str(plugin.state))


def _follow_upgrade(app: flask.Flask) -> None:
    """A plugin that waits for its migrations begins without a restart once they are applied."""
    now = time.monotonic()
    if now - app.extensions.get(_LOOKED_AT, 0.0) < _LOOK_SECONDS:
        return
    app.extensions[_LOOKED_AT] = now
    migrate.note_states(app)


def _begin_ready(app: flask.Flask, declared: Declaration) -> ready_answers.Filling | None:
    layer = ready_answers.layer_of(app)
    if declared.ready is None or layer is None or request.method != "GET":
        return None
    if not ready_answers.is_anonymous(request.environ):
        return None
    tags = ready_answers.tags_of(declared.ready, request.view_args or {})
    filling = layer.begin(ready_answers.key_of(request.environ), tags, declared.ready.seconds)
    request.environ[ready_answers.FILLING] = filling
    return filling


def _end_ready(app: flask.Flask, filling: ready_answers.Filling | None) -> None:
    layer = ready_answers.layer_of(app)
    request.environ.pop(ready_answers.FILLING, None)
    if filling is not None and layer is not None:
        layer.end(filling)


def keep_ready(app: flask.Flask, response: AnyResponse) -> None:
    """Keep the finished answer of the present request, if its route declares that."""
    filling = request.environ.get(ready_answers.FILLING)
    layer = ready_answers.layer_of(app)
    if filling is None or layer is None:
        return
    try:
        if response.status_code == 200 and response.mimetype == "application/json":
            route = request.url_rule.rule if request.url_rule is not None else ""
            layer.keep(filling, response, request.environ.get("torg.plugin", HOST), route)
    finally:
        _end_ready(app, filling)
