"""The test kit's fault proxy: a TCP relay that can hang, refuse, delay or cut.

Owns the relay alone. Put it between the host and PostgreSQL, Redis, SMTP or whatever, and switch
its mode while the test runs.
"""

import contextlib
import select
import socket
import threading
import time
from typing import Literal, Self

Mode = Literal["pass", "hang", "refuse", "delay"]


class FaultProxy:
    """Relays connections to `target` (`(host, port)` or the path of a Unix socket).

    Modes: "pass" relays; "hang" accepts and says nothing more, on old connections too; "refuse"
    cuts every connection at once; "delay" waits `delay_seconds` before each piece.
    """

    def __init__(self, target: tuple[str, int] | str) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._mode: Mode = "pass"
        self._open: set[socket.socket] = set()
        self._ended = threading.Event()
        self.delay_seconds = 0.0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> tuple[str, int]:
        """Where to connect instead of the target."""
        host, port = self._listener.getsockname()[:2]
        return str(host), int(port)

    def mode(self, mode: Mode, *, delay_seconds: float = 0.0) -> None:
        """Switch; "refuse" also cuts what is open."""
        self.delay_seconds = delay_seconds
        self._mode = mode
        if mode == "refuse":
            self.cut()

    def cut(self) -> None:
        """Break every open connection now."""
        for each in list(self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._open.clear()

    def close(self) -> None:
        """End the relay."""
        self._ended.set()
        # A listener that is only closed keeps its accept() waiting in the other thread.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._mode == "refuse":
                near.close()
                continue
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        try:
            far = self._connect()
        except OSError:
            near.close()
            return
        self._open |= {near, far}
        try:
            self._relay(near, far)
        except (OSError, ValueError):
            return
        finally:
            for each in (near, far):
                self._open.discard(each)
                each.close()

    def _connect(self) -> socket.socket:
        if isinstance(self._target, str):
            far = socket.socket(socket.AF_UNIX)
            far.connect(self._target)
            return far
        return socket.create_connection(self._target, timeout=5)

    def _hangs(self) -> bool:
        return self._mode == "hang"

    def _relay(self, near: socket.socket, far: socket.socket) -> None:
        while not self._ended.is_set():
            if self._hangs():
                time.sleep(0.02)
                continue
            ready, _, _ = select.select([near, far], [], [], 0.1)
            for source in ready:
                if self._hangs():
                    break
                piece = source.recv(65536)
                if not piece:
                    return
                if self._mode == "delay":
                    time.sleep(self.delay_seconds)
                (far if source is near else near).sendall(piece)
