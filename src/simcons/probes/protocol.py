"""What a probe's protocol is made of, and the checks of its values. Light: imports no torch."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

from simcons.core.errors import UserError, did_you_mean

Regularization = Literal["weight_decay", "l1", "l2"]
Solver = Literal["adamw", "lbfgs", "ridge", "knn"]


@dataclass(frozen=True)
class WeightDecays:
    """A grid of log-spaced penalties.

    Parameters
    ----------
    start, stop
        The smallest and the largest value, both positive.
    count
        The number of values.
    """

    start: float = 1e-6
    stop: float = 10.0
    count: int = 64

    def __post_init__(self) -> None:
        _check("weight_decays.start", self.start, _is_positive, "a positive number")
        _check("weight_decays.count", self.count, _is_count, "an integer of at least 1")
        allowed = f"a number of at least weight_decays.start ({self.start})"
        _check(
            "weight_decays.stop", self.stop, lambda v: _is_number(v) and v >= self.start, allowed
        )

    def values(self) -> list[float]:
        """Return the penalties, ascending."""
        if self.count == 1:
            return [self.start]
        low, high = math.log10(self.start), math.log10(self.stop)
        inner = [10 ** (low + (high - low) * i / (self.count - 1)) for i in range(self.count)]
        return [self.start, *inner[1:-1], self.stop]


@dataclass(frozen=True)
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
    """

    solver: Solver = "adamw"
    epochs: int = 20
    batch_size: int = 1024
    learning_rates: tuple[float, ...] = (0.1, 0.01, 0.001, 0.0001)
    weight_decays: WeightDecays = field(default_factory=WeightDecays)
    validation_fraction: float = 0.2
    regularization: Regularization = "weight_decay"
    few_shot: int | None = None
    normalize: bool = True
    memory_gb: float = 4.0
    neighbours: tuple[int, ...] = (10, 20, 100, 200)
    temperature: float = 0.07
    seeds: tuple[int, ...] = (0, 1, 2)

    def __post_init__(self) -> None:
        _check_choice("solver", self.solver, get_args(Solver))
        _check_choice("regularization", self.regularization, get_args(Regularization))
        _check("epochs", self.epochs, _is_count, "an integer of at least 1")
        _check("batch_size", self.batch_size, _is_count, "an integer of at least 1")
        _check("learning_rates", self.learning_rates, _all(_is_positive), "positive numbers")
        _check(
            "validation_fraction",
            self.validation_fraction,
            lambda v: _is_number(v) and 0 < v < 1,
            "a number between 0 and 1",
        )
        if self.few_shot is not None:
            _check("few_shot", self.few_shot, _is_count, "null or an integer of at least 1")
        _check("normalize", self.normalize, lambda v: isinstance(v, bool), "true or false")
        _check("memory_gb", self.memory_gb, _is_positive, "a positive number")
        _check("neighbours", self.neighbours, _all(_is_count), "distinct integers of at least 1")
        _check("temperature", self.temperature, _is_positive, "a positive number")
        if self.solver in ("lbfgs", "ridge") and self.regularization == "l1":
            raise UserError(f"probe.regularization: got 'l1'; solver {self.solver} has l2 only")
        if self.solver == "knn" and not self.normalize:
            raise UserError("probe.normalize: got False; solver knn needs true (cosine similarity)")
        _check("seeds", self.seeds, _all(_is_seed), "distinct integers of at least 0")

    @classmethod
    def from_params(cls, section: Mapping[str, Any]) -> Protocol:
        """Build a protocol from the `probe` section of params.yaml.

        Raises
        ------
        UserError
            If a key is unknown or a value is not allowed; names the key and what is allowed.
        """
        values = dict(_known(section, cls, "probe"))
        if "weight_decays" in values:
            grid = values["weight_decays"]
            _check("weight_decays", grid, lambda v: isinstance(v, Mapping), "a map of start, stop")
            values["weight_decays"] = WeightDecays(
                **_known(grid, WeightDecays, "probe.weight_decays")
            )
        for key in ("learning_rates", "neighbours", "seeds"):
            if isinstance(values.get(key), list):
                values[key] = tuple(values[key])
        return cls(**values)

    def identity(self) -> dict[str, Any]:
        """Return what decides a probe's values besides data and seed, JSON-able.

        For fingerprints: only what the solver uses, so that a parameter of another solver does not
        retrain anything; and not `seeds`, since adding a seed must not retrain the others.
        """
        names = (*_USED_BY_ALL, *_USED_BY[self.solver])
        values = {n: v for n, v in dataclasses.asdict(self).items() if n in names}
        return {n: list(v) if isinstance(v, tuple) else v for n, v in values.items()}


_USED_BY_ALL = ("solver", "validation_fraction", "few_shot", "normalize")
_USED_BY: dict[str, tuple[str, ...]] = {
    "adamw": (
        "epochs",
        "batch_size",
        "learning_rates",
        "weight_decays",
        "regularization",
        "memory_gb",
    ),
    "lbfgs": ("weight_decays",),
    "ridge": ("weight_decays",),
    "knn": ("neighbours", "temperature"),
}


def _known(section: Mapping[str, Any], cls: type, where: str) -> Mapping[str, Any]:
    """Return the section if it holds only fields of a dataclass."""
    allowed = [f.name for f in dataclasses.fields(cast(Any, cls))]
    for key in section:
        if key not in allowed:
            raise UserError(f"{where}.{key}: unknown key; {did_you_mean(str(key), allowed)}")
    return section


def _check(key: str, value: Any, valid: Callable[[Any], bool], allowed: str) -> None:
    if not valid(value):
        raise UserError(f"probe.{key}: got {value!r}; allowed: {allowed}")


def _check_choice(key: str, value: Any, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise UserError(f"probe.{key}: got {value!r}; {did_you_mean(str(value), allowed)}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_positive(value: Any) -> bool:
    return _is_number(value) and value > 0


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_seed(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _all(valid: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Return a check of a non-empty tuple of distinct values, each valid."""
    return lambda values: (
        isinstance(values, tuple)
        and len(values) > 0
        and all(valid(v) for v in values)
        and len(set(values)) == len(values)
    )
