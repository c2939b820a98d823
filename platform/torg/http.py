"""The web application: every request in one unit of work, every answer with the same manners.

Owns `Application`: routing, the order of the steps around a call, the headers of every answer. How
a route is declared is `torg.blueprint`'s, how it is run `torg.calls`', how an error looks
`torg.problems`'.

The way of a request: check of the address, body limit, limits by address, unit of work (who asks,
may he, limits by identity, Idempotency-Key, the view, commit), ETag, headers. Everything up to the
commit is inside one transaction, so that a violation at commit is translated like any other, and
all of it is run again when the database asks for it (serialisation failure, deadlock, a connection
lost before the commit was sent).

Order of the start: `config.init`, `db.init`; `problems.init`, `http.init`,
`limits.init`, `cache.init`, `ready_answers.init`, `openapi.init`; then `openapi.mount_host` and,
for every plugin, `openapi.mount`; last `openapi.finish`, which checks every route and stops the
start for a wrong one.
"""

import time
from typing import Any

import flask
from flask import request
from flask.sessions import NullSession, SessionInterface
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response as AnyResponse

from torg import calls, db, headers, limits, logs, metrics, operations, request_traces
from torg.blueprint import Blueprint
from torg.calls import Call, PluginAwayError
from torg.config import EXTENSION as CONFIG
from torg.json_answers import JsonProvider
from torg.operations import API_PREFIX, HOST, Mounted, mount
from torg.plugins import State
from torg.request_reading import IdConverter, check_address
from torg.request_traces import Trace
from torg.root_paths import covers
from torg.route_rules import check_declarations

__all__ = [
    "API_PREFIX",
    "Application",
    "Blueprint",
    "PluginAwayError",
    "check_declarations",
    "init",
    "mount",
]


class _NoSessions(SessionInterface):
    """The API knows no cookies; whoever sets one by mistake gets an error, not a session."""

    def open_session(self, app: flask.Flask, request: flask.Request) -> NullSession:
        del app, request
        return NullSession()

    def save_session(self, app: flask.Flask, session: Any, response: AnyResponse) -> None:
        del app, session, response


class Application(flask.Flask):
    """Flask, with the request as the unit of work."""

    json_provider_class = JsonProvider
    session_interface = _NoSessions()

    def __init__(self, import_name: str, **options: Any) -> None:
        """Take Flask's options; files are served by `torg.docs_pages`, not by Flask."""
        super().__init__(import_name, **{"static_folder": None, **options})
        self.url_map.strict_slashes = False
        self.url_map.merge_slashes = False
        self.url_map.redirect_defaults = False
        self.url_map.converters = {**self.url_map.converters, "int": IdConverter}
        self.extensions[operations.EXTENSION] = Mounted({}, {}, {})

    def wsgi_app(self, environ: Any, start_response: Any) -> Any:
        """Flask's, with the headers of every answer added last."""
        environ["torg.started"] = time.perf_counter()
        allowed = operations.of(self).origins
        return super().wsgi_app(environ, headers.completing(environ, start_response, allowed))

    def full_dispatch_request(self, *context: Any) -> flask.Response:
        """Begin counting and logging of the request, then dispatch it."""
        logs.start(request_id=headers.id_of(request.environ))
        db.start_statistics(with_texts=operations.of(self).is_tracing)
        return super().full_dispatch_request(*context)

    def dispatch_request(self, *context: Any) -> Any:
        """Route the request; a blueprint's view runs in its unit of work."""
        check_address(request.environ)
        if request.method == "OPTIONS":
            return headers.preflight() or super().dispatch_request(*context)
        mounted = operations.of(self)
        if request.routing_exception is not None:
            self._refuse_away(mounted)
            self._refuse_method()
            self.raise_routing_exception(request)
        operation = mounted.operations.get(request.endpoint or "")
        if operation is None:
            return super().dispatch_request(*context)
        request.environ["torg.plugin"] = operation.plugin
        return Call(self, operation).answer()

    def process_response(self, *arguments: Any) -> flask.Response:
        """Add limits, timing and numbers, after everybody else."""
        response = super().process_response(*arguments)
        environ = request.environ
        seconds = time.perf_counter() - environ["torg.started"]
        limits.add_headers(response, environ)
        if operations.of(self).is_debugging:
            headers.timing(response, seconds)
        calls.keep_ready(self, response)
        _observe(environ, response.status_code, seconds)
        if operations.of(self).is_tracing and "torg.plugin" in environ:
            _trace(self, response.status_code, seconds)
        return response

    def _refuse_away(self, mounted: Mounted) -> None:
        """An unknown address that a plugin which failed to start would have served is its fault."""
        if not isinstance(request.routing_exception, NotFound):
            return
        registry = self.extensions.get("torg.plugins")
        for plugin in registry.plugins.values() if registry is not None else ():
            # What runs serves all that it wants to serve; the rest is not there.
            if plugin.state in (State.DISABLED, State.ACTIVE):
                continue
            prefix, claims = plugin.manifest.url_prefix, plugin.manifest.root_paths
            missing = [claim for claim in claims if claim not in mounted.roots]
            if prefix is not None and prefix not in mounted.prefixes:
                missing.append(f"{API_PREFIX}/{prefix}")
            if any(covers(address, request.path) for address in missing):
                raise PluginAwayError(plugin=plugin.name, state=str(plugin.state))

    def _refuse_method(self) -> None:
        """An address with a last slash is known without it too, also when asked the wrong way."""
        if not isinstance(request.routing_exception, NotFound) or request.path.endswith("/"):
            return
        adapter = self.create_url_adapter(request)
        methods = [] if adapter is None else list(adapter.allowed_methods(f"{request.path}/"))
        if methods and request.method not in methods:
            raise MethodNotAllowed(valid_methods=methods)


def _observe(environ: Any, status: int, seconds: float) -> None:
    count = db.statistics()
    rule = request.url_rule
    metrics.observe_request(
        environ.get("torg.plugin", HOST),
        rule.rule if rule is not None else "",
        environ["REQUEST_METHOD"],
        status,
        seconds,
        count.statements,
        count.seconds,
    )


def _trace(app: flask.Flask, status: int, seconds: float) -> None:
    count = db.statistics()
    trace = Trace(
        request_id=headers.id_of(request.environ),
        method=request.method,
        path=request.path,
        status=status,
        total_ms=seconds * 1000,
        database_ms=count.seconds * 1000,
        statements=request_traces.statements_of(count),
    )
    request_traces.keep(app, trace)


def init(app: Application) -> None:
    """Read the settings that count for every request, and believe as many proxies as they say."""
    settings = app.extensions.get(CONFIG)
    if settings is None:
        return
    host = settings.host
    mounted = operations.of(app)
    mounted.body_limit_bytes = host.body_limit_bytes
    mounted.upload_limit_bytes = host.upload_limit_bytes
    mounted.is_debugging = host.debug
    mounted.is_tracing = host.trace_requests
    mounted.origins = headers.origins_of(app)
    if host.proxy_hops:
        hops = host.proxy_hops
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]  # Flask's own way to add a layer
            app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops
        )
