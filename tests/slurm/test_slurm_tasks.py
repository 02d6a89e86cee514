"""How a task ended: its exit file, then the queue, then the log."""

from __future__ import annotations

import pytest

from simcons.slurm.client import TaskState
from simcons.slurm.tasks import outcome

STEPD = "slurmstepd: error: *** JOB 12 ON n1 CANCELLED AT 2026-01-01T00:00:00 {} ***\n"
POLLED = "slurmstepd-n1: error: StepId=12.batch exceeded memory limit (9 > 1), being killed\n"
OOM = "slurmstepd: error: Detected 1 oom_kill event in StepId=12.batch\n"


@pytest.mark.parametrize(
    ("state", "recorded", "log", "code", "reason"),
    [
        ("COMPLETED", "0 n1", "", 0, ""),
        ("CANCELLED", "0 n1", "", 0, ""),  # it had done its work
        ("FAILED", "3 n1", "", 3, "exit code 3"),
        ("FAILED", "137 n1", "", 137, "killed by SIGKILL (often for lack of memory)"),
        ("FAILED", "139 n1", "", 139, "killed by SIGSEGV"),
        ("OUT_OF_MEMORY", "137 n1", "", 137, "out of memory"),
        ("OUT_OF_MEMORY", None, "", 137, "out of memory"),
        ("TIMEOUT", "143 n1", "", 143, "time limit"),
        ("NODE_FAIL", None, "", 137, "node failure"),
        ("PREEMPTED", None, "", 137, "preempted"),
        ("CANCELLED", None, "", 137, "cancelled"),
        ("", None, STEPD.format("DUE TO TIME LIMIT"), 137, "time limit"),
        ("", None, OOM, 137, "out of memory"),
        ("FAILED", None, POLLED + STEPD.format(""), 137, "out of memory"),
        ("CANCELLED", "143 n1", STEPD.format("") + POLLED, 143, "out of memory"),
        ("", None, STEPD.format(""), 137, "cancelled"),
        ("", None, "the words CANCELLED AT in a log\n", 137, "killed, or it could not write"),
        ("COMPLETED", None, "", 137, "killed, or it could not write"),  # never taken for success
        ("COMPLETED", "half", "", 137, "killed, or it could not write"),
    ],
)  # fmt: skip
def test_reasons(tmp_path, state, recorded, log, code, reason):
    if recorded is not None:
        (tmp_path / "4.exit").write_text(recorded + "\n")
    (tmp_path / "4.log").write_text(log)
    found = outcome(4, tmp_path, TaskState(state), "n1")
    assert found.code == code
    assert found.reason.startswith(reason) if reason else found.reason == ""
    assert found.node == "n1"
    assert found.failed == (code != 0)


@pytest.mark.parametrize(
    ("code", "state", "again"),
    [(1, "FAILED", 1), (2, "FAILED", 0), (137, "NODE_FAIL", 1), (143, "CANCELLED", 0)],
)
def test_what_is_worth_another_try(tmp_path, code, state, again):
    (tmp_path / "1.exit").write_text(f"{code} n1\n")
    assert outcome(1, tmp_path, TaskState(state)).worth_retrying == again
