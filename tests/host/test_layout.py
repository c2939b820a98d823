"""The layout keeps its promises: nothing shadows the standard library, nothing is left out."""

import configparser
import platform
import re
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


def test_the_source_roots_are_no_packages() -> None:
    assert not (ROOT / "platform" / "__init__.py").exists()
    assert not (ROOT / "plugins" / "__init__.py").exists()


def test_from_the_repository_root_the_standard_platform_is_imported() -> None:
    found = subprocess.run(
        [sys.executable, "-c", "import platform; print(platform.__file__, platform.system())"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert found.stdout.startswith(sysconfig.get_paths()["stdlib"])
    assert platform.system() in found.stdout


def test_the_list_of_host_packages_is_the_tree() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    listed = set(setup["options"]["packages"].split())
    folders = {
        ".".join(file.parent.relative_to(ROOT / "platform").parts)
        for file in (ROOT / "platform").rglob("__init__.py")
    }
    migrations = {
        ".".join(("torg", *file.parent.relative_to(ROOT).parts))
        for file in (ROOT / "migrations").rglob("__init__.py")
    }

    assert listed == folders | migrations


def test_the_host_holds_no_business_word() -> None:
    words = ("auction", "bidder", "shop", "cart", "autotrade", "dealer", "supplier")
    found = [
        f"{file.relative_to(ROOT)}: {word}"
        for file in (ROOT / "platform" / "torg").glob("*.py")
        for word in words
        if word in file.read_text("utf-8").lower()
    ]

    assert found == []


def test_source_files_stay_under_400_lines() -> None:
    folders = ["platform", "plugins", "migrations", "tests", "bench"]
    long = {
        str(file.relative_to(ROOT)): lines
        for folder in folders
        for file in (ROOT / folder).rglob("*.py")
        if (lines := len(file.read_text("utf-8").splitlines())) > 400
    }

    assert long == {}


def required() -> Iterator[Requirement]:
    """What the host, contracts, plugins and the tests need of others."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = setup["options"]["install_requires"].splitlines()
    lines += setup["options.extras_require"]["s3"].splitlines()
    lines += (ROOT / "requirements-dev.txt").read_text("utf-8").splitlines()
    for file in [*ROOT.glob("contracts/*/pyproject.toml"), *ROOT.glob("plugins/*/pyproject.toml")]:
        lines += tomllib.loads(file.read_text("utf-8"))["project"]["dependencies"]
    for line in lines:
        if line.strip() and not line.startswith(("#", "-")) and not line.startswith("torg"):
            yield Requirement(line)


def test_what_is_installed_was_tried_and_is_allowed() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pairs = (line.split("==") for line in lines if not line.startswith("#"))
    pinned = {canonicalize_name(name): version for name, version in pairs}
    wrong = [
        str(each)
        for each in required()
        if (version := pinned.get(canonicalize_name(each.name))) is None
        or not each.specifier.contains(version)
    ]

    assert wrong == []


def test_the_package_of_a_contract_has_the_version_that_is_provided() -> None:
    provided: dict[str, str] = {}
    for file in ROOT.glob("plugins/*/*/plugin.toml"):
        provided |= tomllib.loads(file.read_text("utf-8")).get("provides", {})
    packages = {
        file.parent.name: tomllib.loads(file.read_text("utf-8"))["project"]["version"]
        for file in ROOT.glob("contracts/*/pyproject.toml")
    }
    both = packages.keys() & provided.keys()

    assert {name: packages[name].rpartition(".")[0] for name in both} == {
        name: provided[name] for name in both
    }
    assert both


def pages() -> list[Path]:
    folders = ("docs", "plugins", "contracts", "examples")
    below = [page for folder in folders for page in (ROOT / folder).rglob("*.md")]
    return [*ROOT.glob("*.md"), *below]


def test_links_and_tests_that_pages_name_exist() -> None:
    missing = []
    for page in pages():
        text = page.read_text("utf-8")
        linked = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", text)
        named = re.findall(r"`(tests/[\w/]+\.py)`", text)
        missing += [f"{page}: {link}" for link in linked if not (page.parent / link).exists()]
        missing += [f"{page}: {name}" for name in named if not (ROOT / name).exists()]

    assert missing == []
