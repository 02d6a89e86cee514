"""Waiting for a submitted job: its tasks' states, their logs, one line of progress."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

from simcons.core.progress import say
from simcons.core.signals import handled
from simcons.slurm.client import Client, TaskState, UnreachableError
from simcons.slurm.tasks import ACTIVE, Outcome, exit_record, outcome

LOOK_SECONDS = 0.25  # between two looks at the tasks' files
GRACE_SECONDS = 2.0  # a file may reach this machine later than the news that its task is over
REPORT_SECONDS = 5.0  # between two lines of progress
WARN_SECONDS = 60.0  # between two complaints that SLURM does not answer
LINES_PER_LOOK = 10  # of each task's log
SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "zsh", "fish", "tcsh", "csh"})


class Stopped(Exception):  # noqa: N818 (no error)
    """Somebody asked this process to stop (Ctrl-C, SIGTERM).

    Attributes
    ----------
    signum
        The signal.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum


class Orphaned(Exception):  # noqa: N818 (no error)
    """The process that started this one is gone."""


class Interrupts:
    """SIGINT and SIGTERM as something to ask for, so that no submission is cut in the middle.

    Attributes
    ----------
    caught
        The signal that came; 0 if none did.
    """

    def __init__(self) -> None:
        self.caught = 0
        self._starters = _starters()

    @classmethod
    @contextlib.contextmanager
    def catch(cls) -> Iterator[Interrupts]:
        """Catch the signals while the block runs."""
        interrupts = cls()
        with handled(interrupts.note):
            yield interrupts

    def note(self, signum: int) -> None:
        """Remember that a signal came."""
        self.caught = signum

    def check(self) -> None:
        """Raise if a signal came, or if DVC, which started this process, was killed."""
        if self.caught:
            raise Stopped(self.caught)
        if "DVC_STAGE" in os.environ and _starters() != self._starters:
            raise Orphaned

    def sleep(self, seconds: float) -> None:
        """Sleep, and raise as `check` does."""
        end = time.monotonic() + seconds
        self.check()
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))
            self.check()


def _starters() -> list[int]:
    """Return the processes that started this one: shells, and what ran them (DVC).

    DVC runs a command in a shell, which lives on when DVC alone is killed: bash puts the command in
    its own place, dash does not.
    """
    pids = []
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in psutil.Process().parents():
            pids.append(process.pid)
            if process.name() not in SHELLS:
                break
    return pids


class _Follower:
    """Prints what is new in a task's log."""

    def __init__(self, path: Path, prefix: str) -> None:
        self.path, self.prefix = path, prefix
        # Of a job that was there before us, what it said is in its log.
        self.offset = path.stat().st_size if path.is_file() else 0

    def show(self) -> None:
        try:
            with self.path.open("rb") as file:
                if file.seek(0, 2) <= self.offset:
                    return
                file.seek(self.offset)
                fresh = file.read()
        except OSError:
            return
        end = max(fresh.rfind(b"\n"), fresh.rfind(b"\r")) + 1
        self.offset += end
        text = fresh[:end].decode("utf-8", errors="replace").replace("\r", "\n")
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) > LINES_PER_LOOK:
            say(f"{self.prefix} ... {len(lines) - LINES_PER_LOOK} lines more in {self.path}")
        for line in lines[-LINES_PER_LOOK:]:
            say(f"{self.prefix} {line}")


class Watch:
    """Waits until every task of a job is over.

    Parameters
    ----------
    client
        SLURM's commands.
    job_id
        The job.
    folder
        Where its tasks write logs and exit codes.
    prefixes
        By task that was submitted: what to put before the lines of its log.
    title
        What to call the job in lines of progress.
    """

    def __init__(
        self, client: Client, job_id: str, folder: Path, prefixes: Mapping[int, str], title: str
    ) -> None:
        self.client, self.job_id, self.folder, self.title = client, job_id, folder, title
        self.outcomes: dict[int, Outcome] = {}
        self._open = sorted(prefixes)
        self._total = len(self._open)
        self._nodes: dict[int, str] = {}
        self._states: dict[int, TaskState] = {}
        self._over_since: dict[int, float] = {}
        self._followers = [_Follower(folder / f"{t}.log", prefixes[t]) for t in self._open]
        self._asked = self._warned = self._reported = -1e9
        self._last_report = ""

    def wait(self, interrupts: Interrupts, poll: float) -> list[Outcome]:
        """Return how each task ended, in the order in which they ended.

        Parameters
        ----------
        interrupts
            Whether to stop waiting.
        poll
            Seconds between two questions to SLURM.

        Raises
        ------
        Stopped, Orphaned
            As `Interrupts.check`; the job goes on running.
        """
        while True:
            interrupts.check()
            self._look(poll)
            for follower in self._followers:
                follower.show()
            self._report()
            if not self._open:
                return list(self.outcomes.values())
            interrupts.sleep(LOOK_SECONDS)

    def _look(self, poll: float) -> None:
        failed = False
        for task in list(self._open):
            record = exit_record(self.folder, task)
            if record is not None and record[0] == 0:
                self._close(task, TaskState("COMPLETED"))
            failed = failed or record is not None
        # A task whose file says that it failed may yet be started again by SLURM: ask.
        soon = 1.0 if failed or self._over_since else poll
        now = time.monotonic()
        if self._open and now - self._asked >= min(soon, poll):
            self._asked = now
            self._ask(now)

    def _ask(self, now: float) -> None:
        try:
            states = self.client.states(self.job_id)
        except UnreachableError as error:
            if now - self._warned >= WARN_SECONDS:
                self._warned = now
                say(f"{self.title}: SLURM does not answer ({error}); waiting")
            return
        over = []
        for task in self._open:
            seen = states.get(task)
            self._states[task] = seen or TaskState("")
            if seen is not None and seen.node:
                self._nodes[task] = seen.node
            if seen is not None and seen.state in ACTIVE:
                self._over_since.pop(task, None)
                continue
            since = self._over_since.setdefault(task, now)
            if exit_record(self.folder, task) is not None or now - since >= GRACE_SECONDS:
                over.append(task)
        unknown = [task for task in over if not self._states[task].state]
        accounting = self.client.accounting(self.job_id) if unknown else {}
        for task in over:
            seen = self._states[task]
            self._close(task, seen if seen.state else accounting.get(task, seen))

    def _close(self, task: int, seen: TaskState) -> None:
        self._open.remove(task)
        self._over_since.pop(task, None)
        self.outcomes[task] = outcome(task, self.folder, seen, self._nodes.get(task, ""))

    def _report(self) -> None:
        failed = sum(o.failed for o in self.outcomes.values())
        waiting = [s for t in self._open if (s := self._states.get(t)) and s.state == "PENDING"]
        reasons = ", ".join(r for r, _ in Counter(s.reason for s in waiting).most_common(2))
        running = len(self._open) - len(waiting)
        line = (
            f"{self.title}: {len(self.outcomes) - failed}/{self._total} tasks done, "
            f"{running} running, {len(waiting)} waiting{f' ({reasons})' if reasons else ''}"
            f"{f', {failed} failed' if failed else ''}"
        )
        now = time.monotonic()
        if line != self._last_report and (now - self._reported >= REPORT_SECONDS or not self._open):
            self._reported, self._last_report = now, line
            say(line)
