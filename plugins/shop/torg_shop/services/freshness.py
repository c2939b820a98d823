"""Answers of the catalogue, kept until anything of it changes.

Owns the one tag that every kept answer carries. Only what is the same for everybody is kept.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import flask
import orjson

from torg import cache, config
from torg_shop.settings import ShopSettings

TAG = "shop.catalogue"


def changed() -> None:
    """Forget what is kept, after the commit of the change that is under way."""
    cache.invalidate(TAG)


def answer(name: str, arguments: Mapping[str, Any], fill: Callable[[], bytes]) -> flask.Response:
    """The kept bytes, or those of `fill`, which are kept then.

    Args:
        name: of the route.
        arguments: everything the answer depends on.
        fill: makes the finished JSON.
    """
    seconds = config.plugin_settings("shop", ShopSettings).cache_seconds
    if seconds == 0:
        return flask.Response(fill(), mimetype="application/json")
    asked = orjson.dumps(dict(arguments), default=str, option=orjson.OPT_SORT_KEYS)
    key = f"shop:{name}:{hashlib.sha256(asked).hexdigest()}"
    body = cache.remember(key, lambda: fill().decode(), tags=(TAG,), seconds=seconds)
    return flask.Response(body, mimetype="application/json")
