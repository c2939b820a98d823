"""The reference pages are what the code says, and every hook has its contract."""

import inspect
import runpy
from pathlib import Path

import pytest

from torg import hookspecs

ROOT = Path(__file__).parents[2]
PAGES = runpy.run_path(str(ROOT / "docs" / "generate_reference.py"))["PAGES"]
HOOKS = [name for name in vars(hookspecs) if name.startswith("torg_")]


@pytest.mark.parametrize("page", PAGES)
def test_a_generated_page_is_up_to_date(page: str) -> None:
    kept = (ROOT / "docs" / "reference" / page).read_text("utf-8")

    assert kept == PAGES[page](), "run make docs and commit the result"


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_says_what_it_expects_and_when_it_is_called(hook: str) -> None:
    text = inspect.getdoc(getattr(hookspecs, hook)) or ""

    assert len(text.split()) >= 8
    assert text.split()[0] in {"Return", "Say", "Fill", "Forget", "Bring", "Called"}
