"""Where a request comes from: the unit in which addresses are counted, and a name for a device."""

import ipaddress
import re

_BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("YaBrowser/", "Yandex Browser"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
_PRODUCT = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,39}")

UNKNOWN_PLACE = "unknown"


def place_of(address: str | None) -> str:
    """The unit in which an address is counted: an IPv4 address, or the /64 of an IPv6 one.

    A household or a rented server has a whole /64, so counting single IPv6 addresses limits nobody.
    """
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return UNKNOWN_PLACE
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        network = ipaddress.IPv6Network((int(found) >> 64 << 64, 64))
        return str(network)
    return str(found)


def device_label(user_agent: str | None) -> str:
    """A few words by which the owner recognises a session, such as `Firefox on Linux`."""
    text = user_agent or ""
    system = next((name for mark, name in _SYSTEMS if mark in text), None)
    browser = next((name for mark, name in _BROWSERS if mark in text), None)
    if browser is None:
        product = _PRODUCT.match(text)
        browser = product.group() if product else "Unknown device"
    return f"{browser} on {system}" if system else browser
