"""Load by wrk: requests a second, latencies and statuses of one target."""

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 8

_REPORT = """
done = function(summary, latency, requests)
  io.write(string.format("RESULT %d %d %d %d %d %d\\n", summary.requests, summary.duration,
    summary.errors.status, latency:percentile(50), latency:percentile(99),
    summary.errors.connect + summary.errors.read + summary.errors.timeout))
end
"""


@dataclass(frozen=True)
class Result:
    """What one round of load saw."""

    per_second: float
    refused_per_second: float
    median_ms: float
    p99_ms: float
    broken: int

    @property
    def accepted_per_second(self) -> float:
        """Requests that were answered 2xx or 3xx, a second."""
        return self.per_second - self.refused_per_second


def wrk() -> str:
    """The path of wrk; installed from Debian's packages where that is possible.

    Raises:
        SystemExit: it is missing and cannot be installed here.
    """
    found = shutil.which("wrk")
    if found is None and shutil.which("apt-get"):
        subprocess.run(["apt-get", "install", "-y", "-qq", "wrk"], check=False, capture_output=True)
        found = shutil.which("wrk")
    if found is None:
        raise SystemExit("make bench needs wrk, the load generator: install the package wrk")
    return found


def measure(url: str, seconds: int, script: str = "", connections: int = CONNECTIONS) -> Result:
    """Ask one address from a few connections, as fast as it answers.

    Args:
        url: the address.
        seconds: how long.
        script: Lua that makes the requests.
        connections: how many at once.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "load.lua"
        file.write_text(script + _REPORT, "utf-8")
        command = [wrk(), "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(file), url]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)", text)
    if found is None:
        raise RuntimeError(text)
    requests, micros, refused, median, p99, broken = (int(each) for each in found.groups())
    took = micros / 1e6
    return Result(requests / took, refused / took, median / 1000, p99 / 1000, broken)
