"""The extension point of payment providers, as a plugin of somebody else uses it."""

import types
from pathlib import Path

import pytest

from torg import config, hookimpl, testing_people
from torg.app import create_app
from torg.db import unit_of_work
from torg.manifest import Manifest
from torg.money import Money
from torg_ledger.payments import (
    PaymentKind,
    PaymentStarted,
    PaymentStatus,
    ProviderAwayError,
    ProviderEvent,
    WebhookRefusedError,
)
from torg_wallet.queries import payments as queries
from torg_wallet.services import payments


class Pigeon:
    """Carries money in, slowly, and is away at first."""

    name, title = "pigeon", "Carrier pigeon"
    kinds = frozenset({PaymentKind.DEPOSIT})
    is_confirmed_by_staff = False
    calls = 0

    def start(self, request):
        self.calls += 1
        if self.calls == 1:
            raise ProviderAwayError
        return PaymentStarted(f"pigeon-{request.reference}", "Look up.")

    def read_webhook(self, headers, body, now):
        if headers.get("X-Feather") != "white":
            raise WebhookRefusedError(reason="no feather")
        reference = body.decode()
        return [
            ProviderEvent("e1", reference, PaymentStatus.SUCCEEDED, Money(500, "EUR"), "pigeon-1")
        ]

    def look_up(self, request):
        return None


@pytest.fixture
def pigeon():
    return Pigeon()


@pytest.fixture
def loft(make_books, pigeon):
    """The wallet together with a plugin that brings a provider."""
    module = types.ModuleType("pretend_pigeons")

    @hookimpl(optionalhook=True)
    def wallet_payment_providers():
        return [pigeon]

    module.wallet_payment_providers = wallet_payment_providers
    module.MANIFEST = Manifest(
        *("pigeons", "pretend_pigeons", "1.0", Path(__file__).parent),
        title="Pigeons",
    )
    books = make_books()
    books.app = create_app(config.of(books.app), extra=[testing_people, module])
    return books


def deposit(loft, person):
    with unit_of_work(app=loft.app):
        return payments.create_deposit(person.id, Money(500, "EUR"), "pigeon")


def status(loft, reference):
    with unit_of_work("read", loft.app):
        return queries.show(PaymentKind.DEPOSIT, reference).status


def test_a_plugins_provider_is_called_again_after_it_was_away_and_its_webhook_books(loft, pigeon):
    anna = loft.person("anna")
    reference = deposit(loft, anna)
    with pytest.raises(ProviderAwayError), unit_of_work(app=loft.app):
        payments.start(reference)
    assert status(loft, reference) == "created"
    with unit_of_work(app=loft.app):
        payments.start(reference)
    assert status(loft, reference) == "processing"
    path = "/providers/pigeon/webhook"
    assert loft.call("POST", path, data=reference).status_code == 400
    for _ in range(2):
        answer = loft.call("POST", path, data=reference, headers={"X-Feather": "white"})
        assert answer.json == {"received": 1}
    assert status(loft, reference) == "succeeded"
    assert pigeon.calls == 2
    (account,) = loft.get("/accounts", anna)["items"]
    assert account["posted"]["amount"] == "5.00"
    assert loft.prove() == []


def test_a_provider_is_not_asked_for_what_it_cannot_do(loft):
    body = {"amount": {"amount": "1.00", "currency": "EUR"}, "provider": "pigeon"}
    answer = loft.call("POST", "/payouts", loft.person(), json={**body, "destination": "the roof"})
    assert (answer.json["code"], answer.json["known"]) == ("provider_unknown", ["manual"])
