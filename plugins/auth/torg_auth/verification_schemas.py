"""The shapes of verification levels, requests and their review."""

from typing import Any

from flask_smorest.fields import Upload
from marshmallow import ValidationError, validates_schema

from torg.schemas import (
    Boolean,
    Enum,
    Id,
    Integer,
    List,
    Message,
    MoneyField,
    Nested,
    Schema,
    Text,
    Timestamp,
    Url,
    problem,
)
from torg_auth.domain.verification import HIGHEST, DocumentKind, Status
from torg_auth.schemas import username_field, whole_list

_STATUSES = [status.value for status in Status]
_KINDS = [kind.value for kind in DocumentKind]


class _Documents(Schema):
    """Documents, one for each kind. PNG, JPEG, WebP or PDF."""

    @validates_schema
    def _some(self, data: dict[str, Any], **_keywords: Any) -> None:
        if not data:
            raise problem("document_missing", "Send one document or more.")


VerificationDocuments: type[Schema] = _Documents.from_dict(
    {kind: Upload(metadata={"description": kind.replace("_", " ")}) for kind in _KINDS},
    name="VerificationDocuments",
)  # type: ignore[assignment]


class Document(Schema):
    """A document that was sent."""

    id = Id()
    kind = Enum(_KINDS, example="passport")
    content_type = Text(maximum=40, example="application/pdf")
    size_bytes = Integer(minimum=0, example=182_044)


class ReviewedDocument(Document):
    """A document for the eyes of staff."""

    url = Url(allow_none=True, description="Works for minutes. None once it was deleted.")


class VerificationRequest(Schema):
    """One's own request for a higher level."""

    id = Id()
    level = Integer(minimum=1, maximum=HIGHEST, example=3)
    status = Enum(_STATUSES, example="pending")
    reason = Text(maximum=500, minimum=0, example="The photograph is not readable.")
    created_at = Timestamp()
    decided_at = Timestamp(allow_none=True)
    expires_at = Timestamp(allow_none=True)
    documents = List(Nested(Document), maximum=len(_KINDS))


class ListedRequest(Schema):
    """A request as staff sees it in the list."""

    id = Id()
    user_id = Id()
    username = username_field()
    level = Integer(minimum=1, maximum=HIGHEST, example=3)
    status = Enum(_STATUSES, example="pending")
    reason = Text(maximum=500, minimum=0, example="The photograph is not readable.")
    created_at = Timestamp()
    decided_at = Timestamp(allow_none=True)
    decided_by = Id(allow_none=True)
    expires_at = Timestamp(allow_none=True)


class ReviewedRequest(ListedRequest):
    """A request with links to its documents."""

    documents = List(Nested(ReviewedDocument), maximum=len(_KINDS))


class Decision(Schema):
    """What staff decides."""

    decision = Enum(
        [Status.APPROVED.value, Status.REFUSED.value], required=True, example="approved"
    )
    reason = Text(
        maximum=500,
        minimum=0,
        strip=True,
        load_default="",
        example="The photograph is not readable.",
        description="The owner reads it; a refusal needs one.",
    )
    valid_days = Integer(
        minimum=1,
        maximum=3650,
        load_default=None,
        allow_none=True,
        example=365,
        description="How long an approval lasts; by default what the deployment sets.",
    )

    @validates_schema
    def _fits(self, data: dict[str, Any], **_keywords: Any) -> None:
        is_refused = data.get("decision") == Status.REFUSED.value
        if is_refused and data.get("valid_days") is not None:
            message = Message("not_for_refusals", "Only an approval lasts.")
            raise ValidationError(message, field_name="valid_days")


class DailyLimit(Schema):
    """The most money a day in a currency; none where there is no limit."""

    currency = Text(minimum=3, maximum=3, pattern="[A-Z]{3}", example="EUR")
    limit = MoneyField(allow_none=True)


class VerificationLevel(Schema):
    """A level: how it is reached and what it is worth here."""

    level = Integer(minimum=0, maximum=HIGHEST, example=2)
    proved_by = Enum(["nothing", "email", "phone", "documents"], example="phone")
    unlocks = List(Text(maximum=200, example="wallet.withdrawal.request"), maximum=1000)
    daily_limits = List(Nested(DailyLimit), maximum=200)
    is_unlimited = Boolean(description="Whether no limit is set in any currency.")


VerificationLevels = whole_list("VerificationLevels", VerificationLevel)
