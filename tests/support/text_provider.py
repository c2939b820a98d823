"""A provider of text messages for tests: a real server that behaves or misbehaves on demand."""

import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Provider:
    """What came in, and how the next calls are answered.

    `mode` is a status to answer with, `hang` to accept and be silent, `drip` to send a byte now and
    then for ever, `garbage` to answer something that is not HTTP.
    """

    mode: str = "202"
    calls: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    port: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/messages?account=7"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        provider: Provider = self.server.provider  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        provider.calls.append((dict(self.headers.items()), body))
        if provider.mode == "hang":
            provider.released.wait(30)
        elif provider.mode == "drip":
            self._drip(provider)
        elif provider.mode == "garbage":
            self.wfile.write(b"not HTTP at all\r\n\r\n")
        else:
            self.send_response(int(provider.mode))
            if provider.mode.startswith("3"):
                self.send_header("Location", provider.url)
            self.send_header("Content-Length", "0")
            self.end_headers()
        self.close_connection = True

    def _drip(self, provider: Provider) -> None:
        end = time.monotonic() + 30
        try:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while time.monotonic() < end and not provider.released.is_set():
                self.wfile.write(b"X")
                self.wfile.flush()
                provider.released.wait(0.1)
        except OSError:
            pass

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


class RunningProvider:
    """Runs a provider for the time of a `with` block."""

    def __enter__(self) -> Provider:
        """Listen on a free port."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self.provider = Provider(port=self._server.server_address[1])
        self._server.provider = self.provider  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self.provider

    def __exit__(self, *_error: object) -> None:
        """Let go of whoever waits and stop."""
        self.provider.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
