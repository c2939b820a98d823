"""`plugin.toml` is read without importing code, and never takes the host down."""

import sys
from pathlib import Path

import pytest

from torg import manifest

GOOD = """
name = "stall"
title = "Stall"
url_prefix = "stall"
requires = { auth = ">=0.1" }
consumes = { users = ">=1", ledger = { range = ">=1", optional = true } }
[permissions]
"stall.item.create" = { title = "Put an item up", roles = ["user"] }
"""


def read(tmp_path: Path, text: str) -> manifest.Manifest:
    (tmp_path / "plugin.toml").write_text(text, encoding="utf-8")
    return manifest.read(tmp_path, "torg_stall", "1.0", "stall")


def test_a_good_manifest_is_read_whole(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD)

    assert found.problem is None
    assert found.requires == {"auth": ">=0.1"}
    assert found.consumes["ledger"].optional
    assert found.permissions[0].roles == ("user",)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("name = ", "plugin.toml of torg_stall is wrong"),
        ('name = "other"\ntitle = "x"', "name must be 'stall'"),
        ('name = "stall"', "title is missing"),
        ('name = "stall"\ntitle = "x"\nurl_prefx = "y"', "url_prefx"),
        ('name = "stall"\ntitle = "x"\nrequires = { auth = "one" }', "requires.auth"),
        ('name = "stall"\ntitle = "x"\nurl_prefix = "Bad/Prefix"', "kebab-case"),
        (
            'name = "stall"\ntitle = "x"\n[permissions]\n"auth.user.delete" = {roles = ["user"]}',
            "stall.<noun>.<verb>",
        ),
        ('name = "stall"\ntitle = "x"\nafter = "auth"', "list of plugin names"),
        ('name = "stall"\ntitle = ["x"]', "title must be a text"),
        ('name = "stall"\ntitle = "x"\ndocs = ["README.md"]', "docs must be a text"),
        ('name = "stall"\ntitle = "x"\nprovides = { till = "one" }', "provides.till"),
        ('name = "stall"\ntitle = "x"\nprovides = { till = 1 }', "provides.till"),
        (
            'name = "stall"\ntitle = "x"\nconsumes = { till = { range = ">=1", optional = "no" } }',
            "consumes.till.optional must be true or false",
        ),
        (
            'name = "stall"\ntitle = "x"\nconsumes = { till = { versions = ">=1" } }',
            "consumes.till: unknown keys ['versions']",
        ),
        (
            'name = "stall"\ntitle = "x"\n[permissions]\n"stall.item.sell" = { role = ["user"] }',
            "permission 'stall.item.sell': unknown keys ['role']; allowed are ['roles', 'title']",
        ),
        (
            'name = "stall"\ntitle = "x"\n[permissions]\n"stall.item.sell" = { roles = [1] }',
            "list of names",
        ),
    ],
)
def test_a_wrong_manifest_says_what_is_wrong(tmp_path: Path, text: str, named: str) -> None:
    assert named in (read(tmp_path, text).problem or "")


def test_a_missing_manifest_is_a_problem_and_no_exception(tmp_path: Path) -> None:
    found = manifest.read(tmp_path, "torg_stall", "1.0", "stall")

    assert "there is no plugin.toml" in (found.problem or "")


def test_discovery_finds_the_built_in_plugins_without_importing_them() -> None:
    before = set(sys.modules)

    names = {each.name for each in manifest.discover()}

    assert {"auth", "auction"} <= names
    assert not {name for name in set(sys.modules) - before if name.startswith("torg_")}
