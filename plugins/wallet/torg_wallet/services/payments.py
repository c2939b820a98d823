"""Deposits and payouts: begun here, carried on by providers, booked once however often it is told.

Order of locks: the payment's row, then accounts by id. Providers are called by jobs that hold
neither. A deposit is booked when its provider says so; a payout is held from the first moment, and
captured or let go when its provider says so.
"""

import secrets
from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, insert, select, text, update

from torg import config, contracts, events, i18n, outbox
from torg.db import database_now, session
from torg.errors import FieldProblem, TorgError
from torg.i18n import gettext
from torg.identity import Identity
from torg.money import Money
from torg_ledger import AccountKind, Entry
from torg_ledger.errors import CurrencyNotOfferedError, PaymentTooLargeError
from torg_ledger.payments import (
    PaymentKind,
    PaymentRequest,
    PaymentStatus,
    ProviderEvent,
)
from torg_wallet import emails
from torg_wallet.domain import payments as rules
from torg_wallet.domain.payments import Outcome
from torg_wallet.errors import (
    NotConfirmedByStaffError,
    OwnMoneyError,
    PaymentEndedError,
)
from torg_wallet.models.ledger import Hold, Transfer
from torg_wallet.models.payments import Deposit, Payout, ProviderEventRow
from torg_wallet.queries import payments as queries
from torg_wallet.services import earmarks
from torg_wallet.services.ledger import LedgerService
from torg_wallet.services.providers import provider, providers
from torg_wallet.settings import WalletSettings

SOURCE = "wallet"
START_JOB, ASK_JOB = "wallet.start_payment", "wallet.ask_payment"
_LEDGER = LedgerService()
MODEL: dict[PaymentKind, Any] = {PaymentKind.DEPOSIT: Deposit, PaymentKind.PAYOUT: Payout}
_PREFIX = {PaymentKind.DEPOSIT: "DP", PaymentKind.PAYOUT: "PO"}


def kind_of(reference: str) -> PaymentKind | None:
    """Which of the two a public reference names."""
    return {prefix: kind for kind, prefix in _PREFIX.items()}.get(reference[:2])


def create_deposit(
    person_id: int, amount: Money, provider_name: str, pointer: str | None = "/amount"
) -> str:
    """Begin a deposit; returns its reference. The provider is called by a job.

    Raises:
        ProviderUnknownError, CurrencyNotOfferedError, PaymentTooLargeError: see their words.
    """
    check(amount, provider_name, PaymentKind.DEPOSIT, pointer)
    account = _LEDGER.open_account("main", amount.currency, owner_id=person_id)
    return _insert(PaymentKind.DEPOSIT, person_id, account, amount, provider_name)


def create_payout(person: Identity, amount: Money, provider_name: str, destination: str) -> str:
    """Begin a payout and hold its money; returns its reference.

    Raises:
        InsufficientFundsError: not so much is available.
        ProviderUnknownError, CurrencyNotOfferedError, PaymentTooLargeError: see their words.
    """
    check(amount, provider_name, PaymentKind.PAYOUT)
    account = _LEDGER.open_account("main", amount.currency, owner_id=person.id)
    reference = _reference(PaymentKind.PAYOUT)
    # It never expires by itself: the provider may answer late, and its answer must find the money.
    held = _LEDGER.hold(
        account, amount, source=SOURCE, purpose="payout", key=reference, expires_at=None
    )
    hold_id = session.execute(select(Hold.id).where(Hold.reference == held.reference)).scalar_one()
    more = {"destination": destination, "hold_id": hold_id, "reference": reference}
    return _insert(PaymentKind.PAYOUT, person.id, account, amount, provider_name, **more)


def start(reference: str) -> None:
    """Call the provider of a payment that nobody has called yet; a job, holding no lock.

    Raises:
        ProviderAwayError: it did not answer; the job is tried again.
    """
    found = _find(reference)
    if found is None or found.status != rules.FIRST[found.kind]:
        return
    # What the person does next is told in his own language: no request says it here.
    contact = contracts.require("users").contacts([found.identity_id]).get(found.identity_id)
    with i18n.use_locale(None if contact is None else contact.locale):
        started = provider(found.provider).start(_request(found))
    model = MODEL[found.kind]
    values: dict[str, Any] = {
        "provider_reference": started.provider_reference,
        "updated_at": func.clock_timestamp(),
    }
    if found.kind is PaymentKind.DEPOSIT:
        values["next_step"] = started.next_step
    session.execute(update(model).where(model.reference == reference).values(**values))
    # What a webhook told meanwhile stands: only the first status moves.
    wanted, _ = rules.step(found.kind, found.status, PaymentStatus.PROCESSING)
    session.execute(
        update(model)
        .where(model.reference == reference, model.status == rules.FIRST[found.kind])
        .values(status=wanted)
    )


