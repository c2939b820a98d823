"""Real worker and scheduler processes for tests, forked from one warm parent to be quick.

Reads one command a line from standard input, writes one line of answer: `worker` or `scheduler`
answers the process id of a new child. Ends with its input, and takes every child along.

    python work_farm.py DATABASE_URL REDIS_URL [queue,queue]
"""

import contextlib
import ctypes
import os
import signal
import sys

import work_plugin

from torg.scheduler import Timekeeper
from torg.worker import Worker

_libc = ctypes.CDLL(None)


def be(kind: str, database_url: str, redis_url: str, queues: list[str]) -> None:
    """The life of a child."""
    _libc.prctl(1, signal.SIGKILL, 0, 0, 0)  # die with the parent, whatever happens to it
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    with_schedules = "schedules" in queues
    app = work_plugin.build(
        database_url,
        redis_url,
        with_schedules=with_schedules,
        log_level=os.environ.get("WORK_LOG", "error"),
    )
    if kind == "scheduler":
        Timekeeper(app).run()
    else:
        Worker(app, [queue for queue in queues if queue != "schedules"]).run()


def main(database_url: str, redis_url: str, queues: str = "") -> None:
    """Obey until the input ends."""
    children = []
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            try:
                be(line.strip(), database_url, redis_url, [q for q in queues.split(",") if q])
            except BaseException:
                import traceback

                traceback.print_exc()
            finally:
                os._exit(0)
        children.append(child)
        print(child, flush=True)
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


if __name__ == "__main__":
    main(*sys.argv[1:])
