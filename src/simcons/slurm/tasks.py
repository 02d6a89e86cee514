"""How a task ended, and why: its own exit file first, then the queue, then the accounting."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path

from simcons.core.files import tail_lines
from simcons.slurm.client import TaskState

# The task may still run, or run again; in every other state it is over.
ACTIVE = frozenset(
    {"PENDING", "RUNNING", "SUSPENDED", "COMPLETING", "CONFIGURING", "RESIZING", "REQUEUED"}
    | {"REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "SIGNALING", "STAGE_OUT", "STOPPED"}
    | {"RESV_DEL_HOLD"}
)
KILLED = 128 + signal.SIGKILL
BAD_INPUT = 2  # the exit code of an error that would come again
_REASONS = {
    "TIMEOUT": "time limit",
    "DEADLINE": "time limit",
    "OUT_OF_MEMORY": "out of memory",
    "NODE_FAIL": "node failure",
    "BOOT_FAIL": "node failure",
    "CANCELLED": "cancelled",
    "PREEMPTED": "preempted",
    "REVOKED": "cancelled",
}
# What slurmstepd writes into the log, the most telling first: where the job's memory is polled, the
# queue says FAILED or CANCELLED and nothing else.
_LOG_REASONS = {
    "exceeded memory limit": "out of memory",
    "DUE TO TIME LIMIT": "time limit",
    "oom_kill": "out of memory",
    "oom-kill": "out of memory",
    "DUE TO NODE FAILURE": "node failure",
    "DUE TO PREEMPTION": "preempted",
    "CANCELLED AT": "cancelled",
}


@dataclass(frozen=True)
class Outcome:
    """How a task ended.

    Attributes
    ----------
    task
        Its number.
    code
        Exit code; of a task that left none, that of a process killed by SIGKILL.
    reason
        Why it failed; empty if it did not.
    node
        Where it ran; empty if unknown.
    log
        Its log.
    """

    task: int
    code: int
    reason: str
    node: str
    log: Path

    @property
    def failed(self) -> bool:
        """Whether it did not do its work."""
        return self.code != 0

    @property
    def worth_retrying(self) -> bool:
        """Whether it may succeed if tried again: not after bad input, nor if cancelled."""
        return self.failed and self.code != BAD_INPUT and self.reason != "cancelled"


def exit_record(folder: Path, task: int) -> tuple[int, str] | None:
    """Return the exit code and node that a task recorded, or None if there is none (yet)."""
    try:
        code, node = (folder / f"{task}.exit").read_text(encoding="utf-8").split()
        return int(code), node
    except (OSError, ValueError):
        return None


def outcome(task: int, folder: Path, seen: TaskState, last_node: str = "") -> Outcome:
    """Judge a task that is over.

    Parameters
    ----------
    task
        Its number.
    folder
        Where it wrote its log and exit code.
    seen
        Its last state by queue or accounting; an empty state if neither knows it.
    last_node
        Where it was seen running.
    """
    log = folder / f"{task}.log"
    recorded = exit_record(folder, task)
    if recorded is not None and recorded[0] == 0:
        return Outcome(task, 0, "", recorded[1], log)
    node = recorded[1] if recorded else seen.node or last_node
    reason = _REASONS.get(seen.state, "")
    if reason in ("", "cancelled"):
        reason = _reason_in_log(log) or reason
    if recorded is not None:
        code = recorded[0]
        return Outcome(task, code, reason or _of_code(code), node, log)
    if not reason:
        reason = "killed, or it could not write its exit code (a full disk?)"
    return Outcome(task, KILLED, reason, node, log)


def _reason_in_log(log: Path) -> str:
    text = " ".join(tail_lines(log, 20))
    found = [why for sign, why in _LOG_REASONS.items() if "slurmstepd" in text and sign in text]
    return found[0] if found else ""


def _of_code(code: int) -> str:
    if code == KILLED:
        return "killed by SIGKILL (often for lack of memory)"
    if code > 128 and code - 128 in set(signal.Signals):
        return f"killed by {signal.Signals(code - 128).name}"
    return f"exit code {code}"
