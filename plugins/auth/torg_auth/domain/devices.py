"""A name for a device, out of what it says of itself."""

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


def device_label(user_agent: str | None) -> str:
    """A few words by which the owner recognises a session, such as `Firefox on Linux`."""
    text = user_agent or ""
    system = next((name for mark, name in _SYSTEMS if mark in text), None)
    browser = next((name for mark, name in _BROWSERS if mark in text), None)
    if browser is None:
        product = _PRODUCT.match(text)
        browser = product.group() if product else "Unknown device"
    return f"{browser} on {system}" if system else browser
