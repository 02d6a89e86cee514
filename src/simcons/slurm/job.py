"""What is submitted: a stage's command with its resources, as a script for sbatch.

The script is made of checked words and quoted arguments only: nothing that a user typed is read by
a shell as anything but itself, except the lines under ``environment`` in slurm.yaml, which are
shell by definition. The task records its own exit code in a file (written beside, then renamed),
since a job that has left the queue tells nothing of how it ended where there is no accounting.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from simcons.core.files import sha256_json
from simcons.run.executor import program
from simcons.slurm.settings import Resources, Settings
from simcons.study.parts import PART_VARIABLE


@dataclass(frozen=True)
class Job:
    """One command with what it asks of the cluster.

    Attributes
    ----------
    command
        Program and arguments, as in dvc.yaml.
    resources
        What each task asks for.
    parts
        Number of parts of the models, each a task of an array; None for a job of one task.
    throttle
        At most so many tasks at a time.
    """

    command: tuple[str, ...]
    resources: Resources
    parts: int | None = None
    throttle: int | None = None

    @property
    def tasks(self) -> list[int]:
        """Numbers of its tasks, from 1."""
        return list(range(1, (self.parts or 1) + 1))

    def task_name(self, task: int) -> str:
        """Return what to call a task in messages."""
        return f"model part {task}/{self.parts}" if self.parts else "the job"


def plan(resource: str, command: Sequence[str], settings: Settings) -> list[Job]:
    """Return the jobs of a command, in order: the array over parts, if any, and the command.

    Raises
    ------
    UserError
        If slurm.yaml has no entry for the resource.
    """
    resources = settings.of(resource)
    array = settings.arrays.get(_stage_script(command))
    if array is None or array.groups == 1:
        return [Job(tuple(command), resources)]
    return [
        Job(tuple(command), resources, array.groups, array.throttle),
        Job(tuple(command), settings.of(array.assemble)),
    ]


def _stage_script(command: Sequence[str]) -> str:
    """Return ``features`` for ``python stages/features.py digits``; else an empty string."""
    if len(command) < 2 or command[0] != "python":
        return ""
    script = Path(command[1])
    return script.stem if script.parent.name == "stages" else ""


def slug(command: Sequence[str]) -> str:
    """Return a name for a command that is safe as a folder's and a job's: its words and a digest.

    For example ``features-digits-1f0c22a9``.
    """
    words = command[1:] if command[0] == "python" else command
    readable = "-".join(re.sub(r"[^A-Za-z0-9_]+", "-", Path(w).stem).strip("-") for w in words)
    return f"{readable[:48].strip('-')}-{sha256_json(list(command))[:8]}"


def script(job: Job, folder: Path) -> str:
    """Return the batch script.

    Parameters
    ----------
    job
        What to run.
    folder
        Where tasks write ``TASK.exit``; absolute.
    """
    lines = ["#!/bin/bash"]
    lines += [f"#SBATCH {option}" for option in _options(job.resources)]
    lines += [
        "set -eu",
        "task=${SLURM_ARRAY_TASK_ID:-1}",
        f"folder={shlex.quote(str(folder))}",
        'rm -f "$folder/$task.exit"',
        "record() { # beside, then renamed: whoever sees the file sees all of it",
        '  printf "%s %s\\n" "$1" "$(uname -n)" > "$folder/.$task.exit" &&',
        '    mv -f "$folder/.$task.exit" "$folder/$task.exit"',
        "}",
        "trap 'record $?' EXIT",
        "trap : TERM # SLURM ends the command; this script records how",
        "job=${SLURM_ARRAY_JOB_ID:-${SLURM_JOB_ID:-}}",
        'echo "simcons: job $job, task $task, on $(uname -n)" >&2',
    ]
    if job.resources.modules:
        lines += [
            "if ! type module >/dev/null 2>&1; then",
            "  for init in /etc/profile.d/lmod.sh /etc/profile.d/modules.sh; do",
            '    if [ -r "$init" ]; then set +u; . "$init"; set -u; fi',
            "  done",
            "fi",
            f"set +u; module load {shlex.join(job.resources.modules)}; set -u",
        ]
    if job.resources.environment:
        lines += ["set +u", *job.resources.environment, "set -u"]
    lines += ["export SIMCONS_EXECUTOR=local"]
    if job.parts:
        lines += [f'export {PART_VARIABLE}="$task/{job.parts}"']
    else:
        lines += [f"unset {PART_VARIABLE}"]
    lines += [shlex.join(_words(job))]
    return "\n".join(lines) + "\n"


def _words(job: Job) -> list[str]:
    if job.resources.container:  # the container has programs of its own
        return [*job.resources.container, *job.command]
    return [program(job.command[0]), *job.command[1:]]


def _options(resources: Resources) -> list[str]:
    # Ours, where sbatch's name is another one.
    names = {"memory": "mem", "cpus": "cpus-per-task"}
    asked = ("partition", "account", "qos", "constraint", "gres", "memory", "time", "cpus")
    values = {names.get(key, key): getattr(resources, key) for key in asked}
    options = [f"--{name}={value}" for name, value in values.items() if value is not None]
    return [*options, "--requeue" if resources.requeue else "--no-requeue", *resources.sbatch]


def sbatch_arguments(
    job: Job, name: str, folder: Path, root: Path, tasks: Sequence[int]
) -> list[str]:
    """Return the arguments of sbatch, ending with the script's path.

    Parameters
    ----------
    job
        What to run.
    name
        The job's name.
    folder
        Where logs and exit codes go.
    root
        The folder that the command runs in; logs are named relative to it, since their names are
        patterns in which a ``%`` of a folder's name would mean something.
    tasks
        Which tasks of the array.
    """
    logs = folder.relative_to(root)
    arguments = [
        "--parsable",
        f"--job-name={name}",
        f"--chdir={root}",
        "--open-mode=append",
        "--input=/dev/null",
        f"--output={logs / ('%a.log' if job.parts else '1.log')}",
    ]
    if job.parts:
        limit = f"%{job.throttle}" if job.throttle else ""
        arguments += [f"--array={_ranges(tasks)}{limit}"]
    return [*arguments, str(folder / "script.sh")]


def _ranges(tasks: Sequence[int]) -> str:
    """Return ``1-3,7`` for 1, 2, 3, 7: a list of many single numbers can be too long for SLURM."""
    runs: list[list[int]] = []
    for task in sorted(tasks):
        if runs and task == runs[-1][1] + 1:
            runs[-1][1] = task
        else:
            runs.append([task, task])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
