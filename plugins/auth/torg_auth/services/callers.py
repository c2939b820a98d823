"""Where a call comes from: noted in sessions and security events, and the unit of counting."""

from dataclasses import dataclass

from flask import has_request_context, request

from torg import logs
from torg.limits import network_of
from torg_auth.domain.devices import device_label

DEVICE_COOKIE = "torg_device"


@dataclass(frozen=True, slots=True)
class Caller:
    """The network address, device and request behind a call.

    `place` is the address or, for IPv6, its /64: the unit in which callers are counted. `device` is
    the signed mark that the device kept from an earlier sign-in, if it sent one.
    """

    address: str
    place: str
    device_label: str
    request_id: str
    device: str | None = None


def present_caller() -> Caller:
    """Who calls in the present request; outside of one it is the command line."""
    request_id = (logs.request_id() or "")[:128]
    if not has_request_context():
        return Caller("", "local", "Command line", request_id)
    return Caller(
        address=(request.remote_addr or "")[:45],
        place=network_of(request.remote_addr),
        device_label=device_label(request.headers.get("User-Agent")),
        request_id=request_id,
        device=request.cookies.get(DEVICE_COOKIE),
    )
