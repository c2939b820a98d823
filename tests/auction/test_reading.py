"""Lists and pages: rules 1, 7 and 14, the closing on touch, and what a read may cost."""

from datetime import datetime, timedelta

import pytest


def euro(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


def ids(page) -> list[int]:
    return [item["id"] for item in page["items"]]


@pytest.fixture(scope="module")
def lots_of_each_status(site) -> dict[str, int]:
    owner = site.person("statusowner")
    return {
        "owner": owner.username,
        "active": site.create(owner)["id"],
        "upcoming": site.database.auction(owner_id=owner.id, starts_in=600),
        "finished": site.ended(owner),
    }


class TestStatus:
    @pytest.mark.parametrize("status", ["active", "upcoming", "finished"])
    def test_follows_from_the_times_by_query(self, site, lots_of_each_status, status):
        page = site.get(owner=lots_of_each_status["owner"], status=status)
        assert ids(page) == [lots_of_each_status[status]]
        assert page["items"][0]["status"] == status

    def test_all_are_shown_by_default(self, site, lots_of_each_status):
        every = [
            lots_of_each_status["finished"],
            lots_of_each_status["upcoming"],
            lots_of_each_status["active"],
        ]
        assert ids(site.get(owner=lots_of_each_status["owner"])) == every
        assert ids(site.get(owner=lots_of_each_status["owner"], status="all")) == every

    def test_an_unknown_word_is_refused_with_those_that_are_known(self, site):
        answer = site.call("GET", query_string={"status": "open"})
        assert answer.status_code == 422
        assert "active" in answer.json["errors"][0]["message"]

    def test_an_unknown_parameter_is_refused(self, site):
        assert site.call("GET", query_string={"state": "active"}).status_code == 422


class TestClosingOnTouch:
    """With no worker for an hour the outcome is the same."""

    def test_by_the_page(self, site):
        owner, ann = site.person(), site.person()
        lot = site.ended(owner, [(ann, 1500)])
        shown = site.get(f"/{lot}")
        assert (shown["status"], shown["outcome"]) == ("finished", "sold")
        assert shown["winner"] == ann.username
        assert shown["hammer_price"] == euro("15.00")
        assert shown["closed_at"] == shown["ends_at"]
        assert shown["minimum_bid"] is None

    def test_by_a_list(self, site):
        owner, ann = site.person(), site.person()
        lot = site.ended(owner, [(ann, 1500)])
        (item,) = site.get(owner=owner.username)["items"]
        assert (item["id"], item["winner"]) == (lot, ann.username)

    def test_by_a_bid_that_comes_too_late(self, site):
        lot = site.ended(site.person(), [(site.person(), 1500)])
        assert site.bid(lot, site.person(), "90.00").status_code == 409
        reasons = site.database.all("SELECT reason FROM auction_outcome WHERE auction_id = %s", lot)
        assert [row.reason for row in reasons] == ["sold"]

    def test_without_bids_there_is_no_winner(self, site):
        shown = site.get(f"/{site.ended(site.person())}")
        assert (shown["outcome"], shown["winner"]) == ("no_bids", None)

    def test_below_the_reserve_there_is_no_winner(self, site):
        lot = site.ended(site.person(), [(site.person(), 1500)], reserve_price_minor=9000)
        shown = site.get(f"/{lot}")
        assert (shown["outcome"], shown["winner"], shown["hammer_price"]) == (
            "reserve_not_met",
            None,
            None,
        )
        assert shown["reserve_met"] is False


class TestPage:
    def test_shows_every_bid_with_its_bidders_name_newest_first(self, site):
        lot, ann, ben = site.create()["id"], site.person(), site.person()
        site.bid(lot, ann, "10.00")
        site.bid(lot, ben, "12.00")
        shown = site.get(f"/{lot}")
        assert [(bid["seq"], bid["amount"], bid["username"]) for bid in shown["bids"]] == [
            (2, euro("12.00"), ben.username),
            (1, euro("10.00"), ann.username),
        ]
        assert (shown["high_bidder"], shown["bid_count"]) == (ben.username, 2)
        assert shown["current_price"] == euro("12.00")
        assert shown["minimum_bid"] == euro("13.00")

    def test_of_nothing_is_not_found(self, site):
        assert site.call("GET", "/987654321").status_code == 404
        assert site.call("GET", "/987654321/bids").status_code == 404
        assert site.call("GET", "/987654321/stream").status_code == 404

    def test_has_the_first_hundred_bids_and_the_way_to_the_others(self, site):
        lot = site.create()["id"]
        bidders = [site.person() for _ in range(3)]
        for number in range(120):
            site.database.bid(lot, bidders[number % 3].id, 1000 + 100 * number)
        shown = site.get(f"/{lot}")
        assert [bid["seq"] for bid in shown["bids"]] == list(range(120, 20, -1))
        rest = site.get(f"/{lot}/bids", limit=100, cursor=shown["bids_next_cursor"])
        assert [bid["seq"] for bid in rest["items"]] == list(range(20, 0, -1))
        assert rest["next_cursor"] is None

    def test_of_one_bid(self, site):
        lot, ann = site.create()["id"], site.person()
        site.bid(lot, ann, "10.00")
        assert site.get(f"/{lot}/bids/1")["username"] == ann.username
        assert site.call("GET", f"/{lot}/bids/2").status_code == 404
        assert site.call("GET", f"/{lot}/bids/99999999999").status_code == 404


class TestCost:
    def test_of_a_page_with_a_hundred_bids_is_three_statements(self, site, count_queries):
        lot = site.create()["id"]
        bidders = [site.person() for _ in range(30)]
        for number in range(100):
            site.database.bid(lot, bidders[number % 30].id, 1000 + 100 * number)
        with count_queries() as count:
            shown = site.get(f"/{lot}")
        assert len(shown["bids"]) == 100
        assert count.total <= 3, count.statements

    def test_of_a_list_of_fifty_is_two_statements(self, site, count_queries):
        owner = site.person()
        for _ in range(50):
            lot = site.database.auction(owner_id=owner.id)
            site.database.bid(lot, site.person().id, 1000)
        with count_queries() as count:
            page = site.get(currency="EUR")
        assert len(page["items"]) == 50
        assert count.total <= 2, count.statements

    def test_of_a_page_of_bids_is_two_statements(self, site, count_queries):
        lot = site.create()["id"]
        for number in range(30):
            site.database.bid(lot, site.person().id, 1000 + 100 * number)
        with count_queries() as count:
            page = site.get(f"/{lot}/bids")
        assert len(page["items"]) == 30
        assert count.total <= 2, count.statements


@pytest.fixture(scope="module")
def lots_of_many_kinds(site) -> dict[str, int]:
    owner = site.person("filterowner")
    made = {
        "cheap": site.create(owner, title="Teapot", category="kitchen"),
        "dear": site.create(
            owner,
            title="Самовар тульский",
            description="Пузатый, с медалями.",
            starting_price=euro("500.00"),
            category="kitchen",
        ),
        "yen": site.create(
            owner,
            title="Netsuke",
            category="art",
            starting_price={"amount": "40", "currency": "JPY"},
            bid_increment={"amount": "1", "currency": "JPY"},
            ends_at=(datetime.now().astimezone() + timedelta(days=3)).isoformat(),
        ),
    }
    return {"owner": owner.username, **{name: each["id"] for name, each in made.items()}}


class TestFilters:
    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ({"category": "kitchen"}, ["dear", "cheap"]),
            ({"currency": "JPY"}, ["yen"]),
            ({"price_min": "10.01"}, ["yen", "dear"]),
            ({"price_max": "10.00", "currency": "EUR"}, ["cheap"]),
            ({"search": "teapots"}, ["cheap"]),
            ({"search": "самовары"}, ["dear"]),
            ({"search": "медаль"}, ["dear"]),
            ({"search": "nets"}, ["yen"]),
            ({"search": "nothing like it"}, []),
            ({"sort": "price"}, ["yen", "cheap", "dear"]),
            ({"sort": "-price"}, ["dear", "cheap", "yen"]),
            ({"sort": "ends_at"}, ["cheap", "dear", "yen"]),
            ({"sort": "-created_at"}, ["yen", "dear", "cheap"]),
            ({"sort": "-bids,price"}, ["yen", "cheap", "dear"]),
        ],
    )
    def test_and_sorts_find_what_they_say(self, site, lots_of_many_kinds, query, expected):
        page = site.get(owner=lots_of_many_kinds["owner"], **query)
        assert ids(page) == [lots_of_many_kinds[name] for name in expected]

    def test_by_the_end(self, site, lots_of_many_kinds):
        moment = (datetime.now().astimezone() + timedelta(days=2)).isoformat()
        owner = lots_of_many_kinds["owner"]
        assert ids(site.get(owner=owner, ends_after=moment)) == [lots_of_many_kinds["yen"]]
        assert ids(site.get(owner=owner, ends_before=moment)) == [
            lots_of_many_kinds["dear"],
            lots_of_many_kinds["cheap"],
        ]

    def test_by_an_owner_nobody_knows_finds_nothing(self, site, lots_of_many_kinds):
        assert ids(site.get(owner="nobody-of-this-name")) == []

    def test_pages_follow_each_other_without_gaps(self, site, lots_of_many_kinds):
        seen, cursor = [], None
        for _ in range(3):
            query = {"owner": lots_of_many_kinds["owner"], "limit": 1, "sort": "price"}
            page = site.get(**query, **({"cursor": cursor} if cursor else {}))
            seen += ids(page)
            cursor = page["next_cursor"]
        assert seen == [
            lots_of_many_kinds["yen"],
            lots_of_many_kinds["cheap"],
            lots_of_many_kinds["dear"],
        ]
        assert cursor is None

    def test_a_total_is_counted_when_asked_for(self, site, lots_of_many_kinds):
        assert (
            site.get(owner=lots_of_many_kinds["owner"], limit=1, include_total="true")["total"] == 3
        )


