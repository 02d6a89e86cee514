"""`simcons run` on a small pipeline of trivial stages, through real DVC."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

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
if [ -e "hang_$name" ]; then sleep 60; fi
case $name in left|right) sleep 1.5;; esac
if [ -e "fail_$name" ]; then echo "no $name today" >&2; exit 7; fi
cat "$@" /dev/null > "$name.txt"
echo "$name" >> "$name.txt"
echo "end $name" >> trace.log
"""
SOURCE = Path(__file__).parents[2] / "src"


class Pipeline:
    """A git and DVC repository with five stages."""

    def __init__(self, root: Path) -> None:
        self.root = root
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


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return Pipeline(tmp_path / "a pipeline")


def wait_for(ready: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_side_by_side_in_order_and_the_same_lock_as_the_serial_run(pipeline, tmp_path):
    serial = Pipeline(tmp_path / "serial")
    assert serial.run("dvc", "repro")[0] == 0
    code, out, err = pipeline.run("simcons", "run", "--jobs", "3")
    assert code == 0, err
    assert pipeline.lock() == serial.lock()  # to the byte: order as well
    trace = pipeline.trace()
    for name, needs in NEEDS.items():
        for need in needs:
            assert trace.index(f"end {need}") < trace.index(f"start {name}")
    assert trace.index("start right") < trace.index("end left")
    assert trace.index("start left") < trace.index("end right")
    assert out.count("didn't change, skipping") == 5  # the audit
    assert "5 done" in err
    assert "top: running" in err
    assert re.search(r"top: done \(\d+ s\)", err)

    before = pipeline.trace()
    code, _, err = pipeline.run("simcons", "run")
    assert (code, pipeline.trace()) == (0, before)
    assert "running" not in err

    (pipeline.root / "right.txt").unlink()  # comes back from DVC's cache
    code, _, err = pipeline.run("simcons", "run")
    assert (code, pipeline.trace()) == (0, before)
    assert pipeline.lock() == serial.lock()


def test_a_target_with_what_it_needs_alone(pipeline):
    assert pipeline.run("simcons", "run", "left")[0] == 0
    assert pipeline.made() == {"base", "left"}
    code, _, err = pipeline.run("simcons", "run", "lefd")
    assert code == 2
    assert "no stage 'lefd': did you mean 'left'" in err


def test_a_failure_stops_the_rest_and_says_why(pipeline):
    pipeline.flag("fail_base")
    code, _, err = pipeline.run("simcons", "run", "--jobs", "1")
    assert code == 1
    assert "error: stage 'base' failed" in err
    assert "| no base today" in err
    assert "exited with 7" in err
    assert pipeline.trace() == ["start base"]
    assert pipeline.made() == set()


def test_keep_going_runs_what_does_not_depend_on_the_failure(pipeline):
    pipeline.flag("fail_left")
    code, out, err = pipeline.run("simcons", "run", "--jobs", "2", "--keep-going")
    assert code == 1
    assert pipeline.made() == {"base", "right", "alone"}
    assert "3 done, 1 failed, 1 blocked" in err
    assert "top: blocked" in err
    assert out == ""  # nothing to audit
    (pipeline.root / "fail_left").unlink()
    assert pipeline.run("simcons", "run")[0] == 0
    assert pipeline.trace().count("start base") == 1


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_stops_the_stages_and_records_nothing_of_them(pipeline, signum):
    pipeline.flag("hang_left")
    process = pipeline.start("simcons", "run", "--jobs", "2")
    wait_for(lambda: "start left" in pipeline.trace())
    process.send_signal(signum)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 128 + signum, err
    assert pipeline.made() - {"alone", "right"} == {"base"}
    (pipeline.root / "hang_left").unlink()
    assert pipeline.run("simcons", "run")[0] == 0  # no lock is left behind


def test_status_watch_shows_the_run_and_a_second_run_is_refused(pipeline):
    pipeline.flag("hang_left")
    process = pipeline.start("simcons", "run", "--jobs", "2")
    wait_for(lambda: "start left" in pipeline.trace() and "end right" in pipeline.trace())
    time.sleep(2.5)  # the state is written every second
    watch = pipeline.start("simcons", "status", "--watch", "--every", "0.5")
    time.sleep(2.5)
    watch.send_signal(signal.SIGINT)
    shown, _ = watch.communicate(timeout=20)
    assert shown.count("simcons run is going on") >= 2
    assert re.search(r"left +running +half of left", shown)
    assert re.search(r"top +waiting", shown)
    code, _, err = pipeline.run("simcons", "run")
    assert (code, "another `simcons run` is going on" in err) == (2, True)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)


def test_a_stage_whose_files_another_dvc_command_holds_is_tried_again(pipeline):
    pipeline.flag("hang_alone")
    other = pipeline.start("dvc", "repro", "alone")
    wait_for(lambda: "start alone" in pipeline.trace())
    run = pipeline.start("simcons", "run", "alone")
    log = pipeline.root / ".simcons/run/alone.log"
    wait_for(lambda: log.is_file() and "blocked by" in log.read_text())
    (pipeline.root / "hang_alone").unlink()
    # The other one is asked to stop: its stage fails, this one's does not.
    for stage in psutil.Process(other.pid).children(recursive=True):
        stage.terminate()
    other.communicate(timeout=30)
    out, err = run.communicate(timeout=60)
    assert run.returncode == 0, out + err
    assert "in use by another DVC command" in err
    assert pipeline.made() == {"alone"}


def test_a_live_table_on_a_terminal(pipeline):
    master, slave = pty.openpty()
    fcntl.ioctl(slave, 0x5414, b"\x18\x00\x64\x00\x00\x00\x00\x00")  # TIOCSWINSZ: 24 x 100
    process = subprocess.Popen(
        ["simcons", "run", "left"],
        cwd=pipeline.root,
        env={**pipeline.environment, "TERM": "xterm"},
        stdout=subprocess.DEVNULL,
        stderr=slave,
    )
    os.close(slave)
    seen = b""
    while True:
        try:
            part = os.read(master, 4096)
        except OSError:  # the terminal's other end is closed
            break
        if not part:
            break
        seen += part
    assert process.wait(60) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode())
    assert re.search(r"stage +state +progress", text)
    assert re.search(r"base +running", text)
    assert re.search(r"left +waiting", text)
    assert "2 done" in text
