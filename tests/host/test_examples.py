"""The example in the repository is what a newcomer gets from `torg plugins new`."""

import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def files(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): file.read_text("utf-8")
        for file in sorted(folder.rglob("*"))
        if file.is_file() and "egg-info" not in str(file) and "__pycache__" not in str(file)
    }


def test_the_guestbook_is_what_the_command_makes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "torg.cli", "plugins", "new", "guestbook"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)

    assert files(EXAMPLES / "guestbook") == files(tmp_path / "guestbook")
