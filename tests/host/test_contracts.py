"""Services are found by name and version, or plainly not found."""

from typing import Any

import pytest

from torg import contracts
from torg.contracts import ContractMissingError, Service


@pytest.fixture
def app(make_app: Any) -> Any:
    app = make_app([])
    contracts.init(app).provide("stall", Service("scales", "1.4", "the scales"))
    return app


def test_a_service_is_found_by_name_and_version(app: Any) -> None:
    with app.app_context():
        assert contracts.require("scales", ">=1,<2") == "the scales"
        assert contracts.find("scales", ">=2") is None


def test_a_missing_service_of_need_is_an_error_that_names_it(app: Any) -> None:
    with app.app_context(), pytest.raises(ContractMissingError, match="ledger"):
        contracts.require("ledger")


def test_two_providers_are_both_named(app: Any) -> None:
    with pytest.raises(ValueError, match=r"stall.*other"):
        contracts.init(app).provide("other", Service("scales", "1.0", object()))


def test_what_a_failed_plugin_provided_is_taken_back(app: Any) -> None:
    contracts.init(app).withdraw("stall")

    with app.app_context():
        assert contracts.find("scales") is None
