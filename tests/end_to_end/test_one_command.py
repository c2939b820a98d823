"""Promises of the one command: `torg demo` and `torg run all` in an empty folder, nothing else.

The pages that go on from there are played beside the same demo: what they say, happens.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from aiosmtpd.controller import Controller
from newcomer import RunningDemo, Terminal, open_terminal

from torg.testing_processes import eventually, free_port

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorials" / "first-ten-minutes.md"
SECRET = "0123456789abcdefghijklmnopqrstuvwxyz"
PASSWORD = "a fine long sentence 42"
DEMO_PASSWORD = "open-market-square"
NEXT = "-- next --"


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """A folder of this test alone."""
    with open_terminal() as terminal:
        yield terminal


@pytest.fixture(scope="module")
def shared() -> Iterator[RunningDemo]:
    with open_terminal() as terminal:
        yield RunningDemo(terminal, free_port())


@pytest.fixture
def demo(shared: RunningDemo) -> RunningDemo:
    """A demo that runs."""
    if shared.process is None or shared.process.poll() is not None:
        shared.start()
    return shared


def sign_in(base: str, username: str, password: str) -> requests.Response:
    body = {"username": username, "password": password}
    return requests.post(f"{base}/api/v1/auth/login", json=body, timeout=30)


def goods(base: str) -> list[Any]:
    """What the demo's auctions are, without what depends on the time."""
    items: list[Any] = []
    url = f"{base}/api/v1/auctions"
    cursor = None
    while cursor is not None or not items:
        query = {"limit": 100, "sort": "id", **({"cursor": cursor} if cursor else {})}
        page = requests.get(url, query, timeout=30).json()
        items += [[each["title"], each["starting_price"], each["owner"]] for each in page["items"]]
        cursor = page["next_cursor"]
    return items


def test_the_block_of_a_demo_is_true_word_by_word(demo: RunningDemo) -> None:
    assert "[FAIL]" not in demo.block
    addresses = re.findall(rf"(?m)^  \S.*?({demo.base}\S*)$", demo.block)
    assert len(addresses) >= 5
    for address in addresses:
        assert requests.get(address, timeout=30).status_code == 200, address
    password = re.search(r"password of everybody: (\S+)\)", demo.block)
    assert password is not None
    for username in ("admin", "seller", "buyer"):
        assert f"\n    {username} " in demo.block
        assert sign_in(demo.base, username, password[1]).status_code == 200
    for command in re.findall(r"(?m)^    (curl .*)$", demo.block):
        if " -N " not in command:
            words = ["/bin/sh", "-c", command.replace("curl", "curl -sf", 1)]
            assert subprocess.run(words, capture_output=True, check=False).returncode == 0, command


def test_a_demo_is_full_and_alive(demo: RunningDemo) -> None:
    assert len(goods(demo.base)) >= 30
    before = _bids(demo.base)
    eventually(lambda: _bids(demo.base) > before, seconds=90)


def test_commands_beside_a_running_demo_need_no_setting(demo: RunningDemo) -> None:
    jobs = demo.terminal.run("jobs", "list", "--json")
    assert jobs.returncode == 0, jobs.stderr
    assert demo.terminal.run("doctor").returncode == 0
    other_port = str(free_port())
    assert "already running" in demo.terminal.run("demo", "--port", other_port).stderr
    assert "the demo is running" in demo.terminal.run("demo", "--reset").stderr


def test_the_first_ten_minutes_are_as_written(demo: RunningDemo) -> None:
    script = "set -e\n" + f"\necho '{NEXT}'\n".join(marked_commands(TUTORIAL))

    done = play(demo, script)

    said = done.stdout.split(NEXT)
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert '"username":"newcomer"' in said[0]
    assert '"email_verified":true' in said[2]
    assert "own_auction" in said[4]
    assert "bid_too_low" in said[5]
    assert "seller" in said[6]
    assert "event: closed" in said[6]


@pytest.mark.parametrize("plugin", ["auction", "autotrade", "classic", "wallet"])
def test_the_first_commands_of_a_plugins_page_are_answered(demo: RunningDemo, plugin: str) -> None:
    commands = marked_commands(ROOT / "plugins" / plugin / "README.md")
    tokens = [
        f"{name}={sign_in(demo.base, name, DEMO_PASSWORD).json()['token']}"
        for name in ("admin", "seller", "buyer")
    ]
    # A refusal is a failure here: the pages show what works.
    strict = 'curl() { command curl --fail --silent --show-error "$@"; }'
    lines = ["set -eo pipefail", strict, *tokens, "token=$buyer", *commands]

    done = play(demo, "\n".join(lines))

    assert commands
    assert done.returncode == 0, (done.stdout, done.stderr)


def marked_commands(page: Path) -> list[str]:
    return re.findall(r"```sh test\n(.*?)```", page.read_text("utf-8"), re.DOTALL)


