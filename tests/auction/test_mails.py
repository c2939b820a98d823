"""Who is told what, and once: rules 3, 6, 8 and 14, and AU10."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from torg import jobs, mail, outbox
from torg.db import unit_of_work


def euro(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


@pytest.fixture(scope="module")
def chunked_site(make_site):
    return make_site(sections={"auction": {"announce_chunk": 3}})


@pytest.fixture
def town(site):
    """The application with nobody registered yet and no mail."""
    return Town(site)


@pytest.fixture
def small_chunks(chunked_site):
    return Town(chunked_site)


class Town:
    def __init__(self, site) -> None:
        self.site = site
        self.app = site.app
        self.mailbox = mail.Mailbox(site.app)
        self.forget_mails()
        site.people.clear()

    def run_jobs(self) -> None:
        jobs.run_due(self.app)

    def subjects(self, person) -> list[str]:
        """Of all mails to somebody, oldest first."""
        return [each.subject for each in reversed(self.mailbox.to(person.email))]

    def forget_mails(self) -> None:
        self.run_jobs()
        self.mailbox.clear()


class TestAnnouncing:
    def test_everybody_registered_gets_a_mail_of_his_own(self, town):
        people = [town.site.person() for _ in range(5)]
        town.site.create(people[0], title="A samovar")
        town.run_jobs()
        assert [town.subjects(each) for each in people] == [["New auction: A samovar"]] * 5
        assert len(town.mailbox) == 5

    def test_whoever_said_no_is_left_alone(self, town):
        ann, ben = town.site.person(), town.site.person()
        town.site.call("PUT", "/preferences", ann, json={"announcements": False})
        town.site.create(ben)
        town.run_jobs()
        assert town.subjects(ann) == []
        assert len(town.subjects(ben)) == 1

    def test_goes_through_the_town_in_chunks_once_each(self, small_chunks):
        town = small_chunks
        people = [town.site.person() for _ in range(10)]
        lot = town.site.create(people[0])["id"]
        town.run_jobs()
        assert [len(town.subjects(each)) for each in people] == [1] * 10
        assert len(jobs_of(town, "auction.announce", lot)) == 4

    def test_a_job_that_runs_twice_tells_nobody_twice(self, town):
        ann = town.site.person()
        lot = town.site.create(ann)["id"]
        town.run_jobs()
        repeat(town, "auction.announce", lot)
        assert len(town.subjects(ann)) == 1

    def test_a_worker_killed_in_between_leaves_nobody_out(self, small_chunks, monkeypatch):
        town = small_chunks
        people = [town.site.person() for _ in range(7)]
        town.site.create(people[0])
        real, calls = mail.queue_mail, []

        def dying(*arguments, **more):
            calls.append(arguments)
            if len(calls) == 5:
                raise SystemExit("killed")
            return real(*arguments, **more)

        monkeypatch.setattr("torg_auction.emails.queue_mail", dying)
        town.run_jobs()
        monkeypatch.undo()
        town.site.database.all("UPDATE torg_outbox SET run_at = now() WHERE state = 'queued'")
        town.run_jobs()
        assert [len(town.subjects(each)) for each in people] == [1] * 7

    def test_can_be_switched_off_by_the_deployment(self, make_site):
        town = Town(make_site(sections={"auction": {"announce": False}}))
        ann = town.site.person()
        town.site.create(ann)
        town.run_jobs()
        assert town.subjects(ann) == []

    def test_is_written_in_the_language_of_each(self, town):
        ann, olga = town.site.person(locale="en"), town.site.person(locale="ru")
        town.site.create(ann, title="Самовар")
        town.run_jobs()
        assert town.subjects(ann) == ["New auction: Самовар"]
        assert town.subjects(olga) == ["Новый аукцион: Самовар"]

    def test_says_when_an_auction_will_open_that_is_not_open_yet(self, town):
        owner, olga = town.site.person("owner"), town.site.person(locale="ru")
        opens = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=30)
        town.site.create(owner, starts_at=opens.isoformat())
        town.run_jobs()
        for person, word in ((owner, "Opens: "), (olga, "Начало: ")):
            [told] = town.mailbox.to(person.email)
            assert f"{word}{opens.day}" in told.text
            assert f"{opens:%H:%M} UTC" in told.text
            assert f"{opens:%H:%M} UTC" in told.html
        assert "your auction will open in time" in town.mailbox.to(owner.email)[0].text
        assert "объявляет аукцион" in town.mailbox.to(olga.email)[0].text


class TestNewPrices:
    @pytest.fixture
    def lot(self, town) -> int:
        lot = town.site.create(title="Clock")["id"]
        town.forget_mails()
        return lot

    def test_earlier_bidders_are_told_of_each_price_but_the_new_one(self, town, lot):
        ann, ben, cat = (town.site.person() for _ in range(3))
        for bidder, amount in ((ann, "10.00"), (ben, "20.00"), (cat, "30.00")):
            assert town.site.bid(lot, bidder, amount).status_code == 201
            town.run_jobs()
        assert town.subjects(ann) == ["You have been outbid: Clock", "New price €30.00: Clock"]
        assert town.subjects(ben) == ["You have been outbid: Clock"]
        assert town.subjects(cat) == []

    def test_raising_oneself_tells_the_others_alone(self, town, lot):
        ann, ben = town.site.person(), town.site.person()
        town.site.bid(lot, ann, "10.00")
        town.site.bid(lot, ben, "20.00")
        town.forget_mails()
        town.site.bid(lot, ben, "25.00")
        town.run_jobs()
        assert town.subjects(ann) == ["New price €25.00: Clock"]
        assert town.subjects(ben) == []

    def test_a_maximum_that_holds_tells_challenger_and_leader(self, town, lot):
        ann, ben = town.site.person(), town.site.person()
        town.site.bid(lot, ann, maximum="50.00")
        town.site.bid(lot, ben, maximum="30.00")
        town.run_jobs()
        assert town.subjects(ann) == ["New price €31.00: Clock"]
        assert "still lead" in town.mailbox.last(ann.email).text
        assert town.subjects(ben) == ["You have been outbid: Clock"]

    def test_raising_ones_own_maximum_tells_nobody(self, town, lot):
        ann, ben = town.site.person(), town.site.person()
        town.site.bid(lot, ben, "10.00")
        town.site.bid(lot, ann, maximum="50.00")
        town.forget_mails()
        town.site.bid(lot, ann, maximum="90.00")
        town.run_jobs()
        assert len(town.mailbox) == 0

    def test_a_job_that_runs_twice_tells_nobody_twice(self, town, lot):
        ann, ben = town.site.person(), town.site.person()
        town.site.bid(lot, ann, "10.00")
        town.site.bid(lot, ben, "20.00")
        town.run_jobs()
        repeat(town, "auction.tell_bid", lot)
        assert len(town.subjects(ann)) == 1

    def test_there_is_one_mail_for_an_auction_a_bid_and_a_person(self, town, lot):
        people = [town.site.person() for _ in range(4)]
        for number in range(12):
            town.site.bid(lot, people[number % 4], f"{10 + number}.00")
        town.run_jobs()
        rows = town.site.database.all(
            "SELECT business_key AS key FROM torg_outbox WHERE job = 'host.send_mail'"
            " AND business_key ~ '^auction.(outbid|price_changed):' AND business_key ~ %s",
            f":{lot}:",
        )
        occasions = Counter(tuple(row.key.split(":")[1:]) for row in rows)
        assert set(occasions.values()) == {1}
        # Each of the 11 later prices is told to all who had bid before, but its bidder.
        assert len(rows) == 1 + 2 + 3 * 9


class TestTheEnd:
    def test_all_participants_and_the_owner_are_told_once(self, town):
        owner, ann, ben, cat = (town.site.person() for _ in range(4))
        lot = town.site.ended(owner, [(ann, 1000), (ben, 1500), (ann, 1700)], title="Clock")
        for _ in range(2):
            town.site.get(f"/{lot}")
            town.run_jobs()
        repeat(town, "auction.tell_closed", lot)
        assert town.subjects(ann) == ["You have won: Clock"]
        assert town.subjects(ben) == ["The auction is over: Clock"]
        assert town.subjects(owner) == ["Sold: Clock"]
        assert town.subjects(cat) == []
        assert ann.username in town.mailbox.last(owner.email).text

    def test_nobody_wins_below_the_reserve(self, town):
        owner, ann = town.site.person(), town.site.person()
        lot = town.site.ended(owner, [(ann, 1000)], title="Clock", reserve_price_minor=9000)
        town.site.get(f"/{lot}")
        town.run_jobs()
        assert town.subjects(ann) == ["The auction is over: Clock"]
        assert "reserve" in town.mailbox.last(ann.email).text
        assert town.subjects(owner) == ["Not sold: Clock"]

    def test_an_owner_without_bids_is_told(self, town):
        owner = town.site.person()
        town.site.get(f"/{town.site.ended(owner, title='Clock')}")
        town.run_jobs()
        assert town.subjects(owner) == ["Not sold: Clock"]

    def test_a_job_waits_for_the_end_from_the_beginning(self, town):
        made = town.site.create()
        (job,) = jobs_of(town, "auction.close", made["id"])
        assert job.run_at == datetime.fromisoformat(made["ends_at"])

    def test_that_job_closes_without_anybody_looking(self, town):
        owner, ann = town.site.person(), town.site.person()
        lot = town.site.ended(owner, [(ann, 1000)])
        with unit_of_work(app=town.app):
            outbox.enqueue("auction.close", {"auction_id": lot})
        town.run_jobs()
        assert outcome(town, lot).winner_id == ann.id
        assert len(town.subjects(ann)) == len(town.subjects(owner)) == 1

    def test_that_job_leaves_an_auction_open_that_was_extended(self, town):
        lot = town.site.create()["id"]
        with unit_of_work(app=town.app):
            outbox.enqueue("auction.close", {"auction_id": lot})
        town.run_jobs()
        assert outcome(town, lot) is None

    def test_an_extension_puts_in_a_job_for_the_new_end(self, town):
        soft = {"window_seconds": 7200, "extension_seconds": 60, "max_extensions": 1}
        made = town.site.create(soft_close=soft)
        moved = town.site.bid(made["id"], town.site.person(), "10.00").json
        ends = [job.run_at for job in jobs_of(town, "auction.close", made["id"])]
        assert ends == [datetime.fromisoformat(each["ends_at"]) for each in (made, moved)]

    def test_the_sweeper_closes_what_everybody_forgot(self, town):
        lots = [town.site.ended(town.site.person()) for _ in range(3)]
        with unit_of_work(app=town.app):
            outbox.enqueue("auction.close_due", {})
        town.run_jobs()
        assert [outcome(town, lot).reason for lot in lots] == ["no_bids"] * 3


class TestWatching:
    def test_a_watcher_is_told_once_that_the_end_is_near(self, town):
        ann, ben = town.site.person(), town.site.person()
        near = town.site.create(ends_at=in_minutes(20), title="Near")["id"]
        far = town.site.create(ends_at=in_minutes(200), title="Far")["id"]
        for lot in (near, far):
            town.site.call("PUT", f"/{lot}/watch", ann)
        town.forget_mails()
        for _ in range(2):
            with unit_of_work(app=town.app):
                outbox.enqueue("auction.tell_ending", {})
            town.run_jobs()
        assert town.subjects(ann) == ["Ends soon: Near"]
        assert town.subjects(ben) == []

    def test_a_crowd_of_watchers_is_told_without_waiting_for_the_next_minute(
        self, town, monkeypatch
    ):
        monkeypatch.setattr("torg_auction.jobs._WATCHERS_AT_ONCE", 2)
        lot = town.site.create(ends_at=in_minutes(20), title="Near")["id"]
        crowd = [town.site.person() for _ in range(5)]
        for watcher in crowd:
            town.site.call("PUT", f"/{lot}/watch", watcher)
        town.forget_mails()
        with unit_of_work(app=town.app):
            outbox.enqueue("auction.tell_ending", {})
        town.run_jobs()
        assert [town.subjects(each) for each in crowd] == [["Ends soon: Near"]] * 5


def test_every_mail_can_be_shown_in_both_languages(town):
    assert mail.problems(town.app, "auction") == []


def repeat(town, job: str, lot: int) -> None:
    """Run the jobs of an auction again, as after a crash."""
    town.site.database.all(
        "UPDATE torg_outbox SET state = 'queued', run_at = now()"
        " WHERE job = %s AND payload->>'auction_id' = %s",
        *(job, str(lot)),
    )
    town.run_jobs()


def jobs_of(town, job: str, lot: int) -> list:
    return town.site.database.all(
        "SELECT * FROM torg_outbox WHERE job = %s AND payload->>'auction_id' = %s ORDER BY id",
        *(job, str(lot)),
    )


def outcome(town, lot: int):
    rows = town.site.database.all("SELECT * FROM auction_outcome WHERE auction_id = %s", lot)
    return rows[0] if rows else None


def in_minutes(minutes: int) -> str:
    return (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()
