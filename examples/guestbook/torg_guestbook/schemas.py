"""What the routes take and answer."""

from torg.schemas import Id, Schema, Text, Timestamp

from torg_guestbook.models import LONGEST_TEXT


class NewNote(Schema):
    """A note to be kept."""

    text = Text(minimum=1, maximum=LONGEST_TEXT, required=True, example="Buy a bell")


class Note(Schema):
    """A note that is kept."""

    id = Id()
    text = Text(maximum=LONGEST_TEXT, example="Buy a bell")
    created_at = Timestamp()
