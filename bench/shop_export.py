"""The export by itself: time, and the most memory above that of the idle process.

Runs as a process of its own, so that nothing else's memory is in the figure.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_STATUS = Path("/proc/self/status")
_RESET_PEAK = Path("/proc/self/clear_refs")


def measured(environ: dict[str, str], wanted: str = "xlsx") -> dict[str, float]:
    """`rows`, `seconds`, `bytes` and `peak_mib` of one export of everything."""
    took = subprocess.run(
        [sys.executable, "-m", "bench.shop_export", wanted],
        env=os.environ | environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if took.returncode:
        raise RuntimeError(took.stderr[-3000:])
    found: dict[str, float] = json.loads(took.stdout.splitlines()[-1])
    return found


def _kib(name: str) -> int:
    (line,) = (each for each in _STATUS.read_text().splitlines() if each.startswith(f"{name}:"))
    return int(line.split()[1])


def main() -> None:
    """Export everything once and print the figures as JSON."""
    from torg import db
    from torg.app import create_app
    from torg_shop.queries import export
    from torg_shop.services import exporting

    app = create_app()
    with app.app_context(), tempfile.TemporaryFile() as file:
        with db.unit_of_work("read"):
            export.count()
        # "5" makes the highest memory so far that of this moment (Linux, proc_pid_clear_refs(5)).
        _RESET_PEAK.write_text("5")
        idle, started = _kib("VmRSS"), time.perf_counter()
        rows = exporting.write(file, "csv" if sys.argv[1:] == ["csv"] else "xlsx")
        seconds = time.perf_counter() - started
        figures = {"rows": rows, "seconds": seconds, "bytes": file.tell()}
        figures["peak_mib"] = (_kib("VmHWM") - idle) / 1024
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
