"""Calls of SLURM's own commands, each with a time limit.

A controller that does not answer is no failure of a job: calls raise `UnreachableError`, and
whoever waits goes on waiting.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from simcons.core.errors import UserError

# What SLURM's commands say when the controller or the database is away, busy or restarting.
_TRANSIENT = re.compile(
    r"contact slurm|timed? ?out|connection refused|connection reset|temporarily|unable to establish"
    r"|transport endpoint|send/recv|zero bytes|communication|slurmctld.*down|configuring|try again",
    re.IGNORECASE,
)


class UnreachableError(Exception):
    """SLURM did not answer; ask again later."""


@dataclass(frozen=True)
class TaskState:
    """What SLURM says of one task.

    Attributes
    ----------
    state
        As SLURM names it, such as ``RUNNING`` or ``OUT_OF_MEMORY``.
    node
        Where it runs or ran; empty while it waits.
    reason
        Why it waits.
    """

    state: str
    node: str = ""
    reason: str = ""


class Client:
    """SLURM's commands.

    Parameters
    ----------
    timeout
        Seconds after which a call is given up.
    """

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        for name in ("sbatch", "squeue", "scancel"):
            if shutil.which(name) is None:
                raise UserError(
                    f"SIMCONS_EXECUTOR is 'slurm', but there is no program '{name}' on the PATH; "
                    f"submit from a node of the cluster, or run here with SIMCONS_EXECUTOR=local"
                )

    def submit(self, arguments: Sequence[str]) -> str:
        """Submit a script and return the job's id.

        Raises
        ------
        UnreachableError
            If SLURM did not answer: the job may or may not be there, see `find`.
        UserError
            If SLURM refuses the job.
        """
        done = self._call(["sbatch", *arguments])
        if done.returncode:
            raise UserError(f"sbatch refused the job: {' '.join(done.stderr.split())}")
        return done.stdout.strip().split(";")[0]

    def find(self, name: str) -> str | None:
        """Return the id of this user's job of a name, if it is in the queue."""
        user = str(os.getuid())
        done = self._call(["squeue", "-h", "-t", "all", "-u", user, "-n", name, "-o", "%F"])
        ids = sorted(set(done.stdout.split()), key=int) if not done.returncode else []
        return ids[-1] if ids else None

    def states(self, job_id: str) -> dict[int, TaskState]:
        """Return the state of each task of a job that the queue still knows; a lone job's is 1."""
        command = ["squeue", "-h", "-r", "-t", "all", "-j", job_id, "-o", "%i|%T|%N|%r"]
        done = self._call(command)
        if done.returncode:
            if "invalid job id" in done.stderr.lower():
                return {}
            raise UnreachableError(" ".join(done.stderr.split()))
        rows = [line.split("|", 3) for line in done.stdout.splitlines() if line.count("|") >= 3]
        return {_task(job): TaskState(state, node, why) for job, state, node, why in rows}

    def accounting(self, job_id: str) -> dict[int, TaskState]:
        """Return how each task ended by `sacct`; nothing where there is no accounting."""
        if shutil.which("sacct") is None:
            return {}
        command = ["sacct", "-n", "-P", "-X", "--array", "-j", job_id]
        try:
            done = self._call([*command, "-o", "JobID,State,NodeList"])
        except UnreachableError:
            return {}
        if done.returncode:
            return {}
        rows = [line.split("|") for line in done.stdout.splitlines() if line.count("|") == 2]
        return {
            # "CANCELLED by 1000" names who did it.
            _task(job): TaskState(state.split()[0].rstrip("+"), node)
            for job, state, node in rows
            if state and not job.endswith("]")
        }

    def cancel(self, job_id: str) -> None:
        """Cancel a job with all of its tasks; one that has ended already is no error."""
        done = self._call(["scancel", job_id])
        if done.returncode and "invalid job id" not in done.stderr.lower():
            raise UnreachableError(" ".join(done.stderr.split()))

    def _call(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        # Not in our process group: Ctrl-C must not kill the call that cancels the job. A submitter
        # that is a job itself must not hand its own job's settings down.
        kept = {k: v for k, v in os.environ.items() if k == "SLURM_CONF" or k[:6] != "SLURM_"}
        try:
            done = subprocess.run(
                command,
                env=kept,
                capture_output=True,
                text=True,
                errors="replace",
                stdin=subprocess.DEVNULL,
                timeout=self.timeout,
                start_new_session=True,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise UnreachableError(f"{command[0]} did not answer in {self.timeout:g} s") from None
        if done.returncode and _TRANSIENT.search(done.stderr):
            raise UnreachableError(" ".join(done.stderr.split()))
        return done


def _task(job: str) -> int:
    """Return 3 for ``12_3``, 1 for ``12``."""
    _, _, task = job.partition("_")
    return int(task) if task.isdigit() else 1
