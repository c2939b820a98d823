"""Pages about what requests cost: `/dev/requests`, and one for each request.

They show where the time of a request went and which statements it sent how often, so that a loop of
queries is seen before it is shipped. What is recorded, and where, is `torg.request_traces`'.
"""

from typing import Any

import flask
from flask import current_app

from torg import config, dev_pages, request_traces
from torg.errors import NotFoundError


def mount(app: flask.Flask) -> None:
    """Add the pages where they belong, and nowhere else."""
    rules: tuple[tuple[str, str, Any], ...] = (
        ("/dev/requests", "torg_dev_requests", _list),
        ("/dev/requests.json", "torg_dev_requests_json", _json),
        ("/dev/requests/<request_id>", "torg_dev_request", _one),
    )
    dev_pages.mount(app, rules)


def _list() -> flask.Response:
    is_on = config.settings().host.trace_requests
    traces = request_traces.recent(_app()) if is_on else []
    return dev_pages.render("requests/list.html", traces=traces, is_on=is_on)


def _json() -> flask.Response:
    """The same for programs."""
    items = [
        {
            "request_id": each.request_id,
            "method": each.method,
            "path": each.path,
            "status": each.status,
            "total_ms": round(each.total_ms, 3),
            "database_ms": round(each.database_ms, 3),
            "statements": [
                {"sql": one.sql, "times": one.times, "ms": round(one.milliseconds, 3)}
                for one in request_traces.summed(each)
            ],
        }
        for each in request_traces.recent(_app())
    ]
    return flask.jsonify({"items": items})


def _one(request_id: str) -> flask.Response:
    trace = request_traces.find(_app(), request_id)
    if trace is None:
        raise NotFoundError
    summed = request_traces.summed(trace)
    return dev_pages.render("requests/one.html", trace=trace, summed=summed)


def _app() -> flask.Flask:
    found: flask.Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
    return found
