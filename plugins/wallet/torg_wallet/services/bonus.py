"""The contract `bonus`: points earned, matured, spent, taken back and expired, lot by lot.

Points are the unit `PTS` in the same books. All accounts an operation may touch are locked at its
start, which also serialises everything about one person's lots. What time does to lots (they
mature, they expire) is done when they are next touched, and by a schedule; what is shown follows
from the clock either way.
"""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, insert, or_, select, text, update

from torg import config
from torg.db import session
from torg.money import Money, declare_points
from torg_ledger import AccountKind, Entry
from torg_ledger.bonus import NotEnoughPointsError, Points
from torg_wallet.domain.lots import LotRest, burnt, soonest_first
from torg_wallet.models.bonus import Lot, LotMove, LotRefund
from torg_wallet.models.ledger import Transfer
from torg_wallet.queries import bonus as queries
from torg_wallet.services import referrals
from torg_wallet.services.ledger import LedgerService
from torg_wallet.settings import WalletSettings

UNIT = "PTS"
SOURCE = "wallet"
_LEDGER = LedgerService()
_LOCK = text("SELECT wallet_lock(CAST(:accounts AS bigint[]))")

declare_points(UNIT)


class _Accounts:
    """A person's two accounts of points and the house's three, all locked in one go."""

    def __init__(self, identity_id: int) -> None:
        def own(code: str) -> int:
            return _LEDGER.open_account(code, UNIT, owner_id=identity_id)

        def house(code: str, kind: AccountKind) -> int:
            return _LEDGER.open_account(f"wallet:points_{code}", UNIT, kind=kind)

        self.pending, self.points = own("points_pending"), own("points")
        self.issued = house("issued", AccountKind.EXPENSE)
        self.redeemed = house("redeemed", AccountKind.INCOME)
        self.expired = house("expired", AccountKind.INCOME)
        ids = [self.pending, self.points, self.issued, self.redeemed, self.expired]
        session.execute(_LOCK, {"accounts": sorted(ids)})


class BonusService:
    """`torg_ledger.bonus.Bonus`, kept in PostgreSQL."""

    def earn(
        self,
        identity_id: int,
        points: int,
        *,
        source: str,
        reference: str,
        available_at: datetime,
    ) -> None:
        """Give points for a paid order, and what an invitation promised with the first ones."""
        lot_id = give(identity_id, points, source, reference, available_at)
        if lot_id is not None:
            for each in referrals.due(identity_id, lot_id):
                worth = _settings().referral_points
                give(each.person_id, worth, SOURCE, each.reference, available_at)

    def take_back(self, *, source: str, reference: str, key: str, points: int | None = None) -> int:
        """Take earned points back; returns how many could be taken.

        A reward for an invitation goes with the whole of the points that it was given for.
        """
        lot = queries.lot(source, reference)
        if lot is None:
            return 0
        accounts = _Accounts(lot.identity_id)
        known = queries.refund(source, key)
        if known is not None:
            return known
        _settle(lot.identity_id, accounts)
        lot = queries.lot(source, reference)
        assert lot is not None, "lots are never removed"
        asked = lot.amount_minor if points is None else points
        wanted = min(asked, lot.amount_minor - lot.taken_back_minor)
        if wanted <= 0:
            return 0
        others = queries.rests(lot.identity_id)
        own = LotRest(lot.id, lot.remaining_minor, lot.expires_at)
        taken = burnt(
            soonest_first([own, *(each for each in others if each.id != lot.id)], own=lot.id),
            wanted,
        )
        _take_from(accounts, lot, taken, f"take_back:{source}:{key}")
        session.execute(
            update(Lot)
            .where(Lot.id == lot.id)
            .values(taken_back_minor=Lot.taken_back_minor + wanted)
        )
        number = sum(taken.values())
        session.execute(
            insert(LotRefund).values(
                source=source,
                idempotency_key=key,
                lot_id=lot.id,
                points_minor=wanted,
                taken_minor=number,
            )
        )
        if lot.taken_back_minor + wanted == lot.amount_minor:
            for each in referrals.forfeited(lot.id):
                self.take_back(source=SOURCE, reference=each.reference, key=each.reference)
        return number

    def spend(self, identity_id: int, points: int, *, source: str, reference: str) -> None:
        """Spend points, those first that expire soonest."""
        accounts = _Accounts(identity_id)
        sides = {accounts.points: -points, accounts.redeemed: points}
        key = f"spend:{source}:{reference}"
        if queries.transfer_id(SOURCE, key) is not None:
            _post(sides, "points_spent", key)
            return
        _settle(identity_id, accounts)
        lots = soonest_first(queries.rests(identity_id))
        taken = burnt(lots, points)
        if sum(taken.values()) < points or points <= 0:
            raise NotEnoughPointsError(available=sum(lot.remaining for lot in lots))
        _move(taken, _post(sides, "points_spent", key), sign=-1)

    def give_back(self, *, source: str, reference: str) -> int:
        """Undo a spending, into the lots it came from."""
        spent = queries.transfer_id(SOURCE, f"spend:{source}:{reference}")
        if spent is None:
            return 0
        moves = queries.moves(spent)
        identity_id = queries.owner_of(next(iter(moves)))
        accounts = _Accounts(identity_id)
        original = queries.reference_of(spent)
        back = _LEDGER.reverse(
            original,
            source=SOURCE,
            key=f"give_back:{source}:{reference}",
            purpose="points_given_back",
        )
        given = {lot: -minor for lot, minor in moves.items()}
        if not back.is_replay:
            _move(given, _id_of(back.reference), sign=1)
            _settle(identity_id, accounts)
        return sum(given.values())

    def balance(self, identity_id: int) -> Points:
        """What can be spent and what is pending, by the database's clock."""
        return queries.balance(identity_id)


