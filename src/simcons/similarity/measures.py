"""The registry of similarity measures: names, options, symmetry, invariances, references.

What belongs here is what is known *about* a measure; how its tiles are computed is in `tiles`, how
values come from accumulated sums in `values`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from simcons.core.errors import UserError, did_you_mean

#: Transformations of one model's features under which a measure may promise not to change.
INVARIANCES = MappingProxyType(
    {
        "permutation": "the features' dimensions in another order",
        "orthogonal": "X Q with Q orthogonal",
        "isotropic_scaling": "c X with c > 0",
        "translation": "X + 1 b' with any vector b",
        "row_scaling": "diag(s) X with any s > 0, a scale per image",
        "row_shift": "X + s 1', a constant per image added to all dimensions",
        "invertible_linear": "X A with A invertible",
    }
)

_NUMBER = r"[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?"


@dataclass(frozen=True)
class PairFunctions:
    """How a measure is computed that is no arithmetic on sums over images.

    Parameters
    ----------
    summarize
        (features (n, d) float64, options) -> what `compare` needs of one model.
    compare
        (summary of model_1, summary of model_2, options) -> the value; larger is more similar.
    """

    summarize: Callable[[Any, Mapping[str, Any]], Any]
    compare: Callable[[Any, Any, Mapping[str, Any]], float]


@dataclass(frozen=True)
class Measure:
    """What is known about a measure.

    Parameters
    ----------
    pattern
        Its name, with options in angle brackets, such as ``"cka_rbf_<sigma>"``.
    family
        ``"cka"`` (ratios of HSIC), ``"rsa"`` (correlations of distance matrices) or ``"pair"``
        (computed pair by pair from a summary of each model).
    symmetric
        Whether the value for (A, B) is the value for (B, A).
    invariances
        Keys of `INVARIANCES` that hold on the features as they reach the measure (L2 normalisation
        of the rows comes before it and has its own effects).
    unbiased
        Whether the value does not depend on the number of images in expectation (of numerator and
        denominator, for ratios), so that split-half reliability can be corrected for length.
    reference
        The source of the definition.
    options
        Name of each option in the pattern, with what it may be.
    pair
        For measures of family ``"pair"``: how two models are compared; else None.
    """

    pattern: str
    family: str
    symmetric: bool
    invariances: frozenset[str]
    unbiased: bool
    reference: str
    options: Mapping[str, str] = field(default_factory=dict)
    pair: PairFunctions | None = None

    def __post_init__(self) -> None:
        unknown = self.invariances - INVARIANCES.keys()
        if unknown:
            raise ValueError(f"{self.pattern}: unknown invariances {sorted(unknown)}")


@dataclass(frozen=True)
class MeasureCall:
    """A measure with its options filled in: what one measure name stands for.

    Parameters
    ----------
    name
        The full name, such as ``"cka_rbf_0.4_biased"``.
    measure
        The registry's entry.
    options
        Such as ``{"sigma": 0.4}`` or ``{"distance": "cosine", "correlation": "spearman"}``.
    """

    name: str
    measure: Measure
    options: Mapping[str, Any]

    @property
    def biased(self) -> bool:
        """Whether this is the biased form of CKA."""
        return self.name.endswith("_biased")


_KORNBLITH = (
    "Kornblith, Norouzi, Lee, Hinton: Similarity of Neural Network Representations Revisited, "
    "ICML 2019"
)
_SONG = (
    "unbiased HSIC: Song et al., Supervised Feature Selection via Dependence Estimation, ICML 2007"
)
_RSA = (
    "Kriegeskorte, Mur, Bandettini: Representational similarity analysis, "
    "Frontiers in Systems Neuroscience 2008"
)
_LINEAR = frozenset({"permutation", "orthogonal", "isotropic_scaling", "translation"})
_RBF = frozenset({"permutation", "orthogonal", "translation"})
_DISTANCE_INVARIANCES = {
    "correlation": frozenset({"permutation", "isotropic_scaling", "row_scaling", "row_shift"}),
    "cosine": frozenset({"permutation", "orthogonal", "isotropic_scaling", "row_scaling"}),
    "euclidean": frozenset({"permutation", "orthogonal", "isotropic_scaling", "translation"}),
}
_SIGMA = {"sigma": "a number > 0, the bandwidth in the features' units"}
_FRACTION = {"fraction": "a number > 0, the bandwidth as a share of the median distance"}


def _cka(pattern: str, invariances: frozenset[str], options: Mapping[str, str]) -> list[Measure]:
    return [
        Measure(pattern, "cka", True, invariances, True, f"{_KORNBLITH}; {_SONG}", options),
        Measure(f"{pattern}_biased", "cka", True, invariances, False, _KORNBLITH, options),
    ]


def _rsa(distance: str) -> list[Measure]:
    return [
        Measure(f"rsa_{distance}_{c}", "rsa", True, _DISTANCE_INVARIANCES[distance], True, _RSA)
        for c in ("pearson", "spearman")
    ]


#: pattern -> Measure, for every measure there is.
MEASURES: dict[str, Measure] = {
    measure.pattern: measure
    for measure in [
        *_cka("cka_linear", _LINEAR, {}),
        *_cka("cka_rbf_median_<fraction>", _RBF | {"isotropic_scaling"}, _FRACTION),
        *_cka("cka_rbf_<sigma>", _RBF, _SIGMA),
        *[m for distance in _DISTANCE_INVARIANCES for m in _rsa(distance)],
    ]
}


def lookup(name: str) -> MeasureCall:
    """Return the measure that a name stands for.

    Raises
    ------
    UserError
        If there is no such measure, or an option is out of its range.
    """
    for pattern, measure in MEASURES.items():
        match = re.fullmatch(_regex(pattern), name)
        if match:
            return MeasureCall(name, measure, _options(name, measure, match.groupdict()))
    for pattern, measure in MEASURES.items():
        match = re.fullmatch(_regex(pattern, r"[^_]*"), name)
        if match:
            allowed = "; ".join(f"{k} must be {v}" for k, v in measure.options.items())
            raise UserError(f"measure '{name}': {allowed} (pattern {pattern})")
    raise UserError(f"unknown measure '{name}': {did_you_mean(name, MEASURES, show=40)}")


def parse(names: Sequence[str]) -> list[MeasureCall]:
    """Return the measures that names stand for, in the given order.

    Raises
    ------
    UserError
        If the list is empty, a name is given twice, or a name is not valid.
    """
    if isinstance(names, str):
        raise UserError(f"measures must be a list of names, got the text '{names}'")
    if not names:
        raise UserError(f"no measures given. Allowed: {', '.join(sorted(MEASURES))}")
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise UserError(f"measure given twice: {', '.join(twice)}")
    return [lookup(name) for name in names]


def _regex(pattern: str, number: str = _NUMBER) -> str:
    """Turn ``cka_rbf_<sigma>`` into a regular expression with a named group per option."""
    return re.sub(r"<(\w+)>", lambda m: f"(?P<{m.group(1)}>{number})", pattern)


def _options(name: str, measure: Measure, texts: dict[str, str]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for key, text in texts.items():
        value = float(text)
        whole = "whole" in measure.options[key]
        good = math.isfinite(value) and value > 0 and not (whole and value != int(value))
        if not good or (key == "percent" and value > 100):
            raise UserError(f"measure '{name}': {key} must be {measure.options[key]}, got {text}")
        options[key] = int(value) if whole else value
    if measure.family == "rsa":
        _, options["distance"], options["correlation"] = measure.pattern.split("_")
    return options


def add_measure(measure: Measure) -> None:
    """Add a measure to the registry.

    Raises
    ------
    UserError
        If its name is taken or is not fit for a file name.
    """
    if measure.pattern in MEASURES:
        raise UserError(f"measure '{measure.pattern}' exists already")
    if not re.fullmatch(r"[a-z0-9_.]+", re.sub(r"<\w+>", "1", measure.pattern)):
        raise UserError(
            f"measure '{measure.pattern}': names are made of lower-case letters, digits, _ and ."
        )
    MEASURES[measure.pattern] = measure


def register_measure(
    name: str,
    compare: Callable[[Any, Any], float],
    *,
    reference: str,
    summarize: Callable[[Any], Any] | None = None,
    symmetric: bool = True,
    invariances: Sequence[str] = ("permutation",),
    unbiased: bool = False,
) -> None:
    """Register a measure of your own.

    Parameters
    ----------
    name
        Lower-case letters, digits and underscores.
    compare
        (x, y) -> value; x, y are the features (n, d) float64 of two models (normalised if asked
        for), or what ``summarize`` made of them. Larger must be more similar, with itself 1.
    reference
        Where it is defined.
    summarize
        Work that is done once per model, or None.
    symmetric, invariances, unbiased
        See `Measure`.

    Examples
    --------
    >>> register_measure("mean_cosine", lambda x, y: float((x.mean(0) @ y.mean(0))), reference="me")
    """
    pair = PairFunctions(
        summarize=lambda x, _: x if summarize is None else summarize(x),
        compare=lambda x, y, _: compare(x, y),
    )
    kind = frozenset(invariances)
    add_measure(Measure(name, "pair", symmetric, kind, unbiased, reference, {}, pair))
