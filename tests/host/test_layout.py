"""The layout keeps its promises: nothing shadows the standard library, nothing is left out."""

import configparser
import platform
import subprocess
import sys
import sysconfig
from pathlib import Path

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
