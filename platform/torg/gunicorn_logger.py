"""gunicorn's own lines in the shape of all others, from the very first one.

gunicorn sets up its handlers after it has read its settings; this class gives them up again for
those of `logs`.
"""

from __future__ import annotations

from typing import Any

from gunicorn import glogging

from torg import config, logs


class Logger(glogging.Logger):  # type: ignore[misc]
    """The `logger_class` of `gunicorn_config`."""

    def setup(self, cfg: Any) -> None:
        """Let every line flow into the root logger."""
        super().setup(cfg)
        host = config.load().host
        logs.configure(host.log_format, host.log_level)
