"""What can be counted of the books: money that moved, came in, went out, and is set aside.

Entries are final, so turnover, deposits and payouts are sums of entries: what is counted is what
the ledger says. A hold is a fact where it begins, and others with a minus where parts of it end.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select, and_, func, literal, select, union_all

from torg import contracts
from torg_metrics import Aggregate, Dimension, Facts, Metric, Ratio, Unit
from torg_wallet.models.ledger import Account, EntryRow, Hold, Transfer

_SOURCE = "wallet"


def _ids(values: Sequence[str]) -> list[int]:
    return [int(each) for each in values if each.isascii() and each.isdigit()]


def _usernames(values: Sequence[str]) -> Mapping[str, str]:
    users = contracts.require("users", ">=1,<2")
    return {str(number): name for number, name in users.names(_ids(values)).items()}


def _oneself(person_id: int) -> Select[Any]:
    return select(literal(person_id))


def _entries() -> Any:
    is_personal = Account.owner_id.is_not(None)
    by_provider = and_(is_personal, Transfer.source == _SOURCE)
    return (
        select(
            EntryRow.created_at.label("happened_at"),
            EntryRow.created_at.label("recorded_at"),
            Account.owner_id.label("owner"),
            Account.code.label("account"),
            Transfer.source,
            Transfer.purpose,
            EntryRow.currency,
            EntryRow.amount_minor.label("amount"),
            func.greatest(EntryRow.amount_minor, 0).label("received"),
            func.greatest(-EntryRow.amount_minor, 0).label("given"),
            is_personal.label("is_personal"),
            and_(by_provider, Transfer.purpose == "deposit").label("is_deposit"),
            and_(by_provider, Transfer.purpose == "payout").label("is_payout"),
        )
        .join(Transfer, Transfer.id == EntryRow.transfer_id)
        .join(Account, Account.id == EntryRow.account_id)
    )


def _holds() -> Any:
    whose = (Account.owner_id.label("owner"), Hold.source, Hold.purpose, Hold.currency)
    begun = select(
        Hold.created_at.label("happened_at"),
        Hold.created_at.label("recorded_at"),
        *whose,
        Hold.amount_minor.label("held"),
    ).join(Account, Account.id == Hold.account_id)
    captured = (
        select(
            EntryRow.created_at.label("happened_at"),
            EntryRow.created_at.label("recorded_at"),
            *whose,
            # Of the held account it is below zero already.
            EntryRow.amount_minor.label("held"),
        )
        .join(Transfer, and_(Transfer.id == EntryRow.transfer_id, Transfer.hold_id.is_not(None)))
        .join(Hold, and_(Hold.id == Transfer.hold_id, Hold.account_id == EntryRow.account_id))
        .join(Account, Account.id == Hold.account_id)
    )
    let_go = (
        select(
            Hold.closed_at.label("happened_at"),
            Hold.closed_at.label("recorded_at"),
            *whose,
            (-Hold.voided_minor).label("held"),
        )
        .join(Account, Account.id == Hold.account_id)
        .where(Hold.closed_at.is_not(None), Hold.voided_minor > 0)
    )
    return select(union_all(begun, captured, let_go).subquery("holds"))


_OWNER = Dimension("owner", "Owner", names=_usernames, own=_oneself)
_FROM = (Dimension("source", "Plugin"), Dimension("purpose", "Purpose"))
ENTRIES = Facts("wallet.entries", _entries, (_OWNER, Dimension("account", "Account"), *_FROM))
HOLDS = Facts("wallet.holds", _holds, (_OWNER, *_FROM))

METRICS: tuple[Metric | Ratio, ...] = (
    Metric(
        "wallet.turnover",
        "Turnover",
        Unit.MONEY,
        ENTRIES,
        "turnover = sum of what accounts received, each transfer once, reversals included",
        value="received",
    ),
    Metric(
        "wallet.received",
        "Received by people",
        Unit.MONEY,
        ENTRIES,
        "received = sum of what came on people's accounts",
        value="received",
        where="is_personal",
    ),
    Metric(
        "wallet.given",
        "Given by people",
        Unit.MONEY,
        ENTRIES,
        "given = sum of what left people's accounts",
        value="given",
        where="is_personal",
    ),
    Metric(
        "wallet.balance",
        "Money of people",
        Unit.MONEY,
        ENTRIES,
        "money of people = received − given, from the beginning on",
        value="amount",
        where="is_personal",
        aggregate=Aggregate.LEVEL,
    ),
    Metric(
        "wallet.deposits",
        "Deposits",
        Unit.MONEY,
        ENTRIES,
        "deposits = what came on people's accounts through payment providers",
        value="received",
        where="is_deposit",
    ),
    Metric(
        "wallet.payouts",
        "Payouts",
        Unit.MONEY,
        ENTRIES,
        "payouts = what left people's accounts through payment providers",
        value="given",
        where="is_payout",
    ),
    Metric(
        "wallet.outstanding_holds",
        "Outstanding holds",
        Unit.MONEY,
        HOLDS,
        "outstanding holds = set aside − captured − let go, from the beginning on",
        value="held",
        aggregate=Aggregate.LEVEL,
    ),
)
