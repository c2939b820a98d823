"""Files that come and go: exports, imports, pictures."""

from flask_smorest.fields import Upload

from torg.schemas import Boolean, Enum, Id, Integer, List, Nested, QuerySchema, Schema, Text, Url
from torg_shop.domain.formats import FORMATS


class ExportQuery(QuerySchema):
    """Which form."""

    format = Enum(FORMATS, load_default="xlsx", example="xlsx")


class ImportQuery(QuerySchema):
    """Whether to try only."""

    dry_run = Boolean(load_default=False, example=True, description="Tell what would be done.")


class ImportFile(Schema):
    """The table."""

    file = Upload(required=True, metadata={"description": "CSV in UTF-8, or XLSX."})


class RowProblem(Schema):
    """What is wrong with one row."""

    row = Integer(minimum=1, description="The line of the table; names stand in line 1.")
    column = Text(maximum=100, example="price")
    message = Text(maximum=500, example="Has to be a number.")


class ImportReport(Schema):
    """What an import did, or would do."""

    dry_run = Boolean()
    rows = Integer(minimum=0)
    created = Integer(minimum=0)
    updated = Integer(minimum=0)
    failed = Integer(minimum=0)
    errors = List(Nested(RowProblem), maximum=100, description="The first hundred.")


class LeftToJob(Schema):
    """That a job does it; `Location` tells where its state is, and in the end its result."""

    job_id = Id()


class PictureFile(Schema):
    """A picture as an upload."""

    image = Upload(required=True, metadata={"description": "PNG, JPEG, WebP or GIF."})


class PictureAbout(QuerySchema):
    """What is said of a new picture."""

    alt = Text(maximum=200, minimum=0, strip=True, example="From the side")
    position = Integer(minimum=0, maximum=1000, description="At the end by default.")


PICTURE_TYPES = ("image/png", "image/jpeg", "image/webp", "image/gif")


class AskForPlace(Schema):
    """What is going to be sent."""

    content_type = Enum(PICTURE_TYPES, required=True, example="image/png")


class FormField(Schema):
    """A field that the form has to hold as it is."""

    name = Text(maximum=200, example="policy")
    value = Text(maximum=10_000, minimum=0, example="eyJjb25kaXRpb25zIjogW119")


class Place(Schema):
    """Where to send the file: a POST (multipart) of `form`, with the file at its end."""

    key = Text(
        maximum=100,
        allow_none=True,
        example="shop.upload/0a/0a1b2c3d4e5f60718293a4b5c6d7e8f9",
        description="Tell it to media/sent afterwards; null when the address shows the picture"
        " at once, as it does where files lie on a disk.",
    )
    url = Url(description="Works for an hour.")
    file_field = Text(maximum=20, example="file", description="The name of the file's field.")
    form = List(Nested(FormField), maximum=50)


class SentPicture(Schema):
    """A picture that was sent to its place."""

    key = Text(
        maximum=100,
        required=True,
        example="shop.upload/0a/0a1b2c3d4e5f60718293a4b5c6d7e8f9",
    )
    alt = Text(maximum=200, minimum=0, strip=True, example="From the side")
    position = Integer(minimum=0, maximum=1000, description="At the end by default.")


class ChangePicture(Schema):
    """What is left out stays."""

    alt = Text(maximum=200, minimum=0, strip=True, example="From the side")
    position = Integer(minimum=0, maximum=1000)
