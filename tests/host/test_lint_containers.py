"""Promises of the container lint: the files of the repository pass, and each rule bites."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = (
    "Dockerfile",
    "docker-compose.yml",
    ".dockerignore",
    ".env.example",
    "requirements.txt",
    "constraints.txt",
    "setup.cfg",
    "pyproject.toml",
    "README.md",
    "LICENSE",
)


@pytest.fixture(scope="module")
def lint() -> ModuleType:
    """The script as a module; it stands outside of every package."""
    found = importlib.util.spec_from_file_location("lint", ROOT / "deploy" / "lint_containers.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules["lint"] = module  # dataclasses look their module up there
    found.loader.exec_module(module)
    return module


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the deployment's files, to be spoiled."""
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    for name in ("platform", "migrations", "contracts", "plugins"):
        (tmp_path / name).mkdir()
    return tmp_path


def spoil(folder: Path, name: str, old: str, new: str) -> None:
    path = folder / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def texts(findings: list[Any]) -> str:
    return "\n".join(map(str, findings))


def test_the_files_of_the_repository_have_no_finding(lint: ModuleType) -> None:
    findings = [*lint.check_dockerfile(ROOT), *lint.check_compose(ROOT), *lint.check_nginx(ROOT)]
    assert findings == []


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("USER 10001:10001", "USER root", "needs USER with a number, not root"),
        ("USER 10001:10001\n", "", "needs USER with a number, not root"),
        ("FROM python:3.12-slim-bookworm\n", "FROM python\n", "name a version"),
        ("FROM python:3.12-slim-bookworm AS", "FROM python:latest AS", "name a version"),
        ("FROM build AS tests", "FROM biuld AS tests", "name a version"),
        ("COPY deploy/gunicorn", "ADD deploy/gunicorn", "COPY says what it does"),
        ('CMD ["gunicorn"', "CMD gunicorn #", "as a JSON list"),
        ("deploy/gunicorn.conf.py deploy", "deploy/nothing.py deploy", "not in the repository"),
        ("ENV PYTHONUNBUFFERED=1", "ENV SECRET_TOKEN=1", "can be read by whoever has the image"),
        ("WORKDIR /app", "WORKDIR app", "must be absolute"),
        ("RUN sed", "RUN apt-get install gcc; sed", "--no-install-recommends"),
        ("RUN sed", "RUN chmod 777 /; sed", "no chmod 777"),
    ],
)
def test_a_spoiled_dockerfile_is_found(
    lint: ModuleType, copy: Path, old: str, new: str, finding: str
) -> None:
    spoil(copy, "Dockerfile", old, new)
    assert finding in texts(lint.check_dockerfile(copy))


def test_a_distribution_that_would_not_get_into_the_image_is_found(
    lint: ModuleType, copy: Path
) -> None:
    with (copy / "requirements.txt").open("a") as file:
        file.write("-e elsewhere/new\n")
    assert "elsewhere/new would be missing" in texts(lint.check_dockerfile(copy))


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("    image: nginx:1.28-alpine\n", "    image: nginx\n", "names no version"),
        ("  mail:\n", "  mail:\n    privileged: true\n", "unwanted key privileged"),
        ("127.0.0.1:8025:8025", "8025:8025", "is open to the network"),
        ("  mail:\n", "  mail:\n    network_mode: host\n", "shares the machine's network"),
        ("redis: {condition: service_healthy}", "rdis: {condition: service_healthy}", "rdis"),
        (
            "    image: postgres:18-alpine\n    restart: unless-stopped\n",
            "    image: postgres:18\n",
            "no restart policy",
        ),
        ("./deploy:/etc/torg:ro", "./deploy:/etc/torg", "writable"),
        ("./deploy:/etc/torg:ro", "./nowhere:/etc/torg:ro", "not in the repository"),
        ("database:/var/lib", "datbase:/var/lib", "volume datbase is not declared"),
        ("TORG_WEB_THREADS:", "TORG_WEB_THREDS:", "unknown variable"),
        ('TORG_PROXY_HOPS: "1"', 'TORG_PROXY_HOPS: "many"', "TORG_PROXY_HOPS"),
        ("name: torg\n", "name: torg\nname: torg\n", "name stands twice"),
        ("${TORG_SECRET_KEY:?", "${TORG_OTHER_KEY:?", "TORG_OTHER_KEY must be set"),
    ],
)
def test_a_spoiled_compose_file_is_found(
    lint: ModuleType, copy: Path, old: str, new: str, finding: str
) -> None:
    spoil(copy, "docker-compose.yml", old, new)
    assert finding in texts(lint.check_compose(copy))


@pytest.mark.parametrize(
    ("name", "old", "new", "finding"),
    [
        ("nginx.conf", "proxy_buffering off;", "", "missing: proxy_buffering off"),
        ("nginx.conf", "$remote_addr;", "$proxy_add_x_forwarded_for;", "X-Forwarded-For"),
        ("nginx.conf", "include listen.conf;", "include gone.conf;", "includes gone.conf"),
        ("nginx.conf", "    server {", "    server {{", "braces do not match"),
        ("upstreams.conf", "web:8000", "web:9000", "upstream web:9000 is no service"),
        ("upstreams.conf", "streams:8001", "live:8001", "upstream live:8001 is no service"),
    ],
)
def test_a_spoiled_proxy_is_found(
    lint: ModuleType, copy: Path, name: str, old: str, new: str, finding: str
) -> None:
    spoil(copy / "deploy", name, old, new)
    assert finding in texts(lint.check_nginx(copy))


def test_findings_name_file_and_line(lint: ModuleType, copy: Path) -> None:
    spoil(copy, "Dockerfile", "WORKDIR /app", "WORKDIR app")
    line = (copy / "Dockerfile").read_text().splitlines().index("WORKDIR app") + 1
    assert f"Dockerfile:{line}: WORKDIR must be absolute" in texts(lint.check_dockerfile(copy))
