"""A secret maximum appears in no response, event, log, job, mail or stream (AU9)."""

import pytest

from torg import jobs, mail
from torg.events import Subscription

FIRST, RAISED, BEATEN = "777777.77", "888888.88", "66.00"
# As the API writes them, as they are stored, and as a person would write them.
SECRETS = ("777777.77", "77777777", "777,777.77", "888888.88", "88888888", "888,888.88")


@pytest.fixture(scope="module")
def story(make_site, tmp_path_factory):
    """Everything that could be read or overheard while two people bid by secret maxima."""
    # Short silences: a stream with little to tell must not hold up the scan.
    quiet = {"auction": {"stream_heartbeat_seconds": 1}}
    site = make_site(log_level="debug", sections=quiet)
    heard: list[str] = []
    with site.app.app_context():
        registry = site.app.extensions["torg.events"]
        for name in ("auction.created", "auction.bid_placed", "auction.closed"):
            registry.subscribe(
                "testkit",
                Subscription(name, lambda payload: heard.append(repr(payload)), "in_transaction"),
            )
    return Story(site, heard)


class Story:
    def __init__(self, site, heard: list[str]) -> None:
        self.site, self.heard = site, heard
        self.owner, self.ann, self.ben = (site.person() for _ in range(3))
        self.said: list[str] = []

    def say(self, answer) -> None:
        """Keep a whole answer, headers included."""
        self.said.append(f"{answer.status} {answer.headers} {answer.get_data(as_text=True)}")

    def play(self) -> int:
        """The bidding; returns the auction."""
        site = self.site
        lot = site.create(self.owner)["id"]
        key = {"Idempotency-Key": "secret"}
        self.say(site.bid(lot, self.ann, maximum=FIRST, headers=key))
        self.say(site.bid(lot, self.ann, maximum=FIRST, headers=key))
        self.say(site.bid(lot, self.ben, "20.00"))
        self.say(site.bid(lot, self.ben, maximum=BEATEN))
        self.say(site.bid(lot, self.ann, maximum=RAISED))
        # Refusals speak too: too low, not raised, moved, another currency.
        self.say(site.bid(lot, self.ben, "21.00"))
        self.say(site.bid(lot, self.ann, maximum="888888.00"))
        price = {"amount": "1.00", "currency": "EUR"}
        self.say(site.bid(lot, self.ben, "900.00", expected_price=price))
        return lot

    def look(self, lot: int) -> None:
        """Read every route as everybody."""
        for person in (None, self.owner, self.ann, self.ben):
            for path in ("", f"/{lot}", f"/{lot}/bids", f"/{lot}/bids/1"):
                self.say(self.site.call("GET", path, person))
        for person in (self.owner, self.ann, self.ben):
            for path in ("/mine", "/my-bids", "/watched", "/preferences"):
                self.say(self.site.call("GET", path, person))
        stream = self.site.app.test_client().get(f"/api/v1/auctions/{lot}/stream?after=0")
        self.said += [next(iter(stream.response)).decode() for _ in range(4)]
        stream.close()


def test_a_secret_maximum_appears_nowhere_but_in_its_own_table(story, capfd):
    lot = story.play()
    story.look(lot)
    jobs.run_due(story.site.app)
    mails = [each.raw.decode() + each.text + each.html for each in mail.Mailbox(story.site.app)]
    assert len(story.heard) == 4
    assert mails
    out, err = capfd.readouterr()
    for place, texts in {
        "answers": story.said,
        "events": story.heard,
        "mails": mails,
        "logs": [out, err],
        "tables": stored_texts(story.site.database),
    }.items():
        for text in texts:
            assert not any(secret in text for secret in SECRETS), (place, text)


def test_the_scan_would_find_what_it_looks_for(story):
    lot = story.site.create(story.owner)["id"]
    placed = story.site.bid(lot, story.ann, FIRST)
    assert any(secret in placed.text for secret in SECRETS)
    rows = story.site.database.all("SELECT t::text AS row FROM auction_bid t")
    assert any(secret in row.row for row in rows for secret in SECRETS)


def test_no_query_of_a_route_reads_maxima(story, count_queries):
    lot = story.site.create(story.owner)["id"]
    story.site.bid(lot, story.ann, maximum=FIRST)
    with count_queries() as count:
        story.look(lot)
    assert count.total > 0
    assert not any("auction_maximum" in sql for sql in count.statements)


def stored_texts(database) -> list[str]:
    """Every row of every table but that of the maxima, as text."""
    tables = database.all(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname <> 'auction_maximum'"
        " AND relnamespace = 'public'::regnamespace"
    )
    return [
        row.text
        for table in tables
        for row in database.all(f"SELECT t::text AS text FROM {table.relname} t")
    ]
