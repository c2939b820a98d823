"""Services that one plugin offers and others use by name and version, without importing it.

Owns the registry of one application. Who provides and who consumes is declared in manifests and
checked at start by `torg.plugins`; the Protocols of contracts that the host itself needs stand in
`torg.identity`.
"""

from dataclasses import dataclass
from typing import Any

from flask import current_app
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from torg.errors import UnavailableError


@dataclass(frozen=True, slots=True)
class Service:
    """An implementation of a contract, as the hook `torg_services` returns it."""

    contract: str
    version: str
    implementation: object


class ContractMissingError(UnavailableError):
    """A feature that this needs is switched off or could not be loaded on this server."""

    code = "contract_missing"
    title = "A needed feature is off"
    detail = "This needs the service {contract}, which no active plugin provides."


class Contracts:
    """The services of one application, by contract name."""

    def __init__(self) -> None:
        self._services: dict[str, tuple[str, Service]] = {}

    def provide(self, plugin: str, service: Service) -> None:
        """Enter a service.

        Raises:
            ValueError: another plugin provides this contract already.
        """
        present = self._services.get(service.contract)
        if present is not None:
            message = f"contract {service.contract!r} is provided by both {present[0]} and {plugin}"
            raise ValueError(message)
        self._services[service.contract] = (plugin, service)

    def withdraw(self, plugin: str) -> None:
        """Take back all that a plugin provided (it failed later in its start)."""
        self._services = {
            name: entry for name, entry in self._services.items() if entry[0] != plugin
        }

    def find(self, contract: str, versions: str = "") -> Any | None:
        """The implementation, or None when no active plugin provides it in these versions."""
        entry = self._services.get(contract)
        if entry is None:
            return None
        fits = not versions or SpecifierSet(versions).contains(
            Version(entry[1].version), prereleases=True
        )
        return entry[1].implementation if fits else None


def init(app: Any) -> Contracts:
    """Give the application its own empty registry."""
    registry: Contracts = app.extensions.setdefault("torg.contracts", Contracts())
    return registry


def find(contract: str, versions: str = "") -> Any | None:
    """The implementation of a contract of optional need, or None."""
    registry: Contracts = current_app.extensions["torg.contracts"]
    return registry.find(contract, versions)


def require(contract: str, versions: str = "") -> Any:
    """The implementation of a contract.

    Raises:
        ContractMissingError: no active plugin provides it.
    """
    service = find(contract, versions)
    if service is None:
        raise ContractMissingError(contract=contract)
    return service
