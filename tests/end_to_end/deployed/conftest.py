"""The deployment as compose describes it, started natively: the same files, the same commands.

gunicorn with `deploy/gunicorn.conf.py`, live streams, worker, scheduler and a catching mail server;
in front of it nginx with `deploy/nginx.conf`, where it is installed (Debian: `nginx-light`), and
gunicorn itself where it is not. Commands and variables are read from Dockerfile and
docker-compose.yml, so a mistake in these fails here. What it must do stands in the tests beside.
"""

from __future__ import annotations

import contextlib
import email
import email.message
import email.policy
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from aiosmtpd.controller import Controller

from torg.testing_processes import eventually, free_port
from torg.testing_servers import Environment

ROOT = Path(__file__).resolve().parents[3]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
PASSWORD = "a fine long sentence 42"
DATABASE = "torg_deployment"


@dataclass
class Answer:
    """One HTTP answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        """The body read as JSON."""
        return json.loads(self.body)


class Catcher:
    """Keeps every mail that arrives."""

    def __init__(self) -> None:
        self.mails: list[email.message.EmailMessage] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.mails.append(message)  # type: ignore[arg-type]
        return "250 kept"

    def to(self, address: str, words: str) -> list[email.message.EmailMessage]:
        """Mails to an address whose subject holds these words."""
        return [each for each in self.mails if address in each["To"] and words in each["Subject"]]


@dataclass
class Site:
    """A running deployment."""

    front: str
    web: str
    catcher: Catcher
    folder: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def ask(
        self, method: str, path: str, body: Any = None, *, base: str = "", **headers: str
    ) -> Answer:
        """Send a request to the front door (or to `base`)."""
        target = urlsplit(base or self.front)
        connection = http.client.HTTPConnection(str(target.hostname), target.port, timeout=30)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        content = None
        if body is not None:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        with contextlib.closing(connection):
            connection.request(method, path, content, sent)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())

    def raw(self, data: bytes, base: str = "") -> Answer:
        """Send bytes as they are."""
        target = urlsplit(base or self.front)
        with socket.create_connection((str(target.hostname), target.port), 30) as plain:
            plain.sendall(data)
            response = http.client.HTTPResponse(plain)
            response.begin()
            return Answer(response.status, response.headers, response.read())

    def is_problem(self, answer: Answer, status: int) -> bool:
        """Whether an answer is a whole problem document of that status with a request id."""
        assert answer.status == status, answer.body
        assert answer.headers["Content-Type"] == "application/problem+json", answer.body
        assert answer.json["status"] == status
        assert answer.json["request_id"] == answer.headers["X-Request-Id"]
        return {"type", "title", "code"} <= answer.json.keys()

    def workers(self) -> set[int]:
        """The process numbers of the web server's workers."""
        command = ["ps", "-o", "pid=", "--ppid", str(self.processes["web"].pid)]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        return {int(word) for word in found.stdout.split()}

    @contextlib.contextmanager
    def stream(self, path: str) -> Iterator[list[str]]:
        """The lines of a live stream as they come."""
        target = urlsplit(self.front)
        connection = http.client.HTTPConnection(str(target.hostname), target.port, timeout=60)
        connection.request("GET", path)
        response = connection.getresponse()
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/event-stream")
        lines: list[str] = []

        def read() -> None:
            with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
                while line := response.readline():
                    lines.append(line.decode().strip())

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        try:
            yield lines
        finally:
            with contextlib.suppress(OSError):
                if connection.sock is not None:
                    connection.sock.shutdown(socket.SHUT_RDWR)
            connection.close()
            reader.join(10)

    def sign_in(self, name: str) -> dict[str, str]:
        """Register, confirm by the mailed code, sign in; the headers to ask with."""
        address = f"{name}@example.com"
        account = {"username": name, "email": address, "password": PASSWORD}
        assert self.ask("POST", "/api/v1/auth/register", account).status == 201
        eventually(lambda: self.catcher.to(address, "is your code"), seconds=60)
        subject = str(self.catcher.to(address, "is your code")[0]["Subject"])
        code = {"email": address, "code": subject.split()[0]}
        assert self.ask("POST", "/api/v1/auth/verify-email", code).status == 200
        login = {"username": name, "password": PASSWORD}
        token = self.ask("POST", "/api/v1/auth/login", login).json["token"]
        return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def site(torg_environment: Environment) -> Iterator[Site]:
    folder = Path(tempfile.mkdtemp(prefix="torg-deployment-"))
    folder.chmod(0o755)
    catcher = Catcher()
    mail = Controller(catcher, hostname="127.0.0.1", port=free_port())
    mail.start()
    ports = {name: free_port() for name in ("web", "streams", "front")}
    front = f"http://127.0.0.1:{ports['front' if NGINX else 'web']}"
    site = Site(front, f"http://127.0.0.1:{ports['web']}", catcher, folder)
    url = torg_environment.create(DATABASE)
    facts = {
        "TORG_DATABASE_URL": url,
        "TORG_REDIS_URL": torg_environment.redis_url,
        "TORG_SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz",
        "TORG_BASE_URL": front,
        "TORG_MAIL_URL": f"smtp://127.0.0.1:{mail.port}",
        "TORG_DATA_DIR": str(folder / "data"),
        "TORG_PROXY_HOPS": "1" if NGINX else "0",
        "TORG_LOG_LEVEL": "warning",
    }
    try:
        _start_all(site, facts, ports)
        yield site
    finally:
        for process in reversed(site.processes.values()):
            process.send_signal(signal.SIGTERM)
        for process in site.processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(40)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        mail.stop()
        torg_environment.drop(DATABASE)
        shutil.rmtree(folder, ignore_errors=True)


