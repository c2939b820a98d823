"""The tutorial's commands, as they stand in the page, do what the page says."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from torg.testing_processes import Deployment, answers, eventually, free_port

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "tutorials" / "first-ten-minutes.md"


def blocks() -> list[str]:
    return re.findall(r"```sh test\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


def test_the_first_ten_minutes_are_as_written(tmp_path: Path) -> None:
    port = free_port()
    demo = Deployment({}, tmp_path)
    try:
        process = demo.start("demo", "--port", str(port), "--dir", str(tmp_path / "demo"))
        address = f"http://127.0.0.1:{port}"
        eventually(lambda: answers(f"{address}/health/live"), seconds=120)
        script = "set -e\n" + "\necho '-- next --'\n".join(blocks())
        script = script.replace("http://127.0.0.1:8000", address)
        script = script.replace(".venv/bin/python", sys.executable)

        done = run(script, tmp_path)

        said = done.stdout.split("-- next --")
        assert done.returncode == 0, (done.stdout, done.stderr, process.output()[-3000:])
        assert '"username":"newcomer"' in said[0]
        assert '"email_verified":true' in said[2]
        assert "own_auction" in said[4]
        assert "bid_too_low" in said[5]
        assert "seller" in said[6]
        assert "event: closed" in said[6]
    finally:
        demo.close()


def run(script: str, folder: Path) -> Any:
    return subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
