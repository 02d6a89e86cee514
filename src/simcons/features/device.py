"""Where and how models run: device, precision of the forward pass, batches that fit the memory.

The device and the number of worker processes come from the environment, since where a job runs must
not change a result: ``SIMCONS_DEVICE`` (``cpu``, ``cuda``, ``cuda:1``; by default a GPU if there is
one) and ``SIMCONS_WORKERS``. The precision is a param.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from simcons.core.errors import UserError
from simcons.models.extractor import Extractor, forward_layers

CPU_BATCH = 64  # decides the last bits of features on a CPU: do not change it
GPU_BATCH = 256  # halved, model by model, where it does not fit
_AUTOCAST = {"bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass
class Runner:
    """Runs models on one device.

    Attributes
    ----------
    device
        Where models are.
    precision
        Of the forward pass: ``float32``, or ``bfloat16`` or ``float16`` for mixed precision.
    batch_size
        Images that are read together, and the most that a model is given at once.
    """

    device: torch.device
    precision: str = "float32"
    batch_size: int = CPU_BATCH
    _fits: dict[str, int] = field(default_factory=dict)

    def prepare(self, extractor: Extractor) -> Extractor:
        """Move a model to the device."""
        try:
            extractor.module.to(self.device)
        except torch.OutOfMemoryError:
            raise UserError(
                f"model '{extractor.spec.id}' and those before it do not fit the memory of "
                f"{self.device}; compute the models in parts: SIMCONS_MODEL_GROUP=1/4 ... 4/4"
            ) from None
        return extractor

    def upload(self, inputs: torch.Tensor) -> torch.Tensor:
        """Copy a batch to the device, while the device still works where memory is pinned."""
        return inputs.to(self.device, non_blocking=True)

    def forward(self, extractors: Sequence[Extractor], inputs: torch.Tensor) -> list[torch.Tensor]:
        """Return float32 features (n, dim) on the CPU, in parts that fit the device's memory.

        Parameters
        ----------
        extractors
            One, or several that read one network at several layers: it runs once.
        inputs
            (n, 3, height, width), on the device.

        Raises
        ------
        UserError
            If one image alone does not fit, or the model returns what it must not.
        """
        model = extractors[0].spec.id
        while True:
            size = self._fits.get(model, max(len(inputs), 1))
            try:
                with self._autocast():
                    parts = [self._run(extractors, part) for part in inputs.split(size)]
                return [
                    torch.cat(rows) if len(rows) > 1 else rows[0]
                    for rows in zip(*parts, strict=True)
                ]
            except torch.OutOfMemoryError:
                if size == 1:
                    raise UserError(
                        f"model '{model}': one image does not fit the memory of {self.device}"
                    ) from None
            # Outside the handler: the error holds the tensors of the failed pass.
            self._fits[model] = max(size // 2, 1)
            print(f"{model}: batch of {size} does not fit, {size // 2} now", file=sys.stderr)
            if self.device.type == "cuda":
                torch.cuda.empty_cache()

    @staticmethod
    def _run(extractors: Sequence[Extractor], part: torch.Tensor) -> list[torch.Tensor]:
        if len(extractors) == 1:
            return [extractors[0].forward(part).cpu()]
        return [features.cpu() for features in forward_layers(extractors, part)]

    def _autocast(self) -> contextlib.AbstractContextManager[object]:
        if self.precision == "float32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=_AUTOCAST[self.precision])

    def describe(self) -> str | None:
        """Return what to record of the device beside features; None of a CPU."""
        if self.device.type == "cpu":
            return None
        return f"cuda: {torch.cuda.get_device_name(self.device)}"


def make_runner(precision: str = "float32") -> Runner:
    """Return the runner for the device of the environment.

    Raises
    ------
    UserError
        If ``SIMCONS_DEVICE`` names no device that is here.
    """
    text = os.environ.get("SIMCONS_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu")
    if re.fullmatch(r"cpu|cuda(:[0-9]+)?", text) is None:
        raise UserError(f"SIMCONS_DEVICE: got '{text}'; allowed: cpu, cuda, cuda:0, ...")
    device = torch.device(text)
    if device.type == "cpu":
        return Runner(device, precision)
    if not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count():
        raise UserError(f"SIMCONS_DEVICE: '{text}' is not here ({torch.cuda.device_count()} GPUs)")
    # Convolutions would round their inputs to 10 bits otherwise: float32 is to mean float32.
    torch.backends.cudnn.allow_tf32 = False
    return Runner(device, precision, GPU_BATCH)


def n_workers(runner: Runner, threads: int) -> int:
    """Return how many processes decode images: ``SIMCONS_WORKERS``, or the CPUs that are left.

    Raises
    ------
    UserError
        If the variable is no whole number.
    """
    text = os.environ.get("SIMCONS_WORKERS")
    if text is not None:
        if re.fullmatch(r"[0-9]{1,3}", text) is None:
            raise UserError(f"SIMCONS_WORKERS: got '{text}'; allowed: a whole number")
        return int(text)
    free = len(os.sched_getaffinity(0)) - (threads if runner.device.type == "cpu" else 1)
    return min(max(free, 0), 8 if runner.device.type == "cpu" else 16)