def _start_all(site: Site, facts: dict[str, str], ports: dict[str, int]) -> None:
    """The services of docker-compose.yml that are ours, in its order."""
    migrate = _start(site, "migrate", facts)
    assert migrate.wait(120) == 0, _log(site, "migrate")
    _start(site, "web", facts | {"TORG_BIND": f"127.0.0.1:{ports['web']}"})
    _start(site, "streams", facts | {"TORG_BIND": f"127.0.0.1:{ports['streams']}"})
    _start(site, "worker", facts)
    _start(site, "scheduler", facts)
    if NGINX:
        _start_nginx(site, ports)

    def ready() -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return site.ask("GET", "/health/ready?strict=true").status == 200
        return False

    try:
        eventually(ready, seconds=120)
    except AssertionError as error:
        raise AssertionError("\n".join(_log(site, name) for name in site.processes)) from error


def _start(site: Site, service: str, facts: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start a service of docker-compose.yml with its own command and variables."""
    described = COMPOSE["services"][service]
    command = described.get("command") or _image_command()
    variables = {name: str(value) for name, value in described["environment"].items()}
    variables = {name: value for name, value in variables.items() if "$" not in value} | facts
    clean = {key: value for key, value in os.environ.items() if not key.startswith("TORG_")}
    words = [sys.executable, "-m", {"torg": "torg.cli"}.get(command[0], command[0]), *command[1:]]
    with (site.folder / f"{service}.log").open("wb") as log:
        process = subprocess.Popen(
            words,
            cwd=ROOT if command[0] == "gunicorn" else site.folder,
            env={**clean, "TORG_PLUGINS": "auth,auction", **variables},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    site.processes[service] = process
    return process


def _image_command() -> list[str]:
    """What the image does when nothing else is said: the last CMD of the Dockerfile."""
    found = re.findall(r"(?m)^CMD (\[.*\])$", (ROOT / "Dockerfile").read_text())
    command: list[str] = json.loads(found[-1])
    return command


def _start_nginx(site: Site, ports: dict[str, int]) -> None:
    """nginx with the deployment's file; only the two small included ones name our ports."""
    assert NGINX is not None
    prefix = site.folder / "proxy"
    prefix.mkdir()
    prefix.chmod(0o755)
    deploy = ROOT / "deploy"
    shutil.copy(deploy / "nginx.conf", prefix)
    listen = (deploy / "listen.conf").read_text()
    (prefix / "listen.conf").write_text(
        re.sub(r"(?m)^listen .*;", f"listen 127.0.0.1:{ports['front']};", listen)
    )
    upstreams = (deploy / "upstreams.conf").read_text()
    for name, number in (("web", 8000), ("streams", 8001)):
        assert f"server {name}:{number};" in upstreams
        upstreams = upstreams.replace(f"{name}:{number}", f"127.0.0.1:{ports[name]}")
    (prefix / "upstreams.conf").write_text(upstreams)
    words = [NGINX, "-p", str(prefix), "-c", str(prefix / "nginx.conf"), "-g", "daemon off;"]
    with (site.folder / "nginx.log").open("wb") as log:
        site.processes["nginx"] = subprocess.Popen(
            words, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )


def _log(site: Site, name: str) -> str:
    return f"--- {name}\n" + (site.folder / f"{name}.log").read_text("utf-8", "replace")[-3000:]
