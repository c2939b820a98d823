"""Rate limits: shared by all processes, never open, never in the way of an answer."""

import time

import pytest

from torg import limits
from torg.blueprint import Blueprint
from torg.errors import TooManyError


@pytest.fixture
def make_api(make_api):
    """Applications that are no demo, whose limits are wider."""
    key = {"demo": False, "secret_key": "a key of this test alone, long enough"}
    return lambda *blueprints, **host: make_api(*blueprints, **{**key, **host})


def make_gate(rate="3 per hour"):
    gate = Blueprint("gate")

    @gate.route("/")
    @gate.public
    @gate.limit(rate)
    @gate.response(200)
    def enter():
        """Enter."""

    @gate.route("/mine")
    @gate.requires()
    @gate.limit("2 per hour", by="identity")
    @gate.limit("5 per hour")
    @gate.response(200)
    def enter_mine():
        """Enter, signed in."""

    @gate.route("/open")
    @gate.public
    @gate.response(200)
    def enter_freely():
        """Enter freely."""

    return gate


def enter(client, times=1, address="1.2.3.4", path="/api/v1/gate", **headers):
    place = {"REMOTE_ADDR": address}
    return [
        client.get(path, headers=headers, environ_overrides=place).status_code for _ in range(times)
    ]


def test_who_is_too_fast_is_told_when_to_come_back(make_api):
    client = make_api(make_gate()).test_client()
    first = client.get("/api/v1/gate")
    assert first.headers["RateLimit-Policy"] == '"gate_enter";q=3;w=3600'
    assert first.headers["RateLimit"].startswith('"gate_enter";r=2;t=')
    assert enter(client, 2, "127.0.0.1") == [200, 200]
    answer = client.get("/api/v1/gate")
    assert (answer.status_code, answer.json["code"]) == (429, "too_many_requests")
    assert 1 <= int(answer.headers["Retry-After"]) <= 3600
    assert answer.headers["RateLimit"].startswith('"gate_enter";r=0;t=')


def test_routes_without_a_limit_say_nothing_of_one(make_api):
    answer = make_api(make_gate()).test_client().get("/api/v1/gate/open")
    assert "RateLimit" not in answer.headers


def test_each_address_has_its_own_count(make_api):
    client = make_api(make_gate()).test_client()
    assert enter(client, 4, "1.2.3.4")[-1] == 429
    assert enter(client, 1, "1.2.3.5") == [200]


def test_a_whole_v6_network_is_one_caller(make_api):
    client = make_api(make_gate()).test_client()
    addresses = ["2001:db8::1", "2001:db8::2", "2001:db8::ffff:1", "2001:db8:0:0:9::1"]
    assert [enter(client, 1, each)[0] for each in addresses] == [200, 200, 200, 429]
    assert enter(client, 1, "2001:db8:0:1::1") == [200]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("1.2.3.4", "1.2.3.4"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("2001:db8::9", "2001:db8::/64"),
        (None, "unknown"),
        ("unix:", "unknown"),
    ],
)
def test_an_address_stands_for_who_has_it(address, network):
    assert limits.network_of(address) == network


def test_a_signed_in_caller_is_counted_wherever_he_is(make_api):
    app = make_api(make_gate())
    people = app.extensions["torg.testing"]
    ann, bob = people.add("ann", permissions=[]), people.add("bob", permissions=[])
    client, path = app.test_client(), "/api/v1/gate/mine"
    assert enter(client, 1, "1.1.1.1", path, **ann.headers) == [200]
    assert enter(client, 1, "2.2.2.2", path, **ann.headers) == [200]
    assert enter(client, 1, "3.3.3.3", path, **ann.headers) == [429]
    assert enter(client, 1, "3.3.3.3", path, **bob.headers) == [200]


def test_processes_count_together(make_api):
    first, second = (make_api(make_gate()).test_client() for _ in range(2))
    assert enter(first, 2) + enter(second, 2) == [200, 200, 200, 429]


@pytest.mark.parametrize("mode", ["refuse", "hang"])
def test_without_redis_each_process_counts_for_itself(make_api, proxy, distant_redis_url, mode):
    client = make_api(make_gate(), redis_url=distant_redis_url).test_client()
    proxy.mode(mode)
    started = time.monotonic()
    assert enter(client, 5) == [200, 200, 200, 429, 429]
    # Only the first call waits for Redis, and that one for a fraction of a second.
    assert time.monotonic() - started < 5


def test_without_any_redis_there_are_limits_too(make_api):
    client = make_api(make_gate(), redis_url="").test_client()
    assert enter(client, 4) == [200, 200, 200, 429]


def test_counting_goes_back_to_redis_by_itself(make_api, proxy, distant_redis_url):
    app = make_api(make_gate(), redis_url=distant_redis_url)
    client = app.test_client()
    proxy.mode("refuse")
    assert enter(client, 4)[-1] == 429
    proxy.mode("pass")
    breaker = app.extensions["torg.redis"].breaker
    until = time.monotonic() + 30
    while breaker.is_open and time.monotonic() < until:
        time.sleep(0.05)
    assert enter(client, 4) == [200, 200, 200, 429]


def test_a_setting_changes_a_rate_by_its_name(make_api):
    client = make_api(make_gate(), rate_limits={"gate_enter": "1 per hour"}).test_client()
    assert enter(client, 2) == [200, 429]


def test_a_demo_widens_limits_by_address_alone(make_api):
    app = make_api(make_gate(), demo=True)
    ann = app.extensions["torg.testing"].add("ann", permissions=[])
    client = app.test_client()
    assert client.get("/api/v1/gate").headers["RateLimit-Policy"] == '"gate_enter";q=60;w=3600'
    assert enter(client, 3, path="/api/v1/gate/mine", **ann.headers) == [200, 200, 429]


def test_what_a_demo_was_told_counts_as_it_is(make_api):
    told = {"gate_enter": "1 per hour"}
    client = make_api(make_gate(), demo=True, rate_limits=told).test_client()
    assert enter(client, 2) == [200, 429]


def test_a_setting_switches_limits_off(make_api):
    assert enter(make_api(make_gate(), rate_limits={"*": "off"}).test_client(), 5) == [200] * 5


def test_a_service_counts_under_a_name_and_key_of_its_own(make_api):
    with make_api(make_gate()).app_context():
        for _ in range(2):
            limits.hit("mail", "2 per hour", "ann@example.com")
        with pytest.raises(TooManyError):
            limits.look("mail", "2 per hour", "ann@example.com")
        with pytest.raises(TooManyError) as caught:
            limits.hit("mail", "2 per hour", "ann@example.com")
        assert caught.value.facts == {"limit": "mail"}
        limits.hit("mail", "2 per hour", "bob@example.com")


def test_a_window_ends(make_api):
    client = make_api(make_gate("2 per 1 second")).test_client()
    until = time.monotonic() + 30
    while enter(client) == [200] and time.monotonic() < until:
        pass
    while enter(client) == [429] and time.monotonic() < until:
        time.sleep(0.1)
    assert time.monotonic() < until


@pytest.mark.parametrize("text", ["60 per minute", "5 per 10 second", "1/day", "off"])
def test_a_rate_is_read(text):
    assert limits.is_rate(text)


@pytest.mark.parametrize("text", ["often", "per minute", "1 per fortnight", "-1 per minute"])
def test_what_is_no_rate_is_told(text):
    assert not limits.is_rate(text)
