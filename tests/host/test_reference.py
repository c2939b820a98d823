"""The reference pages are what the code says, and every hook has its contract."""

import inspect
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from torg import hookspecs

ROOT = Path(__file__).parents[2]
GENERATOR = ROOT / "docs" / "generate_reference.py"
PAGES = list(runpy.run_path(str(GENERATOR))["PAGES"])
HOOKS = [name for name in vars(hookspecs) if name.startswith("torg_")]


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # A process of its own: other tests load broken plugins and commands of other programs.
    folder = tmp_path_factory.mktemp("repository") / "docs" / "reference"
    subprocess.run([sys.executable, str(GENERATOR), str(folder)], check=True, timeout=120)
    return folder


@pytest.mark.parametrize("page", PAGES)
def test_a_generated_page_is_up_to_date(generated: Path, page: str) -> None:
    kept = (ROOT / "docs" / "reference" / page).read_text("utf-8")

    assert kept == (generated / page).read_text("utf-8"), "run make docs and commit the result"


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_says_what_it_expects_and_when_it_is_called(hook: str) -> None:
    text = inspect.getdoc(getattr(hookspecs, hook)) or ""

    assert len(text.split()) >= 8
    assert text.split()[0] in {"Return", "Say", "Fill", "Forget", "Bring", "Called"}
