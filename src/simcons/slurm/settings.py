"""slurm.yaml: what each class of work asks of the cluster.

The file says where jobs run, never what they compute, so it is no dependency of any stage. Every
key is explained in ``slurm.yaml.example``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from simcons.core.errors import UserError, did_you_mean
from simcons.core.paths import Paths
from simcons.core.validation import EMPTY_IS_DEFAULT, Checked, load_validated
from simcons.run.executor import RESOURCES

ARRAY_STAGES = ("features", "probe")


def _text(pattern: str, allowed: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"got {value!r}; allowed: {allowed}")
        return value

    return AfterValidator(check)


# It becomes part of an #SBATCH line, where a blank starts another option.
Word = Annotated[str, _text(r"[^\s'\"\\]+", "one word without blanks, quotes or backslashes")]
Line = Annotated[str, _text(r"[^\n\r]*", "one line per entry")]
Time = Annotated[
    str,
    _text(
        r"\d+|\d+:\d\d(:\d\d)?|\d+-\d+(:\d\d){0,2}",
        "minutes, 'HH:MM:SS' or 'D-HH:MM:SS', in quotation marks",
    ),
]


class Resources(Checked):
    """What one class of work asks for; None leaves the choice to the cluster.

    Attributes
    ----------
    partition, account, qos, constraint, gres, memory
        As sbatch's options of these names (``memory`` is its ``--mem``).
    time
        Time limit: minutes, ``HH:MM:SS`` or ``D-HH:MM:SS``.
    cpus
        CPUs per task.
    sbatch
        Further options of sbatch, one word each.
    modules
        Environment modules to load.
    environment
        Shell lines that the job runs before the command, such as ``source .venv/bin/activate``.
    container
        Words put before the command, such as ``[apptainer, exec, --nv, image.sif]``.
    retries
        How often a task that fails is submitted again (never after exit code 2: bad input).
    requeue
        Whether SLURM itself may start a task again after a node failure or preemption.
    """

    partition: Word | None = None
    time: Time | None = None
    memory: Word | None = None
    cpus: PositiveInt | None = None
    gres: Word | None = None
    account: Word | None = None
    qos: Word | None = None
    constraint: Word | None = None
    sbatch: list[Word] = []
    modules: list[Word] = []
    environment: list[Line] = []
    container: list[str] = []
    retries: NonNegativeInt = 0
    requeue: bool = True

    @field_validator("time", "memory", mode="before")
    @classmethod
    def _minutes_or_megabytes(cls, value: object) -> object:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("sbatch")
    @classmethod
    def _options(cls, options: list[str]) -> list[str]:
        for option in options:
            if not re.fullmatch(r"--[a-z][a-z-]*(=.*)?", option):
                raise ValueError(f"got '{option}'; allowed: long options such as --nice=100")
        return options


class Array(Checked):
    """How a stage is split into a job array over parts of the models.

    Attributes
    ----------
    groups
        Number of parts, each a task that computes its models into the store.
    throttle
        At most so many run at a time; None: as many as the cluster allows.
    assemble
        The class of the job that puts the stage's output together from the store afterwards.
    """

    groups: PositiveInt
    throttle: PositiveInt | None = None
    assemble: Literal["light", "cpu", "gpu"] = "light"


class Settings(Checked):
    """slurm.yaml as a whole.

    Attributes
    ----------
    resources
        By class of work: light, cpu, gpu.
    arrays
        By stage: features, probe.
    poll
        Seconds between two questions to SLURM; the tasks' own files are looked at every second.
    timeout
        Seconds after which a call of a SLURM command is given up (and tried again).
    """

    resources: dict[str, Annotated[Resources, EMPTY_IS_DEFAULT]]
    arrays: dict[str, Annotated[Array, EMPTY_IS_DEFAULT]] = {}
    poll: PositiveFloat = 10.0
    timeout: PositiveFloat = 60.0

    @model_validator(mode="after")
    def _names(self) -> Settings:
        for section, names in (("resources", RESOURCES), ("arrays", ARRAY_STAGES)):
            for name in getattr(self, section):
                if name not in names:
                    raise UserError(f"unknown key '{section}.{name}': {did_you_mean(name, names)}")
        needed = {a.assemble: f"arrays.{name}.assemble" for name, a in self.arrays.items()}
        for name, key in needed.items():
            if name not in self.resources:
                raise UserError(f"{key} is '{name}', which has no entry under resources")
        return self

    def of(self, resource: str) -> Resources:
        """Return what a class of work asks for.

        Raises
        ------
        UserError
            If the file has no entry for it.
        """
        if resource not in self.resources:
            raise UserError(f"slurm.yaml: resources has no entry for '{resource}'")
        return self.resources[resource]


def load_settings(path: Path | None = None) -> Settings:
    """Read and validate slurm.yaml.

    Raises
    ------
    UserError
        If it is missing or holds anything that is not allowed.
    """
    path = path or Paths().slurm_settings
    if not path.is_file():
        raise UserError(
            f"{path}: no such file; copy slurm.yaml.example to slurm.yaml and fill in what your "
            f"cluster asks for, or run here with SIMCONS_EXECUTOR=local"
        )
    return load_validated(Settings, path)
