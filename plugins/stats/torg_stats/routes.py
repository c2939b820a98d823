"""Statistics by HTTP."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import flask

from torg import etag, identity
from torg.blueprint import Blueprint
from torg.db import database_now
from torg.errors import NotFoundError
from torg_stats import schemas as shapes
from torg_stats.domain.periods import today_in
from torg_stats.errors import (
    MetricBrokenError,
    NotYourFiguresError,
    QuestionRefusedError,
    QuestionTooLargeError,
    ReportsFullError,
)
from torg_stats.queries import reports as queries
from torg_stats.services import (
    answering,
    asking,
    pictures,
    ranking,
    reports,
    showing,
    tables,
)
from torg_stats.services.answering import Answer
from torg_stats.services.asking import Viewer

OWN = "stats.query.own"
blueprint = Blueprint("stats", description="Statistics over everything that is switched on.")

_FORMS: dict[str, tuple[str, Callable[[Answer], bytes]]] = {
    "csv": ("text/csv; charset=utf-8", tables.csv_of),
    "xlsx": (
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        tables.xlsx_of,
    ),
    "svg": ("image/svg+xml", lambda found: pictures.drawn(found, "svg")),
    "png": ("image/png", lambda found: pictures.drawn(found, "png")),
}
_REFUSALS = (QuestionRefusedError, NotYourFiguresError, QuestionTooLargeError, MetricBrokenError)


@blueprint.route("/metrics", methods=["GET"])
@blueprint.requires(OWN)
@blueprint.response(200, shapes.Catalogue)
def list_metrics() -> Any:
    """List what can be counted, with formulas and dimensions."""
    return showing.catalogue_for(_viewer())


@blueprint.route("/query", methods=["GET"])
@blueprint.requires(OWN)
@blueprint.transaction("write")
@blueprint.arguments(shapes.QuestionQuery, location="query")
@blueprint.response(200, shapes.Answer)
@blueprint.fails(*_REFUSALS)
def query(arguments: dict[str, Any]) -> Any:
    """Answer a question: totals, or numbers by day, week or month; as JSON, table or picture.

    Without the right to see all, only what is your own is counted. Money of several currencies is
    never added up: each has a series of its own, unless `convert_to` names one.
    """
    with _pointing(_in_query):
        found = answering.answer(_question(arguments), _viewer())
    return _written(found, arguments["format"])


@blueprint.route("/leaderboard", methods=["GET"])
@blueprint.requires(OWN)
@blueprint.transaction("write")
@blueprint.arguments(shapes.LeaderboardQuery, location="query")
@blueprint.response(200, shapes.Leaderboard)
@blueprint.fails(*_REFUSALS)
def get_leaderboard(arguments: dict[str, Any]) -> Any:
    """Show who has most of something."""
    words = {
        "interval": None,
        "filter": [],
        "convert_to": None,
        "seen_as": None,
        **arguments,
        "metric": [arguments["metric"]],
        "by": [arguments["by"]],
    }
    # The one metric and the one dimension are no lists here.
    with _pointing(lambda pointer: _in_query(pointer).removesuffix(".0")):
        asked = _question(words)
        places = ranking.leaderboard(asked, _viewer())
    return showing.leaderboard(asked, places)


@blueprint.route("/me", methods=["GET"])
@blueprint.requires(OWN)
@blueprint.transaction("write")
@blueprint.arguments(shapes.OwnQuery, location="query")
@blueprint.response(200, shapes.OwnPage)
@blueprint.fails(*_REFUSALS)
def get_own_page(arguments: dict[str, Any]) -> Any:
    """Show your own numbers of the last 30 days, as buyer, dealer, supplier or whatever you are."""
    with _pointing(_in_query):
        zone = asking.require_zone(arguments["tz"])
    today = today_in(zone, database_now())
    return showing.own_page(*ranking.own_page(_viewer(), zone, today))


@blueprint.route("/reports", methods=["GET"])
@blueprint.requires(OWN)
@blueprint.arguments(queries.ReportListing.arguments(), location="query")
@blueprint.response(200, queries.ReportListing.envelope(shapes.Report))
def list_reports(arguments: dict[str, Any]) -> Any:
    """List your kept reports."""
    return queries.page(arguments, _viewer().id)


@blueprint.route("/reports", methods=["POST"])
@blueprint.requires(OWN, verified=True)
@blueprint.idempotent
@blueprint.arguments(shapes.CreateReport)
@blueprint.response(201, shapes.Report)
@blueprint.fails(QuestionRefusedError, ReportsFullError)
def create_report(arguments: dict[str, Any]) -> Any:
    """Keep a question, and have its answer sent by mail if you like."""
    viewer = _viewer()
    with _pointing(_in_report):
        report_id = reports.create(viewer, arguments)
    where = {"Location": f"{flask.request.base_url.rstrip('/')}/{report_id}"}
    return queries.show(report_id, viewer.id), where


@blueprint.route("/reports/<int:report_id>", methods=["GET"])
@blueprint.requires(OWN)
@blueprint.response(200, shapes.Report)
@blueprint.fails(NotFoundError)
def get_report(report_id: int) -> Any:
    """Show one of your reports."""
    return queries.show(report_id, _viewer().id)


@blueprint.route("/reports/<int:report_id>", methods=["PATCH"])
@blueprint.requires(OWN)
@blueprint.if_match
@blueprint.arguments(shapes.ChangeReport)
@blueprint.response(200, shapes.Report)
@blueprint.fails(NotFoundError, QuestionRefusedError)
def change_report(arguments: dict[str, Any], report_id: int) -> Any:
    """Change a report."""
    viewer = _viewer()
    reports.locked(viewer, report_id)
    etag.require_match(shapes.Report().dump(queries.show(report_id, viewer.id)))
    with _pointing(_in_report):
        reports.change(viewer, report_id, arguments)
    return queries.show(report_id, viewer.id)


@blueprint.route("/reports/<int:report_id>", methods=["DELETE"])
@blueprint.requires(OWN)
@blueprint.response(204)
@blueprint.fails(NotFoundError)
def delete_report(report_id: int) -> None:
    """Delete a report."""
    reports.remove(_viewer(), report_id)


@blueprint.route("/reports/<int:report_id>/answer", methods=["GET"])
@blueprint.requires(OWN)
@blueprint.transaction("write")
@blueprint.arguments(shapes.FormatQuery, location="query")
@blueprint.response(200, shapes.Answer)
@blueprint.fails(NotFoundError, *_REFUSALS)
def answer_report(arguments: dict[str, Any], report_id: int) -> Any:
    """Answer a kept question now."""
    viewer = _viewer()
    with _pointing(_in_report):
        asked = reports.question_of(queries.show(report_id, viewer.id).question)
        found = answering.answer(asked, viewer)
    return _written(found, arguments["format"])


@blueprint.route("/reports/<int:report_id>/send", methods=["POST"])
@blueprint.requires(OWN, verified=True)
@blueprint.idempotent
@blueprint.limit("10 per hour", by="identity")
@blueprint.response(202, shapes.Report)
@blueprint.fails(NotFoundError)
def send_report(report_id: int) -> Any:
    """Have a report sent to your address now."""
    viewer = _viewer()
    reports.locked(viewer, report_id)
    reports.send_now(report_id)
    return queries.show(report_id, viewer.id)


@contextlib.contextmanager
def _pointing(place: Callable[[str], str]) -> Iterator[None]:
    """Let refusals point at where this request has the words of its question.

    Args:
        place: the pointer in the request of a pointer into the question.
    """
    try:
        yield
    except QuestionRefusedError as error:
        problems = [replace(each, pointer=place(each.pointer)) for each in error.errors]
        raise QuestionRefusedError(errors=problems) from error


def _in_query(pointer: str) -> str:
    return f"?{pointer.removeprefix('/').replace('/', '.')}"


def _in_report(pointer: str) -> str:
    return f"/question{pointer}"


def _viewer() -> Viewer:
    person = identity.current()
    return Viewer(person.id, person.permissions)


def _question(words: dict[str, Any]) -> asking.Question:
    zone = asking.require_zone(words["tz"])
    return asking.question(words, today_in(zone, database_now()))


def _written(found: Answer, form: str) -> Any:
    if form == "json":
        return showing.answer(found)
    content_type, write = _FORMS[form]
    response = flask.Response(write(found), content_type=content_type)
    inline = form in {"svg", "png"}
    response.headers.set(
        "Content-Disposition", "inline" if inline else "attachment", filename=f"statistics.{form}"
    )
    response.headers["Cache-Control"] = "no-store"
    return response