def receive(provider_name: str, headers: Mapping[str, str], body: bytes) -> list[Outcome]:
    """Take in a webhook: verified, applied once, in whatever order it comes.

    Raises:
        ProviderUnknownError: there is no such provider.
        WebhookRefusedError: it is not the provider's.
    """
    events = provider(provider_name).read_webhook(headers, body, database_now())
    return [apply(provider_name, each) for each in events]


def apply(provider_name: str, event: ProviderEvent, actor_id: int | None = None) -> Outcome:
    """Let an event have its effect, once for its provider and id; returns what came of it."""
    # Payment first, then the event's row: two deliveries of one event wait for each other here.
    found = _find(event.reference, lock=True)
    known: str | None = session.execute(
        select(ProviderEventRow.outcome).where(
            ProviderEventRow.provider == provider_name, ProviderEventRow.event_id == event.event_id
        )
    ).scalar()
    if known is not None:
        return Outcome.KNOWN
    if found is None or found.provider != provider_name:
        outcome = Outcome.UNKNOWN_PAYMENT
    elif event.amount != Money(found.amount_minor, found.currency):
        outcome = Outcome.WRONG_AMOUNT
    else:
        status, outcome = rules.step(found.kind, found.status, event.status)
        if outcome is Outcome.APPLIED:
            _move(found, status, event, actor_id)
    session.execute(
        text(
            "INSERT INTO wallet_provider_event (provider, event_id, reference, status,"
            " amount_minor, currency, outcome) VALUES (:provider, :event_id, :reference, :status,"
            " :minor, :currency, :outcome) ON CONFLICT DO NOTHING"
        ),
        {
            "provider": provider_name,
            "event_id": event.event_id,
            "reference": event.reference,
            "status": event.status,
            "minor": event.amount.minor,
            "currency": event.amount.currency,
            "outcome": outcome,
        },
    )
    return outcome


def confirm(reference: str, person: Identity, status: PaymentStatus, reason: str = "") -> bool:
    """Say, as a person of the house, how a payment ended; False when there is no such payment.

    Raises:
        OwnMoneyError: it is his own payment.
        NotConfirmedByStaffError: its provider says so itself.
        PaymentEndedError: it ended in another way before.
    """
    found = _find(reference, lock=True)
    if found is None:
        return False
    if found.identity_id == person.id:
        raise OwnMoneyError
    if not provider(found.provider).is_confirmed_by_staff:
        raise NotConfirmedByStaffError(provider=found.provider)
    event = ProviderEvent(
        event_id=f"staff:{reference}:{status}",
        reference=reference,
        status=status,
        amount=Money(found.amount_minor, found.currency),
        provider_reference=found.provider_reference or reference,
        reason=reason,
    )
    _, outcome = rules.step(found.kind, found.status, status)
    if outcome is Outcome.CONTRADICTS:
        raise PaymentEndedError(state=found.status)
    apply(found.provider, event, person.id)
    return True


def ask_about_silent(limit: int = 100) -> int:
    """Queue a question for each payment that nothing was told of for long; returns how many."""
    minutes = config.plugin_settings("wallet", WalletSettings).payment_silence_minutes
    now = int(database_now().timestamp())
    asked = 0
    # Whoever waits for people of the house is not asked, and would keep others from being asked.
    by_staff = [each.name for each in providers().values() if each.is_confirmed_by_staff]
    for reference in queries.silent(minutes, limit, by_staff):
        key = f"{reference}:{now // (60 * minutes)}"
        asked += outbox.enqueue(ASK_JOB, {"reference": reference}, key=key) is not None
        _touch(reference)
    return asked


def _touch(reference: str) -> None:
    """Let others be asked first the next time, so that one who is silent for ever is in no way."""
    kind = kind_of(reference)
    assert kind is not None, "references are made here"
    model = MODEL[kind]
    session.execute(
        update(model).where(model.reference == reference).values(updated_at=func.clock_timestamp())
    )


def ask(reference: str) -> Outcome | None:
    """Ask a provider how a payment stands, holding no lock, and let its answer have its effect.

    Raises:
        ProviderAwayError: it did not answer; the job is tried again.
    """
    found = _find(reference)
    if found is None or not rules.is_waiting(found.kind, found.status):
        return None
    event = provider(found.provider).look_up(_request(found))
    return None if event is None else apply(found.provider, event)


