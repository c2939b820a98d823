"""Domain events: something happened, said by one plugin and heard by others.

Owns registry and dispatch inside one application. A subscriber chooses when it hears: inside the
publisher's transaction (may veto by raising), after its commit (may be lost when the process dies),
or through the outbox (durable, retried, so its handler is idempotent).
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import flask
from flask import current_app
from marshmallow import Schema
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from torg import db, outbox
from torg.config_sources import nearest

Phase = Literal["in_transaction", "after_commit", "outbox"]
Payload = Mapping[str, Any]
DELIVERY = "deliver_event"


@dataclass(frozen=True, slots=True)
class Event:
    """A kind of event: `<plugin>.<what_happened>`, its version and the schema of its payload."""

    name: str
    version: str
    schema: type[Schema]


@dataclass(frozen=True, slots=True)
class Subscription:
    """A handler of one event. Its payload is what the event's schema dumped (JSON values)."""

    event: str
    handler: Callable[[Payload], object]
    phase: Phase = "outbox"
    versions: str = ""


class Events:
    """The events of one application and who listens."""

    def __init__(self) -> None:
        self.declared: dict[str, tuple[str, Event]] = {}
        self.subscriptions: list[tuple[str, Subscription]] = []

    def declare(self, plugin: str, event: Event) -> None:
        """Enter an event.

        Raises:
            ValueError: its name lacks the plugin's prefix, or is taken, or its version is none.
        """
        Version(event.version)
        if not event.name.startswith(f"{plugin}.") or event.name in self.declared:
            message = f"event {event.name!r} of {plugin} must start with '{plugin}.' and be new"
            raise ValueError(message)
        self.declared[event.name] = (plugin, event)

    def subscribe(self, plugin: str, subscription: Subscription) -> None:
        """Enter a subscription; one to an event of a plugin that is away stays silent.

        Raises:
            ValueError: its phase or its range of versions is none. Found out when the event
                happens, that would be an error of the publisher's transaction.
        """
        SpecifierSet(subscription.versions)
        if subscription.phase not in get_args(Phase):
            message = (
                f"the subscription to {subscription.event} has phase {subscription.phase!r}; "
                f"allowed are {', '.join(get_args(Phase))}"
            )
            raise ValueError(message)
        self.subscriptions.append((plugin, subscription))

    def withdraw(self, plugin: str) -> None:
        """Take back what a plugin declared (it failed later in its start)."""
        self.declared = {n: entry for n, entry in self.declared.items() if entry[0] != plugin}
        self.subscriptions = [entry for entry in self.subscriptions if entry[0] != plugin]

    def unheard(self, present: Collection[str]) -> list[tuple[str, str]]:
        """Subscriptions that will never hear anything although the publisher is there.

        Args:
            present: plugins that run; those that are away may declare what is waited for.

        Returns:
            The subscribing plugin and one sentence, each.
        """
        found = []
        for plugin, subscription in self.subscriptions:
            name, publisher = subscription.event, subscription.event.partition(".")[0]
            declared = self.declared.get(name)
            if declared is None and publisher in present:
                near = nearest(name, self.declared)
                hint = f"; did you mean {near}?" if near else ""
                found.append((plugin, f"it listens to {name}, which is never published{hint}"))
            elif declared is not None:
                version = declared[1].version
                if not SpecifierSet(subscription.versions).contains(Version(version)):
                    wanted = f"{name} {subscription.versions}"
                    found.append((plugin, f"it listens to {wanted}, published is {version}"))
        return found

    def listeners(self, event: Event) -> list[tuple[str, Subscription]]:
        """Who hears this version of the event, in plugin order."""
        version = Version(event.version)
        return [
            (plugin, subscription)
            for plugin, subscription in self.subscriptions
            if subscription.event == event.name
            and SpecifierSet(subscription.versions).contains(version)
        ]


def init(app: flask.Flask) -> Events:
    """Give the application its own empty registry."""
    registry: Events = app.extensions.setdefault("torg.events", Events())
    return registry


def registry() -> Events:
    """The registry of the current application."""
    found: Events = current_app.extensions["torg.events"]
    return found


def publish(name: str, payload: Payload) -> None:
    """Say that something happened, inside the transaction in which it happens.

    Args:
        name: a declared event.
        payload: values for its schema; they are validated by dumping and loading.

    Raises:
        KeyError: nobody declared the event.
        marshmallow.ValidationError: the payload does not fit the event's schema.
    """
    _, event = registry().declared[name]
    listeners = registry().listeners(event)
    if not listeners:
        return
    schema = event.schema()
    message = schema.dump(payload)
    problems = schema.validate(message)
    if problems:
        text = f"event {name} has a payload that breaks its schema: {problems}"
        raise ValueError(text)
    for plugin, subscription in listeners:
        _deliver(plugin, subscription, message)


def _deliver(plugin: str, subscription: Subscription, message: dict[str, Any]) -> None:
    if subscription.phase == "in_transaction":
        subscription.handler(message)
    elif subscription.phase == "after_commit":
        db.after_commit(lambda: _in_own_unit(subscription, message))
    else:
        handler = subscription.handler
        outbox.enqueue(
            f"{plugin}.{DELIVERY}",
            {
                "plugin": plugin,
                "event": subscription.event,
                "handler": f"{handler.__module__}:{handler.__qualname__}",
                "payload": message,
            },
        )


def _in_own_unit(subscription: Subscription, message: dict[str, Any]) -> None:
    with db.unit_of_work():
        subscription.handler(message)


def deliver_queued(payload: Payload) -> None:
    """The job `<plugin>.deliver_event`: hand a stored event to the subscriber it was stored for.

    It is the subscribing plugin's own job, so it is parked while that plugin is off.

    Raises:
        LookupError: the plugin has no such subscriber any more; the job is tried again later.
    """
    for plugin, subscription in registry().subscriptions:
        handler = subscription.handler
        if (
            plugin == payload["plugin"]
            and subscription.event == payload["event"]
            and f"{handler.__module__}:{handler.__qualname__}" == payload["handler"]
        ):
            subscription.handler(payload["payload"])
            return
    message = f"{payload['plugin']} has no subscriber {payload['handler']}"
    raise LookupError(message)
