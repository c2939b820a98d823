"""Points: earned, matured, spent soonest-to-expire first, taken back, expired; never negative."""

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import psycopg2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from torg import contracts, db
from torg.db import database_now, unit_of_work
from torg.money import declare_points, parse
from torg_ledger import KeyReusedError
from torg_ledger.bonus import NotEnoughPointsError, Points
from torg_wallet.domain.lots import LotRest, burnt, soonest_first
from torg_wallet.errors import CodeRefusedError, InvitationError
from torg_wallet.queries import bonus as queries
from torg_wallet.services import bonus, codes, referrals

NOW = datetime(2026, 3, 1, tzinfo=UTC)
_lots = st.lists(
    st.builds(
        LotRest,
        st.integers(1, 10**6),
        st.integers(1, 1000),
        st.integers(0, 50).map(lambda days: NOW + timedelta(days=days)),
    ),
    unique_by=lambda lot: lot.id,
)


@given(_lots, st.integers(0, 10_000))
def test_what_is_burnt_is_what_is_asked_and_comes_from_the_soonest(lots, points):
    ordered = soonest_first(lots)
    taken = burnt(ordered, points)
    assert sum(taken.values()) == min(points, sum(lot.remaining for lot in lots))
    emptied = [taken.get(lot.id, 0) == lot.remaining for lot in ordered]
    touched = [lot.id in taken for lot in ordered]
    # All before the last one touched are empty, all after it untouched.
    last = max((place for place, is_touched in enumerate(touched) if is_touched), default=0)
    assert all(emptied[:last])


def test_points_are_no_currency_that_a_price_could_be_in():
    declare_points("PTS")
    with pytest.raises(ValueError, match="EUR"):
        declare_points("EUR", 2)
    with pytest.raises(ValueError, match="PTS"):
        declare_points("PTS", 2)
    from torg.money import Money, UnknownCurrencyError

    assert str(Money(120, "PTS")) == "120 PTS"
    with pytest.raises(UnknownCurrencyError):
        parse("120", "PTS")


class Club:
    """The contract, each call in a unit of work of its own."""

    def __init__(self, books):
        self.books = books

    def __getattr__(self, name):
        def call(*arguments, **named):
            return self.run(lambda: getattr(contracts.require("bonus"), name)(*arguments, **named))

        return call

    def run(self, act):
        return db.in_transaction(act, self.books.app)

    def now(self, **ahead):
        with unit_of_work("read", self.books.app):
            return database_now() + timedelta(**ahead)

    def earn(self, person, points, reference, **ahead):
        at = self.now(**(ahead or {"seconds": -1}))
        service = self.__getattr__("earn")
        service(person.id, points, source="shop", reference=reference, available_at=at)

    def points(self, person):
        return self.balance(person.id)

    def spend_for(self, person, points, reference):
        self.spend(person.id, points, source="shop", reference=reference)


@pytest.fixture
def club(books):
    return Club(books)


@pytest.fixture
def anna(books):
    return books.person("anna")


def name(person, word):
    return f"{word}-{person.id}"


def test_points_are_pending_until_the_return_window_ends(club, anna):
    club.earn(anna, 100, name(anna, "order"), days=14)
    assert club.points(anna) == Points(0, 100)
    with pytest.raises(NotEnoughPointsError):
        club.spend_for(anna, 1, "early")


def test_matured_points_can_be_spent_though_nobody_marked_them(club, anna):
    club.earn(anna, 100, name(anna, "order"), seconds=0.3)
    time.sleep(0.4)
    assert club.points(anna) == Points(100, 0)
    club.spend_for(anna, 60, name(anna, "spent"))
    assert club.points(anna) == Points(40, 0)


def test_earning_for_one_order_happens_once(club, anna):
    at = club.now(days=1)
    named = {"source": "shop", "reference": name(anna, "order"), "available_at": at}
    give = club.__getattr__("earn")
    for _ in range(2):
        give(anna.id, 100, **named)
    assert club.points(anna).pending == 100
    with pytest.raises(KeyReusedError):
        give(anna.id, 101, **named)


def test_the_lot_that_expires_soonest_is_spent_first(books, club, anna):
    for word, days in (("late", -1), ("soon", -300), ("middle", -100)):
        club.earn(anna, 100, name(anna, word), days=days)
    club.spend_for(anna, 150, name(anna, "spent"))
    rows = books.sql(
        "SELECT external_reference AS name, remaining_minor AS rest FROM wallet_bonus_lot"
        " WHERE identity_id = %s",
        anna.id,
    )
    found = {row.name.split("-")[0]: row.rest for row in rows}
    assert found == {"soon": 0, "middle": 50, "late": 100}


def test_spending_twice_under_one_reference_spends_once(club, anna):
    club.earn(anna, 100, name(anna, "order"))
    for _ in range(2):
        club.spend_for(anna, 100, name(anna, "spent"))
    assert club.points(anna) == Points(0, 0)


