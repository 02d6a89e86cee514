"""The processes of a run: one `dvc repro --single-item` per stage, and the audit at the end."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from simcons.core.errors import UserError
from simcons.core.files import read_json, tail_lines, write_json
from simcons.core.paths import Paths
from simcons.core.progress import say
from simcons.core.signals import handled
from simcons.run.display import Rows, Show, display
from simcons.run.pipeline import lock_names, order_lock, stage_states, steps
from simcons.run.schedule import Schedule

LOOK_SECONDS = 0.2
STATE_SECONDS = 1.0  # between two writings of the state that `simcons status --watch` reads
BUSY_SECONDS = 2.0  # before a stage is tried again that met another DVC command at its files
LOG_LINES_SHOWN = 20
# What DVC says if another of its commands holds what it needs: no failure of the stage.
_BUSY = re.compile(r"it is being blocked by|Unable to acquire lock")


@dataclass
class _Process:
    """A stage that runs."""

    child: subprocess.Popen[bytes]
    log: Path
    started: float


def run(targets: Sequence[str] = (), *, jobs: int = 2, keep_going: bool = False) -> int:
    """Bring stages up to date, independent ones side by side, and audit the result.

    Parameters
    ----------
    targets
        Stages to make, with what they depend on; all by default.
    jobs
        At most so many at a time.
    keep_going
        After a failure go on with the stages that do not depend on the failed one.

    Returns
    -------
    int
        0 if everything is up to date, 1 if a stage failed, 128 + the signal if stopped by one.

    Raises
    ------
    UserError
        If a target is no stage, or a run is going on here already.
    """
    paths = Paths()
    with _only_run(paths):
        order = steps(targets)
        before = lock_names()
        done = {s.name for s in stage_states() if s.state == "done"}
        schedule = Schedule(order, done)
        runner = _Runner(schedule, paths.run, jobs, keep_going)
        with display() as show, runner.stopping():
            runner.loop(show)
        # In the order of a serial run, whichever was quicker here.
        order_lock([*before, *(s.name for s in order if s.name not in set(before))])
        say(schedule.counts())
        if runner.signum:
            return 128 + runner.signum
        failed = schedule.names("failed")
        for name in failed:
            log = runner.log(name)
            say(f"error: stage '{name}' failed; the end of {log}:")
            say("\n".join(f"  | {line}" for line in tail_lines(log, LOG_LINES_SHOWN)))
        if failed:
            return 1
    return subprocess.run([*_DVC, "repro", *targets], check=False).returncode


_DVC = [sys.executable, "-m", "dvc"]


@contextmanager
def _only_run(paths: Paths) -> Iterator[None]:
    paths.run.mkdir(parents=True, exist_ok=True)
    with (paths.run / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                "another `simcons run` is going on here; `simcons status --watch` shows it"
            ) from None
        yield


def current_run(paths: Paths | None = None) -> tuple[Rows, str] | None:
    """Return the stages and counts of the run that is going on here, or None if there is none."""
    folder = (paths or Paths()).run
    try:
        with (folder / "lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return None
    except FileNotFoundError:
        return None
    except BlockingIOError:
        pass
    state = folder / "state.json"
    if not state.is_file():
        return [], "starting"
    values = read_json(state)
    return [(name, what, note) for name, what, note in values["stages"]], values["counts"]


class _Runner:
    """Starts what may start, watches what runs, and stops when asked to."""

    def __init__(self, schedule: Schedule, folder: Path, jobs: int, keep_going: bool) -> None:
        self.schedule, self.folder = schedule, folder
        self.jobs, self.keep_going = jobs, keep_going
        self.signum = 0
        self._signals = 0
        self._running: dict[str, _Process] = {}
        self._not_before: dict[str, float] = {}
        self._written = -1e9

    def log(self, name: str) -> Path:
        """Return the log of a stage."""
        return self.folder / f"{re.sub(r'[^A-Za-z0-9_@.-]', '_', name)}.log"

    @contextmanager
    def stopping(self) -> Iterator[None]:
        """Pass Ctrl-C and SIGTERM on to the stages; the second one kills them."""

        def stop(signum: int) -> None:
            self.signum = self.signum or signum
            self._signals += 1
            # DVC leaves SIGINT to the stage's command, and then puts its files in order.
            for process in self._running.values():
                _signal(process, signal.SIGINT if self._signals == 1 else signal.SIGKILL)

        try:
            with handled(stop):
                yield
        finally:
            for process in self._running.values():
                _signal(process, signal.SIGKILL)

    def loop(self, show: Show) -> None:
        """Run until nothing runs and nothing may start."""
        while True:
            self._start()
            self._collect()
            rows = [(n, e.state, e.note) for n, e in self.schedule.entries.items()]
            show(rows, self.schedule.counts())
            self._write_state(rows)
            if not self._running and not self._startable():
                return
            time.sleep(LOOK_SECONDS)

    def _startable(self) -> list[str]:
        if self.signum or (self.schedule.names("failed") and not self.keep_going):
            return []
        return self.schedule.queued()

    def _start(self) -> None:
        for name in self._startable():
            if len(self._running) >= self.jobs:
                return
            if time.monotonic() < self._not_before.get(name, 0.0):
                continue
            log = self.log(name)
            with log.open("wb") as out:
                child = subprocess.Popen(
                    [*_DVC, "--wait-for-lock", "repro", "--single-item", name],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    # A group of its own: a signal is passed on once, and by us.
                    start_new_session=True,
                )
            self._running[name] = _Process(child, log, time.monotonic())
            self.schedule.set(name, "running")
            if self.signum:  # it came while the process was being started
                _signal(self._running[name], signal.SIGINT)

    def _collect(self) -> None:
        for name, process in list(self._running.items()):
            code = process.child.poll()
            if code is None:
                self.schedule.entries[name].note = "".join(tail_lines(process.log, 1)).strip()
                continue
            del self._running[name]
            if code == 0:
                seconds = time.monotonic() - process.started
                self.schedule.set(name, "done", f"{seconds:,.0f} s")
            elif not self.signum and _BUSY.search("\n".join(tail_lines(process.log, 30))):
                self._not_before[name] = time.monotonic() + BUSY_SECONDS
                self.schedule.set(name, "queued", "its files are in use by another DVC command")
            else:
                self.schedule.set(name, "failed", f"see {process.log}")

    def _write_state(self, rows: Rows) -> None:
        now = time.monotonic()
        if now - self._written >= STATE_SECONDS:
            self._written = now
            state = {"stages": [list(row) for row in rows], "counts": self.schedule.counts()}
            write_json(self.folder / "state.json", state)


def _signal(process: _Process, signum: int) -> None:
    if process.child.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.child.pid, signum)
