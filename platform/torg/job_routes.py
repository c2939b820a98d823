"""`GET /api/v1/jobs/{id}`: how far a long piece of work is, for the person it is done for.

Owns the route and its answer. A view that starts long work answers 202 with `location(job_id)`.
"""

from __future__ import annotations

from typing import Any

from torg import identity, outbox, storage
from torg.blueprint import Blueprint
from torg.errors import NotFoundError
from torg.schemas import Enum, HostField, Id, Integer, Nested, Schema, Text, Timestamp

READ_ANY = "host.job.read"

blueprint = Blueprint("jobs", description="Background work and how far it is.")


class JobMissingError(NotFoundError):
    """There is no such job, it is not yours, or it was done long ago and forgotten."""

    code = "job_not_found"
    title = "No such job"
    detail = "There is no such job of yours."


class _AnyObject(HostField):
    """A JSON object whose members the job decides."""

    def openapi(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": True}

    def example_value(self) -> Any:
        return {"rows": 1200}


class Progress(Schema):
    """How much is done."""

    done = Integer(minimum=0, required=True, example=300)
    total = Integer(minimum=0, allow_none=True, required=True, example=1200)


class JobState(Schema):
    """A background job."""

    id = Id(required=True)
    job = Text(maximum=200, required=True, example="stall.export_rows")
    state = Enum(
        outbox.STATES,
        required=True,
        description="queued, running or done; dead: failed for good; parked: its plugin is off.",
    )
    attempts = Integer(minimum=0, required=True)
    progress = Nested(Progress, required=True, allow_none=True)
    result = _AnyObject(required=True, allow_none=True)
    result_url = Text(
        maximum=2000,
        required=True,
        allow_none=True,
        example="https://example.org/files/stall/0f/0f3a?until=1790000000&signature=1f",
        description="A link to the file that the job made; it works for an hour or two.",
    )
    error = Text(
        maximum=500,
        required=True,
        allow_none=True,
        example=None,
        description="What went wrong last; only for those who may see every job.",
    )
    created_at = Timestamp(required=True)
    finished_at = Timestamp(required=True, allow_none=True)


def location(job_id: int) -> dict[str, str]:
    """The header of a 202 answer: where the state of the job can be read."""
    return {"Location": f"/api/v1/jobs/{job_id}"}


@blueprint.route("/<int:job_id>", methods=["GET"])
@blueprint.requires()
@blueprint.response(200, JobState)
@blueprint.fails(JobMissingError)
def get_job(job_id: int) -> dict[str, Any]:
    """Read the state of a background job of yours."""
    caller = identity.current()
    row = outbox.find(job_id)
    sees_all = caller.may(READ_ANY)
    if row is None or not (sees_all or row.identity_id == caller.id):
        raise JobMissingError(job_id=job_id)
    result, link = _parted(row.result)
    progress = None
    if row.progress_done is not None:
        progress = {"done": row.progress_done, "total": row.progress_total}
    return {
        **{name: getattr(row, name) for name in ("id", "job", "state", "attempts")},
        "progress": progress,
        "result": result,
        "result_url": link,
        "error": row.last_error if sees_all else None,
        "created_at": row.created_at,
        "finished_at": row.finished_at,
    }


def _parted(result: dict[str, Any] | None) -> tuple[dict[str, Any] | None, str | None]:
    """The result without its file's key, and a signed link to that file."""
    if result is None or "file" not in result:
        return result, None
    rest = {name: value for name, value in result.items() if name != "file"}
    return rest, storage.url(result["file"])
