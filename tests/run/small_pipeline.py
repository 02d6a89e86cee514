"""A small pipeline of trivial stages in a git and DVC repository."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

# Named so that neither the alphabet nor the file's order is an order of dependencies.
NEEDS: dict[str, list[str]] = {
    "top": ["left", "right"],
    "left": ["base"],
    "right": ["base"],
    "base": [],
    "alone": [],
}
STEP = """\
set -e
name=$1; shift
echo "start $name" >> trace.log
echo "half of $name"
if [ -e "deaf_$name" ]; then trap '' INT TERM; fi
if [ -e "hang_$name" ]; then sleep 60; fi
case $name in left|right) sleep "$(cat slow 2>/dev/null || echo 1.5)";; esac
if [ -e "fail_$name" ]; then echo "no $name today" >&2; exit 7; fi
cat "$@" /dev/null > "$name.txt"
echo "$name" >> "$name.txt"
echo "end $name" >> trace.log
"""
SOURCE = Path(__file__).parents[2] / "src"


class Pipeline:
    """A git and DVC repository with five stages."""

    def __init__(self, root: Path, like: Path | None = None) -> None:
        self.root = root
        if like is not None:  # nobody has run it: a copy takes less time
            shutil.copytree(like, root)
            return
        root.mkdir()
        (root / "step.sh").write_text(STEP)
        stages = "".join(
            f"  {name}:\n    cmd: sh step.sh {' '.join([name, *(f'{n}.txt' for n in needs)])}\n"
            f"    deps: [{', '.join(['step.sh', *(f'{n}.txt' for n in needs)])}]\n"
            f"    outs: [{name}.txt]\n"
            for name, needs in NEEDS.items()
        )
        (root / "dvc.yaml").write_text(f"stages:\n{stages}")
        self.run("git", "init", "-q")
        self.run("dvc", "init", "-q")

    @property
    def environment(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("DVC_", "SIMCONS_"))}
        return {**kept, "PATH": path, "PYTHONPATH": str(SOURCE), "DVC_NO_ANALYTICS": "1"}

    def start(self, *command: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *command: str) -> tuple[int, str, str]:
        process = self.start(*command)
        out, err = process.communicate(timeout=90)
        return process.returncode, out, err

    def trace(self) -> list[str]:
        path = self.root / "trace.log"
        return path.read_text().splitlines() if path.is_file() else []

    def lock(self) -> str:
        path = self.root / "dvc.lock"
        return path.read_text() if path.is_file() else ""

    def made(self) -> set[str]:
        return set(re.findall(r"^  (\w+):$", self.lock(), re.MULTILINE))

    def flag(self, name: str) -> None:
        (self.root / name).touch()


def wait_for(ready: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