def check(
    amount: Money, provider_name: str, kind: PaymentKind, pointer: str | None = "/amount"
) -> None:
    """Whether so much can be moved, in this currency and by this provider.

    Args:
        amount: how much.
        provider_name: by whom.
        kind: in or out.
        pointer: where the amount stood in the body; None when it stood in none.

    Raises:
        ProviderUnknownError, CurrencyNotOfferedError, PaymentTooLargeError: it cannot.
    """
    chosen = config.plugin_settings("wallet", WalletSettings)
    if amount.currency not in chosen.currencies:
        offered = list(chosen.currencies)
        facts = {"offered": offered, "names": ", ".join(offered)}
        raise _refused(CurrencyNotOfferedError, pointer and f"{pointer}/currency", **facts)
    if amount.minor > chosen.payment_most_minor:
        most = Money(chosen.payment_most_minor, amount.currency)
        raise _refused(PaymentTooLargeError, pointer, most=most)
    provider(provider_name, kind)


def _refused(error: type[TorgError], pointer: str | None, **facts: Any) -> TorgError:
    """The error, with the place it is about."""
    words = gettext(error.detail, **facts)
    problems = [] if pointer is None else [FieldProblem(pointer, error.code, words)]
    return error(errors=problems, **facts)


def _reference(kind: PaymentKind) -> str:
    return _PREFIX[kind] + secrets.token_hex(12).upper()


def _insert(
    kind: PaymentKind,
    person_id: int,
    account_id: int,
    amount: Money,
    provider_name: str,
    **more: Any,
) -> str:
    values = {
        "reference": _reference(kind),
        "identity_id": person_id,
        "account_id": account_id,
        "amount_minor": amount.minor,
        "currency": amount.currency,
        "provider": provider_name,
        "status": rules.FIRST[kind],
        **more,
    }
    session.execute(insert(MODEL[kind]).values(**values))
    reference: str = values["reference"]
    outbox.enqueue(START_JOB, {"reference": reference}, key=reference)
    return reference


def _find(reference: str, *, lock: bool = False) -> queries.Payment | None:
    kind = kind_of(reference)
    return None if kind is None else queries.find(kind, reference, lock=lock)


def _request(found: queries.Payment) -> PaymentRequest:
    amount = Money(found.amount_minor, found.currency)
    return PaymentRequest(found.reference, found.kind, amount, found.destination)


def _move(found: queries.Payment, status: str, event: ProviderEvent, actor_id: int | None) -> None:
    """Change the payment's status and book what it means."""
    values: dict[str, Any] = {
        "status": status,
        "reason": event.reason[:500],
        "provider_reference": event.provider_reference[:255],
        "updated_at": func.clock_timestamp(),
    }
    if event.status is PaymentStatus.SUCCEEDED:
        values["transfer_id"] = _book(found, event, actor_id)
    elif event.status is PaymentStatus.FAILED and found.hold_reference is not None:
        _LEDGER.void(found.hold_reference)
    if event.status is not PaymentStatus.PROCESSING:
        _tell(found, event)
    model = MODEL[found.kind]
    session.execute(update(model).where(model.reference == found.reference).values(**values))


def _tell(found: queries.Payment, event: ProviderEvent) -> None:
    """Tell the person by mail and other plugins by an event; a final status comes only once."""
    amount = Money(found.amount_minor, found.currency)
    is_done = event.status is PaymentStatus.SUCCEEDED
    emails.tell_payment(
        *(found.kind, found.reference, found.identity_id, amount, found.provider),
        is_done=is_done,
        reason=event.reason[:500],
        destination=found.destination,
    )
    facts = {
        "reference": found.reference,
        "identity_id": found.identity_id,
        "amount": amount,
        "provider": found.provider,
        "is_done": is_done,
    }
    events.publish(f"wallet.{found.kind}_ended", facts)


def _book(found: queries.Payment, event: ProviderEvent, actor_id: int | None) -> int:
    amount = Money(found.amount_minor, found.currency)
    outside = _LEDGER.open_account(
        f"provider:{found.provider}", found.currency, kind=AccountKind.ASSET
    )
    named: dict[str, Any] = {
        "source": SOURCE,
        "purpose": str(found.kind),
        "key": found.reference,
        "external_reference": f"{found.provider}:{event.provider_reference}"[:255],
        "actor_id": actor_id,
    }
    if found.hold_reference is not None:
        posted = _LEDGER.capture(found.hold_reference, [Entry(outside, amount)], **named)
    else:
        sides = [Entry(outside, -amount), Entry(found.account_id, amount)]
        posted = _LEDGER.post(sides, **named)
        earmarks.set_aside(found.reference, found.account_id, amount)
    return int(
        session.execute(
            select(Transfer.id).where(Transfer.reference == posted.reference)
        ).scalar_one()
    )