def test_a_cancelled_spending_comes_back_once_into_its_lots(club, anna):
    club.earn(anna, 100, name(anna, "order"))
    club.spend_for(anna, 70, name(anna, "spent"))
    for _ in range(2):
        assert club.give_back(source="shop", reference=name(anna, "spent")) == 70
    assert club.points(anna) == Points(100, 0)
    assert club.give_back(source="shop", reference="never") == 0


def test_expired_points_are_gone_though_nobody_marked_them(books, club, anna):
    club.earn(anna, 100, name(anna, "order"), days=-365, seconds=0.5)
    assert club.points(anna) == Points(100, 0)
    time.sleep(0.6)
    assert club.points(anna) == Points(0, 0)
    with pytest.raises(NotEnoughPointsError):
        club.spend_for(anna, 1, name(anna, "late"))
    club.run(lambda: bonus.settle(anna.id))
    assert anna.id not in club.run(lambda: queries.people_due(1000))
    assert books.prove() == []


def test_points_that_come_back_to_an_expired_lot_expire_at_once(books, club, anna):
    club.earn(anna, 100, name(anna, "order"), days=-365, seconds=0.5)
    club.spend_for(anna, 100, name(anna, "spent"))
    time.sleep(0.6)
    assert club.give_back(source="shop", reference=name(anna, "spent")) == 100
    assert club.points(anna) == Points(0, 0)
    assert books.prove() == []


def test_a_refund_takes_pending_points_back_in_parts_and_once(club, anna):
    order = {"source": "shop", "reference": name(anna, "order")}
    club.earn(anna, 100, order["reference"], days=14)
    for _ in range(2):
        assert club.take_back(**order, key=name(anna, "refund-1"), points=30) == 30
    assert club.points(anna) == Points(0, 70)
    assert club.take_back(**order, key=name(anna, "refund-0"), points=0) == 0
    assert club.take_back(**order, key=name(anna, "refund-2")) == 70
    assert club.take_back(**order, key=name(anna, "refund-3")) == 0
    assert club.points(anna) == Points(0, 0)


def test_a_refund_of_spent_points_takes_others_and_never_goes_below_zero(books, club, anna):
    order = {"source": "shop", "reference": name(anna, "order")}
    club.earn(anna, 100, order["reference"])
    club.spend_for(anna, 80, name(anna, "spent"))
    club.earn(anna, 50, name(anna, "other"))
    assert club.take_back(**order, key=name(anna, "refund")) == 70
    assert club.points(anna) == Points(0, 0)
    assert books.prove() == []


def test_past_the_application_a_lot_moves_only_with_its_lines(books, club, anna):
    club.earn(anna, 100, name(anna, "order"))
    for statement in (
        "UPDATE wallet_bonus_lot SET remaining_minor = 99",
        "DELETE FROM wallet_bonus_lot",
        "INSERT INTO wallet_bonus_move SELECT max(id), 1, 1 FROM wallet_bonus_lot",
    ):
        with pytest.raises(psycopg2.Error):
            books.sql(statement)


def test_many_who_spend_the_same_points_at_once_spend_them_once(books, club, anna):
    club.earn(anna, 100, name(anna, "order"))

    def act(number):
        with contextlib.suppress(NotEnoughPointsError):
            club.spend_for(anna, 30, name(anna, f"spent-{number}"))
            return 30
        return 0

    with ThreadPoolExecutor(8) as pool:
        spent = sum(pool.map(act, range(8)))
    assert spent == 90
    assert club.points(anna) == Points(10, 0)
    assert books.prove() == []


def test_a_codes_limits_hold_when_many_redeem_at_once(books, club):
    clerk = books.person()
    people = [books.person() for _ in range(6)]
    club.run(lambda: codes.create(clerk.id, "RUSH-10", 10, most_uses=5, most_per_person=2))

    def act(number):
        try:
            return club.run(lambda: codes.redeem(people[number % 6].id, "RUSH-10"))
        except CodeRefusedError:
            return 0

    with ThreadPoolExecutor(12) as pool:
        given = list(pool.map(act, range(24)))
    assert sorted(given, reverse=True)[:6] == [10, 10, 10, 10, 10, 0]
    (code,) = books.sql("SELECT used_count FROM wallet_promo_code WHERE code = 'RUSH-10'")
    assert code.used_count == 5
    assert max(club.points(each).available for each in people) <= 20
    assert books.prove() == []


def test_one_person_at_many_doors_redeems_as_often_as_he_may(books, club, anna):
    clerk = books.person()
    club.run(lambda: codes.create(clerk.id, "ONCE", 10))

    def act(_number):
        with contextlib.suppress(CodeRefusedError):
            return club.run(lambda: codes.redeem(anna.id, "ONCE"))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(act, range(8))).count(10) == 1
    assert club.points(anna) == Points(10, 0)