def give(
    identity_id: int, points: int, source: str, reference: str, available_at: datetime
) -> int | None:
    """Make a lot and return its id; None when this reference had made it before.

    Raises:
        KeyReusedError: the reference stands for other points.
    """
    accounts = _Accounts(identity_id)
    key = f"earn:{source}:{reference}"
    sides = {accounts.issued: -points, accounts.pending: points}
    is_known = queries.transfer_id(SOURCE, key) is not None
    _post(sides, "points_earned", key)
    if is_known:
        return None
    valid = timedelta(days=_settings().points_valid_days)
    lot_id: int = session.execute(
        insert(Lot)
        .values(
            identity_id=identity_id,
            source=source,
            external_reference=reference,
            status="pending",
            amount_minor=points,
            remaining_minor=points,
            available_at=available_at,
            expires_at=available_at + valid,
        )
        .returning(Lot.id)
    ).scalar_one()
    _settle(identity_id, accounts)
    return lot_id


def settle(identity_id: int) -> None:
    """Do what time asks of a person's lots: let them mature, let them expire."""
    _settle(identity_id, _Accounts(identity_id))


def _settle(identity_id: int, accounts: _Accounts) -> None:
    """Let mature what has matured and expire what has expired; the accounts are locked."""
    now = func.clock_timestamp()
    due = session.execute(
        select(Lot.id, Lot.remaining_minor, Lot.status, (Lot.expires_at <= now).label("is_over"))
        .where(Lot.identity_id == identity_id, Lot.remaining_minor > 0)
        .where(or_((Lot.status == "pending") & (Lot.available_at <= now), Lot.expires_at <= now))
        .order_by(Lot.id)
    ).all()
    for lot in due:
        points = lot.remaining_minor
        if lot.status == "pending":
            sides = {accounts.pending: -points, accounts.points: points}
            _post(sides, "points_matured", f"lot:{lot.id}:mature")
            session.execute(update(Lot).where(Lot.id == lot.id).values(status="available"))
        if lot.is_over:
            sides = {accounts.points: -points, accounts.expired: points}
            # A lot may expire more than once, when spent points come back to it.
            key = f"lot:{lot.id}:expire:{secrets.token_hex(8)}"
            _move({lot.id: points}, _post(sides, "points_expired", key), sign=-1)


def _take_from(accounts: _Accounts, lot: Any, taken: Mapping[int, int], key: str) -> None:
    total = sum(taken.values())
    if not total:
        return
    own = taken.get(lot.id, 0) if lot.status == "pending" else 0
    sides = {accounts.issued: total, accounts.pending: -own, accounts.points: own - total}
    _move(taken, _post(sides, "points_taken_back", key), sign=-1)


def _post(sides: Mapping[int, int], purpose: str, key: str) -> int:
    entries = [Entry(account, Money(minor, UNIT)) for account, minor in sides.items() if minor]
    posted = _LEDGER.post(entries, source=SOURCE, purpose=purpose, key=key)
    return _id_of(posted.reference)


def _id_of(reference: str) -> int:
    return int(
        session.execute(select(Transfer.id).where(Transfer.reference == reference)).scalar_one()
    )


def _move(lots: Mapping[int, int], transfer_id: int, *, sign: int) -> None:
    rows = [
        {"lot_id": lot, "transfer_id": transfer_id, "amount_minor": sign * points}
        for lot, points in lots.items()
    ]
    session.execute(insert(LotMove), rows)


def _settings() -> WalletSettings:
    return config.plugin_settings("wallet", WalletSettings)
