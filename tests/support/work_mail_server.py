"""A real SMTP server in a process of its own that writes the id of every mail it has accepted.

    python work_mail_server.py PORT FILE

In a process of its own, because a thread of the test would keep its answers back while others run,
and so make the moment between "accepted" and "told so" longer than any mail server does.
"""

import asyncio
import ctypes
import os
import signal
import sys
from typing import Any

from aiosmtpd.smtp import SMTP


class Accepting:
    """Accepts every mail."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        """Note the local part of the Message-ID."""
        head = bytes(envelope.content).split(b"\r\n", 1)[0]
        os.write(self._file, head.split(b"<")[1].split(b"@")[0] + b"\n")
        return "250 accepted"


async def serve(port: int, path: str) -> None:
    """Until killed."""
    handler = Accepting(path)
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: SMTP(handler, loop=loop), "127.0.0.1", port)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # die with the test
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
