"""What a probe's protocol is made of, and what its values may be. Light: imports no torch."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, WrapValidator, field_validator
from pydantic.dataclasses import dataclass

from simcons.core.validation import CHECKED, DISTINCT, validated

Regularization = Literal["weight_decay", "l1", "l2"]
Solver = Literal["adamw", "lbfgs", "ridge", "knn"]


def _as_written(value: Any, check: Callable[[Any], float]) -> Any:
    # 4 stays an integer: as 4.0 it would have another fingerprint, and every probe be retrained.
    check(value)
    return value


Count = Annotated[int, Field(strict=True, ge=1)]
Seed = Annotated[int, Field(strict=True, ge=0)]
Positive = Annotated[
    float, Field(strict=True, gt=0, allow_inf_nan=False), WrapValidator(_as_written)
]
Fraction = Annotated[float, Field(strict=True, gt=0, lt=1), WrapValidator(_as_written)]


@dataclass(frozen=True, config=CHECKED)
class WeightDecays:
    """A grid of log-spaced penalties.

    Parameters
    ----------
    start, stop
        The smallest and the largest value, both positive.
    count
        The number of values.
    """

    start: Positive = 1e-6
    stop: Annotated[Positive, Field(validate_default=True)] = 10.0
    count: Count = 64

    @field_validator("stop")
    @classmethod
    def _ascending(cls, stop: float, given: ValidationInfo) -> float:
        start = given.data.get("start", stop)
        if stop < start:
            raise ValueError(f"got {stop!r}; allowed: at least weight_decays.start ({start!r})")
        return stop

    def values(self) -> list[float]:
        """Return the penalties, ascending."""
        if self.count == 1:
            return [self.start]
        low, high = math.log10(self.start), math.log10(self.stop)
        inner = [10 ** (low + (high - low) * i / (self.count - 1)) for i in range(self.count)]
        return [self.start, *inner[1:-1], self.stop]


@dataclass(frozen=True, config=CHECKED)
class Protocol:
    """How a probe is trained and chosen: the `probe` section of params.yaml.

    Parameters
    ----------
    solver
        ``adamw``: the protocol of Ciernik et al., ICML 2025 (arXiv 2411.05561). ``lbfgs``:
        multinomial logistic regression with an L2 penalty, to convergence (as for CLIP and
        DINOv2). ``ridge``: least squares on one-hot targets. ``knn``: votes of the most similar
        training images (as for DINO).
    epochs
        Passes over the training images.
    batch_size
        Images per step; may be larger than the data. The last, smaller batch of an epoch is used.
    learning_rates
        Initial learning rates; each falls to 0 along a cosine over all steps.
    weight_decays
        The grid of penalties.
    validation_fraction
        The share of train, stratified by class, on which learning rate and penalty are chosen.
    regularization
        What a penalty p is: ``weight_decay`` (AdamW's decoupled decay of weights and biases), or
        a term of the loss, ``l1``: p * sum |w|, ``l2``: p * sum w^2 (weights only, not biases).
        The solvers ``lbfgs`` and ``ridge`` always have the term of ``l2``.
    few_shot
        Train on so many images per class, drawn by the seed; None: on all.
    normalize
        Scale every image's features to unit Euclidean length first.
    memory_gb
        Memory for the tensors of settings that train together; more settings than fit are trained
        in chunks. Chunks change results in their last bits only.
    neighbours
        How many training images may vote (``knn``); validation chooses among them.
    temperature
        A neighbour of cosine similarity s votes with weight exp(s / temperature) (``knn``).
    seeds
        The seeds that a stage runs; `fit_linear_probe` itself takes one.

    Raises
    ------
    ValueError
        If a value is not allowed (pydantic's, with a line for each; `from_params` words it for
        people).
    """

    solver: Solver = "adamw"
    epochs: Count = 20
    batch_size: Count = 1024
    learning_rates: Annotated[tuple[Positive, ...], DISTINCT, Field(min_length=1)] = (
        0.1,
        0.01,
        0.001,
        0.0001,
    )
    weight_decays: WeightDecays = WeightDecays()
    validation_fraction: Fraction = 0.2
    regularization: Regularization = "weight_decay"
    few_shot: Count | None = None
    normalize: Annotated[bool, Field(strict=True)] = True
    memory_gb: Positive = 4.0
    neighbours: Annotated[tuple[Count, ...], DISTINCT, Field(min_length=1)] = (10, 20, 100, 200)
    temperature: Positive = 0.07
    seeds: Annotated[tuple[Seed, ...], DISTINCT, Field(min_length=1)] = (0, 1, 2)

    @field_validator("regularization")
    @classmethod
    def _of_the_solver(cls, regularization: str, given: ValidationInfo) -> str:
        solver = given.data.get("solver")
        if solver in ("lbfgs", "ridge") and regularization == "l1":
            raise ValueError(f"got 'l1'; solver {solver} has l2 only")
        return regularization

    @field_validator("normalize")
    @classmethod
    def _cosine(cls, normalize: bool, given: ValidationInfo) -> bool:
        if given.data.get("solver") == "knn" and not normalize:
            raise ValueError("got False; solver knn needs true (cosine similarity)")
        return normalize

    @classmethod
    def from_params(cls, section: Mapping[str, Any]) -> Protocol:
        """Build a protocol from the `probe` section of params.yaml.

        Raises
        ------
        UserError
            If a key is unknown or a value is not allowed; names the key and what is allowed.
        """
        return validated(cls, dict(section), key="probe")

    def identity(self) -> dict[str, Any]:
        """Return what decides a probe's values besides data and seed, JSON-able.

        For fingerprints: only what the solver uses, so that a parameter of another solver does not
        retrain anything; and not `seeds`, since adding a seed must not retrain the others.
        """
        names = (*_USED_BY_ALL, *_USED_BY[self.solver])
        values = {n: v for n, v in dataclasses.asdict(self).items() if n in names}
        return {n: list(v) if isinstance(v, tuple) else v for n, v in values.items()}


_USED_BY_ALL = ("solver", "validation_fraction", "few_shot", "normalize")
_ADAMW = ("epochs", "batch_size", "learning_rates", "weight_decays", "regularization", "memory_gb")
_USED_BY: dict[str, tuple[str, ...]] = {
    "adamw": _ADAMW,
    "lbfgs": ("weight_decays",),
    "ridge": ("weight_decays",),
    "knn": ("neighbours", "temperature"),
}
