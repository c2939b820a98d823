"""Cookies that sign-in leaves in browsers. None of them opens anything by itself."""

from typing import Literal

import flask

from torg.config import settings

SIGN_IN_PATH = "/api/v1/auth/login"


def leave(name: str, value: str, seconds: int, same_site: Literal["Strict", "Lax"]) -> None:
    """Set a cookie with the present answer, sent back to the routes of sign-in only.

    `seconds` of 0 takes it away.
    """

    @flask.after_this_request
    def set_cookie(response: flask.Response) -> flask.Response:
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            path=SIGN_IN_PATH,
            secure=settings().host.base_url.startswith("https:"),
            httponly=True,
            samesite=same_site,
        )
        return response