class TestOwnLists:
    def test_mine_are_those_i_created(self, site):
        owner = site.person()
        made = site.create(owner)["id"]
        site.create()
        assert ids(site.get("/mine", owner)) == [made]

    def test_my_bids_say_where_i_stand(self, site):
        ann, ben, owner = site.person(), site.person(), site.person()
        leading, outbid = site.create(owner)["id"], site.create(owner)["id"]
        site.bid(leading, ann, "12.00")
        site.bid(outbid, ann, "12.00")
        site.bid(outbid, ben, "20.00")
        won = site.ended(owner, [(ben, 1000), (ann, 1500)])
        lost = site.ended(owner, [(ann, 1000), (ben, 1500)])
        items = {item["id"]: item for item in site.get("/my-bids", ann)["items"]}
        assert {lot: item["standing"] for lot, item in items.items()} == {
            leading: "leading",
            outbid: "outbid",
            won: "won",
            lost: "lost",
        }
        assert items[won]["own_amount"] == euro("15.00")
        assert items[lost]["own_amount"] == euro("10.00")

    def test_watching_is_switched_on_and_off(self, site):
        ann, lot = site.person(), site.create()["id"]
        for _ in range(2):
            assert site.call("PUT", f"/{lot}/watch", ann).status_code == 204
        assert ids(site.get("/watched", ann)) == [lot]
        for _ in range(2):
            assert site.call("DELETE", f"/{lot}/watch", ann).status_code == 204
        assert ids(site.get("/watched", ann)) == []

    def test_what_does_not_exist_is_not_watched(self, site):
        assert site.call("PUT", "/987654321/watch", site.person()).status_code == 404

    @pytest.mark.parametrize("path", ["/mine", "/my-bids", "/watched", "/preferences"])
    def test_need_a_signed_in_caller(self, site, path):
        assert site.call("GET", path).status_code == 401

    def test_announcements_are_on_until_switched_off(self, site):
        ann = site.person()
        assert site.get("/preferences", ann) == {"announcements": True}
        for choice in (False, True, False):
            answer = site.call("PUT", "/preferences", ann, json={"announcements": choice})
            assert answer.json == {"announcements": choice}
            assert site.get("/preferences", ann) == {"announcements": choice}


