"""Events are heard when the subscriber chose to hear them, and never of what did not happen."""

from typing import Any

import pytest

from torg import db, events, jobs
from torg.events import Event, Subscription
from torg.schemas import Id, Schema, Text


class Happened(Schema):
    thing_id = Id()
    note = Text(maximum=50)


HEARD: list[dict[str, Any]] = []
PAYLOAD = {"thing_id": 7, "note": "hello"}


def hear(payload: dict[str, Any]) -> None:
    HEARD.append(dict(payload))


def object_to_it(_payload: dict[str, Any]) -> None:
    raise PermissionError


@pytest.fixture
def app(make_app: Any) -> Any:
    HEARD.clear()
    app = make_app([])
    events.init(app).declare("stall", Event("stall.happened", "1.2", Happened))
    return app


def subscribe(app: Any, **facts: Any) -> None:
    subscription = Subscription("stall.happened", facts.pop("handler", hear), **facts)
    # The kit's pretend plugin is active, which a stored event waits for.
    events.init(app).subscribe("testkit", subscription)
    jobs.deliver_events(app, "testkit")


def test_in_the_transaction_a_subscriber_hears_at_once_and_may_object(app: Any) -> None:
    subscribe(app, phase="in_transaction", handler=object_to_it)

    with pytest.raises(PermissionError), db.unit_of_work(app=app):
        events.publish("stall.happened", PAYLOAD)


def test_after_commit_a_subscriber_hears_only_of_what_was_committed(app: Any) -> None:
    subscribe(app, phase="after_commit")

    with pytest.raises(RuntimeError), db.unit_of_work(app=app):
        events.publish("stall.happened", PAYLOAD)
        raise RuntimeError
    assert HEARD == []

    with db.unit_of_work(app=app):
        events.publish("stall.happened", PAYLOAD)
        assert HEARD == []
    assert HEARD == [PAYLOAD]


def test_through_the_outbox_a_worker_delivers(app: Any, run_jobs: Any) -> None:
    subscribe(app, phase="outbox")

    with db.unit_of_work(app=app):
        events.publish("stall.happened", PAYLOAD)
    assert HEARD == []
    run_jobs()

    assert HEARD == [PAYLOAD]


def test_another_version_is_not_heard(app: Any) -> None:
    subscribe(app, phase="in_transaction", versions=">=2")

    with db.unit_of_work(app=app):
        events.publish("stall.happened", PAYLOAD)

    assert HEARD == []


@pytest.mark.parametrize("facts", [{"phase": "outbx"}, {"versions": "banana"}])
def test_a_subscription_that_could_only_fail_in_the_publishers_work_is_refused(
    app: Any, facts: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r"outbx|banana"):
        subscribe(app, **facts)

    with db.unit_of_work(app=app):
        events.publish("stall.happened", PAYLOAD)


def test_a_subscription_that_never_hears_is_told_unless_its_publisher_is_away(app: Any) -> None:
    known = events.init(app)
    for event, versions in (
        ("stall.hapened", ""),
        ("stall.happened", ">=2"),
        ("stall.happened", ">=1"),
        ("away.happened", ""),
    ):
        known.subscribe("testkit", Subscription(event, hear, versions=versions))

    assert known.unheard({"stall", "testkit"}) == [
        (
            "testkit",
            "it listens to stall.hapened, which is never published; did you mean stall.happened?",
        ),
        ("testkit", "it listens to stall.happened >=2, published is 1.2"),
    ]


def test_a_payload_that_breaks_the_schema_is_the_publishers_mistake(app: Any) -> None:
    subscribe(app, phase="in_transaction")

    with pytest.raises(ValueError, match=r"stall\.happened"), db.unit_of_work(app=app):
        events.publish("stall.happened", {"thing_id": 7, "note": "x" * 51})


def test_an_event_carries_the_name_of_its_plugin(app: Any) -> None:
    with pytest.raises(ValueError, match="other"):
        events.init(app).declare("other", Event("stall.more", "1.0", Happened))
