"""Checks Dockerfile, docker-compose.yml and nginx.conf, with or without docker and nginx at hand.

    python deploy/lint_containers.py

Owns the rules below; each finding names file, line and mend. Where the real programs are installed
they have the last word: `docker compose config` and `nginx -t`. Exit code 1 when anything is found.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
COMPOSE_SECRETS = {"POSTGRES_PASSWORD": "x" * 40, "TORG_SECRET_KEY": "0123456789abcdef" * 3}
SERVICE_KEYS = frozenset(
    {"build", "cap_drop", "command", "depends_on", "entrypoint", "environment", "healthcheck"}
    | {"image", "init", "network_mode", "ports", "profiles", "read_only", "restart"}
    | {"security_opt", "shm_size", "stop_grace_period", "tmpfs", "user", "volumes"}
)
TOP_KEYS = frozenset({"name", "services", "volumes", "networks"})
PUBLIC_SERVICES = frozenset({"nginx"})
WORDS_OF_SECRETS = re.compile(r"(?i)(password|secret|token|private_key)")


@dataclass(frozen=True)
class Finding:
    """One broken rule."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        """As compilers write it, so that editors can jump there."""
        return f"{self.file}:{self.line}: {self.text}"


@dataclass(frozen=True)
class Instruction:
    """One instruction of a Dockerfile with its continued lines joined."""

    line: int
    name: str
    value: str


def main() -> int:
    """Print every finding; the exit code."""
    findings = [*check_dockerfile(ROOT), *check_compose(ROOT), *check_nginx(ROOT)]
    for finding in findings:
        print(finding)
    ran = [
        name for name, there in (("nginx", has_nginx()), ("docker compose", has_compose())) if there
    ]
    print(f"containers: {len(findings)} findings; also asked: {', '.join(ran) or 'nobody'}")
    return 1 if findings else 0


# --- Dockerfile


def instructions(text: str) -> Iterator[Instruction]:
    """The instructions of a Dockerfile in order."""
    whole, first = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#") or (not line.strip() and not whole):
            continue
        first = first or number
        whole += line.removesuffix("\\") + " "
        if not line.endswith("\\"):
            name, _, value = whole.strip().partition(" ")
            yield Instruction(first, name.upper(), value.strip())
            whole, first = "", 0


def check_dockerfile(root: Path) -> list[Finding]:
    """Small, repeatable images that run as nobody in particular."""
    found = list(instructions((root / "Dockerfile").read_text()))
    stages = [each for each in found if each.name == "FROM"]
    named = {each.value.split(" AS ")[-1] for each in stages if " AS " in each.value}
    findings = [
        Finding("Dockerfile", each.line, text)
        for each in found
        if not (each.name == "FROM" and each.value.split()[0] in named)
        for text in _problems(each, root)
    ]
    _, names = list(_split(found))[-1]
    if len(stages) < 2:
        findings.append(Finding("Dockerfile", 1, "one stage only: compilers would ship with it"))
    for start, stage in _split(found):
        user = stage.get("USER")
        runs = {"CMD", "ENTRYPOINT"} & set(stage)
        if runs and (user is None or not re.fullmatch(r"[1-9]\d*(:[1-9]\d*)?", user.value)):
            line = user.line if user else start
            text = "a stage that runs needs USER with a number, not root"
            findings.append(Finding("Dockerfile", line, text))
    findings += [Finding(".dockerignore", 1, text) for text in _missing_distributions(root)]
    findings += [
        Finding("Dockerfile", stages[-1].line, f"the last stage has no {name}")
        for name in ("HEALTHCHECK", "CMD", "WORKDIR")
        if name not in names
    ]
    return findings


def _split(found: list[Instruction]) -> Iterator[tuple[int, dict[str, Instruction]]]:
    """Each stage: the line where it begins, and its last instruction of each name."""
    starts = [place for place, each in enumerate(found) if each.name == "FROM"]
    for start, end in zip(starts, [*starts[1:], len(found)], strict=True):
        yield found[start].line, {each.name: each for each in found[start:end]}


def _missing_distributions(root: Path) -> Iterator[str]:
    """The image is built of what requirements.txt names; each folder of it must get in."""
    allowed = (root / ".dockerignore").read_text().splitlines()
    for path in re.findall(r"(?m)^-e (\S+)", (root / "requirements.txt").read_text()):
        folder = "platform" if path == "." else path.split("/")[0]
        if f"!{folder}" not in allowed:
            yield f"{path} would be missing in the image; let !{folder} in"


def _problems(each: Instruction, root: Path) -> Iterator[str]:
    value = each.value
    if each.name == "FROM":
        image = value.split()[0]
        if "@sha256:" not in image and (":" not in image or image.endswith(":latest")):
            yield f"{image}: name a version, not the latest"
    elif each.name == "ADD":
        yield "COPY says what it does; ADD unpacks and downloads"
    elif each.name in {"CMD", "ENTRYPOINT"} and not _is_list(value):
        yield f"{each.name} as a JSON list, so that signals reach the program and not a shell"
    elif each.name == "HEALTHCHECK" and not _is_list(value.partition("CMD")[2]):
        yield "HEALTHCHECK CMD as a JSON list: the image may have no shell"
    elif each.name in {"ENV", "ARG"} and WORDS_OF_SECRETS.search(value.split("=")[0]):
        yield "a secret in the image can be read by whoever has the image"
    elif each.name == "WORKDIR" and not value.startswith("/"):
        yield "WORKDIR must be absolute"
    elif each.name == "COPY" and "--from" not in value:
        for source in value.split()[:-1]:
            if not source.startswith(("--", ".")) and not list(root.glob(source)):
                yield f"{source} is not in the repository"
    elif each.name == "RUN":
        yield from _shell_problems(value)


def _shell_problems(command: str) -> Iterator[str]:
    if "apt-get install" in command and "--no-install-recommends" not in command:
        yield "apt-get install --no-install-recommends"
    if "apt-get install" in command and "rm -rf /var/lib/apt/lists" not in command:
        yield "remove /var/lib/apt/lists in the same RUN"
    if re.search(
        r"\bsudo\b|apt-get (dist-)?upgrade|chmod (-R )?777|curl [^|]*\| *(ba)?sh", command
    ):
        yield "no sudo, no upgrade, no chmod 777, no script from the network"


def _is_list(text: str) -> bool:
    try:
        return isinstance(json.loads(text), list)
    except ValueError:
        return False


# --- docker-compose.yml


class _Strict(yaml.SafeLoader):
    """Refuses a key that stands twice, where YAML would silently take the last."""


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [key.value for key, _ in node.value if key.value != "<<"]
    for key in keys:
        if keys.count(key) > 1:
            raise yaml.constructor.ConstructorError(
                None, None, f"{key} stands twice", node.start_mark
            )
    loader.flatten_mapping(node)
    return yaml.constructor.SafeConstructor.construct_mapping(loader, node, deep=True)


_Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def check_compose(root: Path) -> list[Finding]:
    """Every service healthy by a check, pinned, unprivileged and reachable only where meant."""
    text = (root / "docker-compose.yml").read_text()
    try:
        document = yaml.load(text, Loader=_Strict)  # noqa: S506 - a subclass of the safe loader
    except yaml.YAMLError as error:
        return [Finding("docker-compose.yml", 1, str(error).replace("\n", " "))]
    problems = [
        f"unknown key {key}" for key in document if key not in TOP_KEYS and not key.startswith("x-")
    ]
    for name, service in document["services"].items():
        problems += [f"{name}: {text}" for text in _service_problems(name, service, document, root)]
    problems += _missing_examples(text, root)
    if has_compose():
        environment = {**os.environ, **COMPOSE_SECRETS}
        command = ["docker", "compose", "--file", str(root / "docker-compose.yml"), "config", "-q"]
        result = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        )
        problems += [result.stderr.strip()] if result.returncode else []
    lines = text.splitlines()
    return [Finding("docker-compose.yml", _line_of(lines, each), each) for each in problems]


def _service_problems(
    name: str, service: dict[str, Any], document: dict[str, Any], root: Path
) -> Iterator[str]:
    for key in set(service) - SERVICE_KEYS:
        yield f"unknown or unwanted key {key}"
    image = service.get("image", "")
    if ":" not in image or image.endswith(":latest"):
        yield f"image {image!r} names no version"
    if "healthcheck" not in service and "build" not in service:
        yield "no healthcheck"
    if "restart" not in service:
        yield "no restart policy"
    if "network_mode" in service and "local" not in service.get("profiles", ()):
        yield "shares the machine's network; only the profile local may"
    yield from _dependency_problems(service, document)
    yield from _volume_problems(service, document, root)
    for port in service.get("ports", ()):
        if name not in PUBLIC_SERVICES and not str(port).startswith("127.0.0.1:"):
            yield f"port {port} is open to the network; write 127.0.0.1:{port}"
    yield from _setting_problems(service)


def _dependency_problems(service: dict[str, Any], document: dict[str, Any]) -> Iterator[str]:
    for other, rule in service.get("depends_on", {}).items():
        target = document["services"].get(other)
        if target is None:
            yield f"depends on {other}, which does not exist"
        elif rule["condition"] == "service_healthy" and not {"healthcheck", "build"} & set(target):
            yield f"waits for {other} to be healthy, which has no check"


def _volume_problems(
    service: dict[str, Any], document: dict[str, Any], root: Path
) -> Iterator[str]:
    for volume in service.get("volumes", ()):
        source = volume.split(":")[0]
        if source.startswith("."):
            if not (root / source).exists():
                yield f"mounts {source}, which is not in the repository"
            if not volume.endswith(":ro"):
                yield f"mounts {source} writable"
        elif source not in document.get("volumes", {}):
            yield f"volume {source} is not declared"


def _setting_problems(service: dict[str, Any]) -> Iterator[str]:
    """The TORG_ variables must be settings of the host, with values that it takes."""
    if "build" not in service or "environment" not in service:
        return
    from torg import config

    variables = {
        name: re.sub(r"\$\{(\w+)(?::[-?]([^}]*))?\}", _filled, str(value))
        for name, value in service.get("environment", {}).items()
    }
    with tempfile.TemporaryDirectory() as empty:
        reading = config.read({**variables, "TORG_DATA_DIR": empty}, empty)
    yield from (f"{problem.name}: {problem.message}" for problem in reading.problems)


def _filled(match: re.Match[str]) -> str:
    return COMPOSE_SECRETS.get(match[1]) or match[2] or ""


def _missing_examples(text: str, root: Path) -> Iterator[str]:
    example = (root / ".env.example").read_text()
    for name in sorted(set(re.findall(r"\$\{(\w+):\?", text))):
        if not re.search(rf"^{name}=", example, re.MULTILINE):
            yield f"{name} must be set but is not in .env.example"


def _line_of(lines: list[str], problem: str) -> int:
    name = problem.partition(":")[0]
    return next((n for n, line in enumerate(lines, 1) if line.strip() == f"{name}:"), 1)


def has_compose() -> bool:
    """Whether `docker compose` can be asked (its daemon is not needed)."""
    if shutil.which("docker") is None:
        return False
    answer = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    return answer.returncode == 0


# --- nginx.conf


def check_nginx(root: Path) -> list[Finding]:
    """The proxy's promises, read from its file, and its syntax by nginx itself."""
    text = (root / "deploy" / "nginx.conf").read_text()
    bare = re.sub(r"(?m)^\s*#.*$", "", text)
    problems = [f"missing: {words}" for words in NGINX_MUST_HAVE if not _says(bare, words)]
    if bare.count("{") - bare.count("}"):
        problems.append("braces do not match")
    problems += [
        f"includes {name}, which is not there"
        for name in re.findall(r"(?m)^\s*include\s+(\S+);", bare)
        if not (root / "deploy" / name).is_file()
    ]
    services = yaml.safe_load((root / "docker-compose.yml").read_text())["services"]
    upstreams = (root / "deploy" / "upstreams.conf").read_text()
    for host, port in re.findall(r"(?m)^\s*server (\S+):(\d+);", upstreams):
        bind = services.get(host, {}).get("environment", {}).get("TORG_BIND", "0.0.0.0:8000")
        if host not in services or not bind.endswith(f":{port}"):
            problems.append(f"upstream {host}:{port} is no service of docker-compose.yml")
    if has_nginx():
        problems += ask_nginx(root)
    return [Finding("deploy/nginx.conf", 1, problem) for problem in problems]