class TestReadyAnswers:
    def test_a_bid_is_seen_in_the_very_next_answer(self, site):
        lot = site.create()["id"]
        for number in range(1, 6):
            site.bid(lot, site.person(), f"{10 + number}.00")
            assert site.get(f"/{lot}")["bid_count"] == number
            assert site.get(sort="-id", limit=1)["items"][0]["bid_count"] == number
            assert len(site.get(f"/{lot}/bids")["items"]) == number

    def test_a_repeated_answer_costs_no_statement(self, site, count_queries):
        lot = site.create()["id"]
        site.get(f"/{lot}")
        with count_queries() as count:
            site.get(f"/{lot}")
        assert count.total == 0

    def test_no_answer_outlives_the_end_of_an_auction(self, site):
        owner = site.person()
        lot = site.database.auction(owner_id=owner.id, ends_in=2)
        assert site.get(f"/{lot}")["status"] == "active"
        assert site.get(owner=owner.username)["items"][0]["status"] == "active"
        site.database.all("SELECT pg_sleep(2)")
        assert site.get(f"/{lot}")["status"] == "finished"
        assert site.get(owner=owner.username)["items"][0]["status"] == "finished"

    def test_no_kept_list_misses_an_auction_that_enters_it(self, site):
        owner = site.person()
        over = site.ended(owner)
        lot = site.database.auction(owner_id=owner.id, ends_in=2)
        assert ids(site.get(owner=owner.username, status="finished")) == [over]
        site.database.all("SELECT pg_sleep(2)")
        assert ids(site.get(owner=owner.username, status="finished")) == [lot, over]

    def test_an_unchanged_page_is_304(self, site):
        lot = site.create()["id"]
        tag = site.call("GET", f"/{lot}").headers["ETag"]
        again = site.call("GET", f"/{lot}", headers={"If-None-Match": tag})
        assert again.status_code == 304
        site.bid(lot, site.person(), "10.00")
        changed = site.call("GET", f"/{lot}", headers={"If-None-Match": tag})
        assert changed.status_code == 200

    def test_a_page_with_somebodys_former_name_is_no_304(self, site):
        lot, ann = site.create()["id"], site.person()
        site.bid(lot, ann, "10.00")
        tag = site.call("GET", f"/{lot}").headers["ETag"]
        site.people.rename(ann, "annette")
        # A page is kept for a second, under whatever name.
        site.database.all("SELECT pg_sleep(1.1)")
        changed = site.call("GET", f"/{lot}", headers={"If-None-Match": tag})
        assert changed.status_code == 200
        assert changed.json["high_bidder"] == changed.json["bids"][0]["username"] == "annette"