def test_a_code_out_of_its_time_is_refused(books, club, anna):
    clerk = books.person()
    ahead, ago = club.now(days=1), club.now(days=-1)
    club.run(lambda: codes.create(clerk.id, "LATER", 10, starts_at=ahead))
    club.run(lambda: codes.create(clerk.id, "OVER", 10, starts_at=club.now(days=-2), ends_at=ago))
    for word in ("LATER", "OVER", "NOBODY"):
        with pytest.raises(CodeRefusedError):
            club.run(lambda word=word: codes.redeem(anna.id, word))


def test_inviter_and_guest_are_rewarded_with_the_guests_first_order_once(books, club, anna):
    ben = books.person("ben")
    code = club.run(lambda: referrals.make_code(anna.id))
    assert club.run(lambda: referrals.make_code(anna.id)) == code
    club.run(lambda: referrals.accept(ben.id, code))
    assert club.points(anna) == Points(0, 0)
    for order in ("first", "second"):
        club.earn(ben, 10, name(ben, order), days=14)
    assert club.points(anna) == Points(0, 200)
    assert club.points(ben) == Points(0, 220)


def test_a_refund_of_that_order_takes_the_reward_from_both_and_the_next_one_earns_it(
    books, club, anna
):
    ben = books.person("ben")
    club.run(lambda: referrals.accept(ben.id, referrals.make_code(anna.id)))
    first = {"source": "shop", "reference": name(ben, "first")}
    club.earn(ben, 10, first["reference"], days=14)
    assert club.take_back(**first, key=name(ben, "part"), points=4) == 4
    assert (club.points(anna), club.points(ben)) == (Points(0, 200), Points(0, 206))
    for _ in range(2):
        assert club.take_back(**first, key=name(ben, "rest")) == 6
    assert (club.points(anna), club.points(ben)) == (Points(0, 0), Points(0, 0))
    for order in ("second", "third"):
        club.earn(ben, 10, name(ben, order), days=14)
    assert (club.points(anna), club.points(ben)) == (Points(0, 200), Points(0, 220))
    club.take_back(source="shop", reference=name(ben, "second"), key=name(ben, "again"))
    assert (club.points(anna), club.points(ben)) == (Points(0, 0), Points(0, 10))
    assert books.prove() == []


def test_nobody_is_invited_twice_late_by_himself_or_in_a_circle(books, club, anna):
    ben, late = books.person("ben"), books.person("late")
    code = club.run(lambda: referrals.make_code(anna.id))
    own = club.run(lambda: referrals.make_code(ben.id))
    club.earn(late, 1, name(late, "order"))
    club.run(lambda: referrals.accept(ben.id, code))
    for person, word in ((ben, code), (anna, code), (late, code), (anna, own), (anna, "WRONG")):
        with pytest.raises(InvitationError):
            club.run(lambda person=person, word=word: referrals.accept(person.id, word))


def test_the_limit_of_guests_holds_when_many_come_at_once(make_books):
    books = make_books(sections={"wallet": {"referral_most": 3}})
    club, host = Club(books), books.person()
    code = club.run(lambda: referrals.make_code(host.id))
    guests = [books.person() for _ in range(10)]

    def act(guest):
        try:
            club.run(lambda: referrals.accept(guest.id, code))
        except InvitationError:
            return False
        return True

    with ThreadPoolExecutor(10) as pool:
        assert sum(pool.map(act, guests)) == 3


def test_over_http_points_codes_and_invitations(books, club, anna):
    clerk = books.person(role="manager")
    body = {"code": "WELCOME-26", "points": 50, "most_uses": 10}
    made = books.call("POST", "/admin/codes", clerk, json=body)
    assert (made.status_code, made.json["used_count"]) == (201, 0)
    assert books.call("POST", "/admin/codes", clerk, json=body).json["code"] == "code_exists"
    assert books.call("POST", "/admin/codes", anna, json=body).status_code == 403
    answer = books.call("POST", "/bonus/codes", anna, json={"code": "welcome-26"})
    assert (answer.status_code, answer.json["available"]) == (201, 50)
    again = books.call("POST", "/bonus/codes", anna, json={"code": "welcome-26"})
    assert (again.status_code, again.json["code"]) == (409, "code_refused")
    code = books.call("PUT", "/bonus/referral-code", anna).json["referral_code"]
    assert books.get("/bonus", anna)["referral_code"] == code
    ben = books.person("ben")
    assert books.call("POST", "/bonus/referral", ben, json={"code": code}).status_code == 201
    (lot,) = books.get("/bonus/lots", anna)["items"]
    assert (lot["earned"], lot["status"]) == (50, "available")
    wrong = {**body, "code": "X-2026", "starts_at": "2026-02-01T00:00:00Z"}
    wrong["ends_at"] = wrong["starts_at"]
    assert books.call("POST", "/admin/codes", clerk, json=wrong).status_code == 422
    account = books.get("/accounts", anna, currency="PTS")["items"]
    assert {each["posted"]["amount"] for each in account} == {"0", "50"}


def test_the_proof_finds_nothing(books):
    assert books.prove() == []