NGINX_MUST_HAVE = (
    "server_tokens off",
    "client_max_body_size",
    "client_header_timeout",
    "client_body_timeout",
    "large_client_header_buffers",
    "proxy_buffering off",
    "proxy_next_upstream off",
    "proxy_set_header X-Forwarded-For $remote_addr",
    "proxy_set_header X-Forwarded-Proto $scheme",
    "proxy_set_header X-Request-Id $torg_request_id",
    'proxy_set_header Forwarded ""',
    "proxy_pass http://torg_web",
    "proxy_pass http://torg_streams",
    "application/problem+json",
    "error_page 400 405 408 411 413 414 500 502 503 504",
)


def _says(text: str, words: str) -> bool:
    return re.search(r"\s+".join(map(re.escape, words.split())), text) is not None


def has_nginx() -> bool:
    """Whether nginx itself can be asked."""
    return shutil.which("nginx") is not None


def ask_nginx(root: Path) -> list[str]:
    """`nginx -t` on a copy whose upstreams need no name service."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in ("nginx.conf", "listen.conf"):
            shutil.copy(root / "deploy" / name, copy)
        upstreams = (root / "deploy" / "upstreams.conf").read_text()
        (copy / "upstreams.conf").write_text(re.sub(r"server \w+:", "server 127.0.0.1:", upstreams))
        command = ["nginx", "-t", "-q", "-p", folder, "-c", str(copy / "nginx.conf")]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    return [result.stderr.strip()] if result.returncode else []


if __name__ == "__main__":
    sys.exit(main())
