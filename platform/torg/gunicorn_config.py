"""How gunicorn serves Torg: `gunicorn -c python:torg.gunicorn_config "torg.app:create_app()"`.

Owns the web server's settings, drawn from Torg's own. Three kinds of processes use them, named by
`TORG_PROCESS`: `web` (requests, the default), `streams` (live streams, one thread each) and `all`
(both in one, where no proxy tells them apart). What nginx adds in front is `deploy/nginx.conf`'s.
"""

# gunicorn reads every module-level name that is one of its settings.
from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

from torg import config as _config
from torg import processes as _processes
from torg import server_problems as _server_problems

_host = _config.load().host
_process = os.environ.get(_processes.PROCESS, "web")
# Threads that a process of streams keeps free for health checks and the like.
_SPARE_THREADS = 8
# Several large answers; a few megabytes at most wait for the collector.
_NEW_OBJECTS = 20_000

bind = [_host.bind]
worker_class = "gthread"  # sync workers stand still for one slow client or one stream
workers = 1 if _process == "streams" else _host.web_workers
# Threads are made when they are needed, so a high number costs nothing while no stream is open.
threads = {
    "web": _host.web_threads,
    "streams": _host.stream_limit + _SPARE_THREADS,
    "all": _host.web_threads + _host.stream_limit,
}[_process]
if _process == "web":
    # Behind the proxy streams go elsewhere; those that come here all the same must not take every
    # thread.
    os.environ["TORG_STREAM_LIMIT"] = str(max(1, _host.web_threads // 2))
# A supervisor shares one folder among its processes; without one it is of this server alone.
if _processes.NUMBERS not in os.environ:
    os.environ[_processes.NUMBERS] = str(_processes.make_numbers_folder())

graceful_timeout = int(_host.shutdown_seconds)
timeout = 60  # of the worker's own main loop, not of a request
keepalive = 75  # longer than the proxy keeps an idle connection, so that the proxy closes first
backlog = 512
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - no disk waits

limit_request_line = 4096
limit_request_fields = 64
limit_request_field_size = 8190
header_map = "drop"  # X_Forwarded_For must never pass for X-Forwarded-For
forwarded_allow_ips = ""  # proxies are believed by the application, by exact count of hops
secure_scheme_headers: dict[str, str] = {}
control_socket_disable = True
logger_class = "torg.gunicorn_logger.Logger"
loglevel = _host.log_level
proc_name = f"torg-{_process}"


def on_starting(server: Any) -> None:
    """Before the first worker: the server's own refusals as problem+json."""
    del server
    _server_problems.install(_host.base_url)


def post_worker_init(worker: Any) -> None:
    """The worker has loaded the application: what is there now stays until its end.

    Looking through it again for every few hundred new objects, as Python does by default, took a
    quarter of the time of a list of fifty.
    """
    del worker
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, *gc.get_threshold()[1:])


def child_exit(server: Any, worker: Any) -> None:
    """After a worker ended: its live numbers go, its counters stay."""
    del server
    from torg import metrics

    metrics.forget_process(worker.pid)


def on_exit(server: Any) -> None:
    """At the end: the folder of numbers goes, if it was made here."""
    del server
    _processes.remove_numbers_folder(Path(os.environ[_processes.NUMBERS]))
