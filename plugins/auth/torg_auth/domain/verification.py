"""How far an account is verified: 0 not at all, 1 by e-mail, 2 by telephone, 3 by documents."""

from enum import StrEnum

BY_DOCUMENTS = 3
HIGHEST = 3

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"%PDF-", "application/pdf"),
)


class Status(StrEnum):
    """What became of a request."""

    PENDING = "pending"
    APPROVED = "approved"
    REFUSED = "refused"
    EXPIRED = "expired"


class DocumentKind(StrEnum):
    """What a document is."""

    PASSPORT = "passport"
    IDENTITY_CARD = "identity_card"
    DRIVING_LICENCE = "driving_licence"
    PROOF_OF_ADDRESS = "proof_of_address"
    COMPANY_REGISTER = "company_register"
    OTHER = "other"


def content_type_of(content: bytes) -> str | None:
    """The media type that the first bytes give away, or None for anything that is not taken.

    What the sender calls it does not count.
    """
    for signature, content_type in _SIGNATURES:
        if content.startswith(signature):
            return content_type
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return None
