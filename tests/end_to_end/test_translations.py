"""Every text of every plugin exists in Russian: messages, refusals and their explanations."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from torg import i18n, problem_pages, translatable
from torg.errors import TorgError, catalogue
from torg.testing import AppMaker

PLUGINS = ["auth", "auction", "wallet", "autotrade", "shop", "classic", "stats"]
# Types alone: whoever provides the contract translates what they say.
CONTRACTS = ["torg_ledger", "torg_accounts", "torg_catalogue"]


@pytest.fixture(scope="module")
def app(torg_environment: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Everything that is built in."""
    maker = AppMaker(torg_environment, tmp_path_factory.mktemp("texts"))
    yield maker(PLUGINS)
    maker.close()


def folder_of(package: str) -> Path:
    return Path(importlib.import_module(package).__file__ or "").parent


def refusals_of(package: str) -> list[type[TorgError]]:
    # Other tests of this process make pretend plugins, whose errors are in the catalogue too.
    found = [each for each in catalogue().values() if each.__module__.split(".")[0] == package]
    assert found or package in {"torg_accounts", "torg_catalogue", "torg_classic"}
    return found


def words_of(package: str) -> list[str]:
    return [
        text
        for each in refusals_of(package)
        for text in (each.title, each.detail, problem_pages.explanation(each))
    ]


@pytest.mark.parametrize("package", ["torg", *(f"torg_{name}" for name in PLUGINS)])
def test_a_package_brings_the_russian_of_its_texts_and_refusals(app: Any, package: str) -> None:
    catalogues = [folder / "translations" for folder in (folder_of(package), folder_of("torg"))]
    with app.app_context():
        assert translatable.untranslated(folder_of(package)) == []
        assert i18n.untranslated("ru", words_of(package), catalogues) == []


@pytest.mark.parametrize("package", CONTRACTS)
def test_what_a_contract_says_is_translated_by_its_provider(app: Any, package: str) -> None:
    with app.app_context():
        texts = [*translatable.texts(folder_of(package)), *words_of(package)]
        assert i18n.untranslated("ru", texts) == []
