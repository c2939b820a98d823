"""Notes are kept, and their words counted in the background."""

from typing import Any

from sqlalchemy import select
from torg.db import session, unit_of_work

from torg_guestbook.models import Note

NOTES = "/api/v1/guestbook/notes"


def test_note_is_kept_and_its_words_are_counted(
    app: Any, client: Any, people: Any, run_jobs: Any
) -> None:
    ann = people.add("ann")

    answer = client.post(NOTES, json={"text": "buy a bell"}, headers=ann.headers)
    run_jobs()

    assert answer.status_code == 201
    with unit_of_work("read", app):
        note = session.scalars(select(Note)).one()
        assert (note.author_id, note.text, note.word_count) == (ann.id, "buy a bell", 3)


def test_nobody_writes_without_signing_in(client: Any) -> None:
    assert client.post(NOTES, json={"text": "buy a bell"}).status_code == 401


def test_empty_note_is_refused_and_not_kept(app: Any, client: Any, people: Any) -> None:
    answer = client.post(NOTES, json={"text": ""}, headers=people.add("ann").headers)

    assert answer.status_code == 422
    with unit_of_work("read", app):
        assert session.scalars(select(Note)).all() == []
