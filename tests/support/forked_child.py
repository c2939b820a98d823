"""Processes forked from one warm parent, killed at any time, whose lines are never lost."""

import os
import signal
import sys
import traceback
from collections.abc import Callable


class Child:
    """A forked process and the lines it writes."""

    def __init__(self, life: Callable[[], None]) -> None:
        self._status: int | None = None
        self.reading, writing = os.pipe()
        self.process = os.fork()
        if self.process == 0:
            os.dup2(writing, 1)
            code = 1
            try:
                life()
                sys.stdout.flush()
                code = 0
            except Exception:
                traceback.print_exc()
            finally:
                os._exit(code)
        os.close(writing)
        os.set_blocking(self.reading, False)
        self._rest = b""

    def lines(self) -> list[str]:
        """What it has written by now, whole lines."""
        while True:
            try:
                some = os.read(self.reading, 65536)
            except BlockingIOError:
                break
            if not some:
                break
            self._rest += some
        *whole, self._rest = self._rest.split(b"\n")
        return [line.decode() for line in whole]

    def has_failed(self) -> bool:
        """Whether it ended by an error of its own."""
        if self._status is None:
            ended, status = os.waitpid(self.process, os.WNOHANG)
            self._status = status if ended else None
        return bool(self._status)

    def wait(self) -> None:
        """Until it has ended."""
        if self._status is None:
            _, self._status = os.waitpid(self.process, 0)

    def kill(self) -> None:
        """`kill -9`."""
        if self._status is None:
            os.kill(self.process, signal.SIGKILL)
            self.wait()