def play(demo: RunningDemo, script: str) -> subprocess.CompletedProcess[str]:
    """Type commands of a page as they stand there, at this demo's address."""
    script = re.sub(r"(http://127\.0\.0\.1|localhost):8000", demo.base, script)
    return subprocess.run(
        ["bash", "-c", script.replace(".venv/bin/python", sys.executable)],
        cwd=demo.terminal.folder,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )


def test_a_killed_demo_leaves_nothing_running_and_loses_nothing(demo: RunningDemo) -> None:
    account = {"username": "survivor", "email": "survivor@example.com", "password": PASSWORD}
    register = f"{demo.base}/api/v1/auth/register"
    made = requests.post(register, json=account, timeout=30)
    assert made.status_code == 201, made.text
    demo.end(signal.SIGKILL)
    eventually(lambda: demo.terminal.processes() == [], seconds=60)
    demo.start()
    assert "data of a former start" in demo.block
    again = requests.post(register, json=account, timeout=30)
    assert again.json()["code"] == "username_taken"


def test_ctrl_c_ends_everything_and_a_reset_gives_the_same_data_again(demo: RunningDemo) -> None:
    first = goods(demo.base)[:29]
    assert demo.end(signal.SIGINT) == 0
    assert demo.terminal.processes() == []
    # Files of a real deployment in the same folder; only what is said to the command itself counts.
    (demo.terminal.folder / ".env").write_text(
        "TORG_MAIL_URL=smtp://mail.example.org\nTORG_DATABASE_URL=postgresql://a@127.0.0.1:9/b\n"
    )
    (demo.terminal.folder / "torg.toml").write_text('plugins = ["auth"]\n')
    catcher = _Catcher()
    mail = Controller(catcher, hostname="127.0.0.1", port=free_port())
    mail.start()
    try:
        demo.start("--reset", TORG_MAIL_URL=f"smtp://127.0.0.1:{mail.port}")
        assert "data of a former start" not in demo.block
        assert "plugins: auth auction" in demo.block
        assert f"really sent, through 127.0.0.1:{mail.port}" in demo.block
        assert goods(demo.base)[:29] == first
        account = {"username": "reader", "email": "reader@example.com", "password": PASSWORD}
        requests.post(f"{demo.base}/api/v1/auth/register", json=account, timeout=30)
        eventually(lambda: "reader@example.com" in catcher.recipients, seconds=60)
        assert demo.end(signal.SIGTERM) == 0
    finally:
        mail.stop()


def _bids(base: str) -> int:
    query = {"limit": 100, "sort": "-id"}
    page = requests.get(f"{base}/api/v1/auctions", query, timeout=30).json()
    return sum(each["bid_count"] for each in page["items"])


class _Catcher:
    def __init__(self) -> None:
        self.recipients: list[str] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.recipients += envelope.rcpt_tos
        return "250 kept"


def test_a_folder_that_is_no_demos_is_not_removed(terminal: Terminal) -> None:
    precious = terminal.folder / "home" / "letter.txt"
    precious.parent.mkdir()
    precious.write_text("precious")
    result = terminal.run("demo", "--reset", "--dir", "home")
    assert result.returncode == 1
    assert "this is not the folder of a demo; nothing was removed" in result.stderr
    assert precious.read_text() == "precious"


def test_run_all_embeds_what_is_not_configured_and_others_join_it(terminal: Terminal) -> None:
    settings = {"TORG_SECRET_KEY": SECRET, "TORG_PLUGINS": "auth"}
    first, second = free_port(), free_port()
    everything = terminal.start("run", "all", "--port", str(first), **settings)
    _answers(everything, first)
    web = terminal.start("run", "web", "--port", str(second), **settings)
    _answers(web, second)
    account = {"username": "anna", "email": "anna@example.com", "password": PASSWORD}
    register = f"http://127.0.0.1:{first}/api/v1/auth/register"
    assert requests.post(register, json=account, timeout=30).status_code == 201
    assert sign_in(f"http://127.0.0.1:{second}", "anna", PASSWORD).status_code == 200
    refused = terminal.run("run", "all", "--port", str(free_port()), **settings)
    assert refused.returncode == 1
    assert "already running" in refused.stderr
    for process in (web, everything):
        process.send_signal(signal.SIGTERM)
        assert process.wait(90) == 0
    assert terminal.processes() == []


def _answers(process: subprocess.Popen[bytes], port: int) -> None:
    def live() -> bool:
        assert process.poll() is None
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"http://127.0.0.1:{port}/health/live", timeout=5).ok
        return False

    eventually(live, seconds=120)


def test_a_web_server_does_not_start_on_a_database_behind_the_code(
    terminal: Terminal, torg_environment: Any
) -> None:
    name = f"torg_behind_{os.getpid()}"
    settings = {
        "TORG_SECRET_KEY": SECRET,
        "TORG_DATABASE_URL": torg_environment.create(name),
        "TORG_REDIS_URL": torg_environment.redis_url,
    }
    refused = terminal.run("run", "web", "--port", str(free_port()), **settings)
    torg_environment.drop(name)
    assert refused.returncode == 1
    assert "the database is behind the code; not starting" in refused.stderr
    assert "torg db upgrade" in refused.stderr
