"""What happens to notes. The host opens and ends the transaction; nothing here commits."""

from torg import outbox
from torg.db import session

from torg_guestbook.models import Note


def write_note(author_id: int, text: str) -> Note:
    """Keep a note and have its words counted once it is committed."""
    note = Note(author_id=author_id, text=text)
    session.add(note)
    # The database gives the id and the time, which the job and the answer need.
    session.flush()
    outbox.enqueue("guestbook.count_words", {"note_id": note.id}, key=str(note.id))
    return note


def count_words(note_id: int) -> int:
    """Count the words of a note and keep the number; counting twice changes nothing."""
    note = session.get_one(Note, note_id)
    note.word_count = len(note.text.split())
    return note.word_count
