"""Addresses outside of `/api/v1` that a plugin claims in its manifest: their form and clashes.

Owns the rules by which `/products` may belong to a plugin. They are pure; claims are kept by
`torg.operations`. A claim covers its address and everything below it.
"""

import re
from collections.abc import Iterable, Mapping

_CLAIM = re.compile(r"(/[a-z0-9][a-z0-9._-]{0,59}){1,8}")
MOST_CLAIMS = 50


def is_claim(path: object) -> bool:
    """Whether this can be claimed: words of lower case after slashes, no slash at the end."""
    return isinstance(path, str) and _CLAIM.fullmatch(path) is not None


def covers(claim: str, address: str) -> bool:
    """Whether an address or rule stands at the claim or below it; a last slash means nothing."""
    bare = address.rstrip("/")
    return bare == claim or bare.startswith(f"{claim}/")


def clashes(
    claims: Iterable[str], reserved: str, taken: Mapping[str, str], host_rules: Iterable[str]
) -> list[str]:
    """What is wrong with claims, one sentence each.

    Args:
        claims: of one plugin.
        reserved: below this every plugin has its prefix already.
        taken: claims of other plugins, with whose they are.
        host_rules: routing rules of the host's own pages.
    """
    prefixes = [(reserved, "where every plugin has its prefix")]
    others = [(claim, f"plugin {owner}'s") for claim, owner in taken.items()]
    pages = [(rule.partition("<")[0].rstrip("/") or "/", "the host's own") for rule in host_rules]
    return [
        f"the root path {claim} clashes with {place}, which is {why}"
        for claim in claims
        for place, why in dict.fromkeys((*prefixes, *others, *pages))
        if covers(claim, place) or covers(place, claim)
    ]
