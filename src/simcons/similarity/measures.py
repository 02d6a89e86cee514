"""The registry of similarity measures: names, options, symmetry, invariances, references.

What belongs here is what is known *about* a measure. `definitions` has what it is; the engine
computes kernels and distances in `tiles` and values from their sums in `from_sums`, measures of
another kind are in `pair_measures`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

from simcons.core.arrays import Array
from simcons.core.errors import UserError, did_you_mean
from simcons.similarity import definitions, pair_measures

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


#: What each option in a measure's name may be.
OPTIONS = MappingProxyType(
    {
        "sigma": "a number > 0, the bandwidth in the features' units",
        "fraction": "a number > 0, the bandwidth as a share of the median distance",
        "percent": "a number > 0 and at most 100, the share of variance kept",
        "k": "a whole number > 0, the number of neighbours",
    }
)


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
    invariances
        Keys of `INVARIANCES` that hold on the features as they reach the measure (L2 normalisation
        of the rows comes before it and has its own effects).
    reference
        The source of the definition.
    definition
        (x, y, options by name) -> the value, plainly: see `definitions`.
    summarize
        Of family ``"pair"``: (features (n, d) float64, options by name) -> what `compare` needs;
        None: the features themselves.
    compare
        Of family ``"pair"``: (summary of model_1, summary of model_2) -> the value; None: the
        definition, where it is fast enough.
    symmetric
        Whether the value for (A, B) is the value for (B, A).
    unbiased
        Whether the value does not depend on the number of images in expectation (of numerator and
        denominator, for ratios), so that split-half reliability can be corrected for length.
    """

    pattern: str
    family: str
    invariances: frozenset[str]
    reference: str
    definition: Callable[..., float]
    summarize: Callable[..., Any] | None = None
    compare: Callable[[Any, Any], float] | None = None
    symmetric: bool = True
    unbiased: bool = False

    def __post_init__(self) -> None:
        unknown = self.invariances - INVARIANCES.keys()
        if unknown:
            raise ValueError(f"{self.pattern}: unknown invariances {sorted(unknown)}")

    @property
    def options(self) -> dict[str, str]:
        """Name of each option in the pattern, with what it may be."""
        return {name: OPTIONS[name] for name in re.findall(r"<(\w+)>", self.pattern)}


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

    def define(self, x: Array, y: Array) -> float:
        """Return the value of two models' features, (n, d_1) and (n, d_2), by the definition."""
        return float(self.measure.definition(x, y, **self.options))


_KORNBLITH = "Kornblith et al.: Similarity of Neural Network Representations Revisited, ICML 2019"
_RSA = "Kriegeskorte et al.: Representational similarity analysis, Front. Syst. Neurosci. 2008"
_WILLIAMS = "Williams et al.: Generalized Shape Metrics on Neural Representations, NeurIPS 2021"
_HUH = "Huh, Cheung, Wang, Isola: The Platonic Representation Hypothesis, ICML 2024"
_NBS = "Tang et al. 2020; Harvey et al.: Duality of Bures and Shape Distances, UniReps 2023"
_SVCCA = "Raghu, Gilmer, Yosinski, Sohl-Dickstein: SVCCA, NeurIPS 2017"
_PWCCA = "Morcos, Raghu, Bengio: Insights on representational similarity, NeurIPS 2018"
_RBF = frozenset({"permutation", "orthogonal", "translation"})
_SHAPE = _RBF | {"isotropic_scaling"}
_KNN = frozenset({"permutation", "orthogonal", "isotropic_scaling"})
_DISTANCES = {
    "correlation": frozenset({"permutation", "isotropic_scaling", "row_scaling", "row_shift"}),
    "cosine": _KNN | {"row_scaling"},
    "euclidean": _SHAPE,
}


def _cka(pattern: str, invariances: frozenset[str], definition: Callable[..., float]) -> Measure:
    biased = pattern.endswith("_biased")
    reference = _KORNBLITH if biased else f"{_KORNBLITH}; HSIC: Song et al., ICML 2007"
    made = partial(definition, biased=biased)
    return Measure(pattern, "cka", invariances, reference, made, unbiased=not biased)


def _rsa(distance: str, correlation: str) -> Measure:
    pattern, invariances = f"rsa_{distance}_{correlation}", _DISTANCES[distance]
    return Measure(pattern, "rsa", invariances, _RSA, definitions.rsa, unbiased=True)


def _pair_measures() -> list[Measure]:
    d, p = definitions, pair_measures
    corrected = (d.mutual_knn_corrected, p.neighbours, p.mutual_knn_corrected)
    svcca = (d.svcca, p.variance_basis, p.mean_canonical_correlation)
    pwcca = (d.pwcca, p.full_basis, p.projection_weighted_cca, False)
    r2, unrotated = f"{_KORNBLITH}, eq. 5", _SHAPE - {"orthogonal"}
    return [
        Measure("procrustes", "pair", _SHAPE, _WILLIAMS, d.procrustes, p.compact, p.nuclear_cosine),
        Measure("angular_shape", "pair", _SHAPE, _WILLIAMS, d.angular_shape, p.compact, p.angular),
        Measure("nbs", "pair", _SHAPE, _NBS, d.nbs, p.compact, p.nuclear_cosine),
        Measure("svcca_<percent>", "pair", _SHAPE, _SVCCA, *svcca),
        Measure("pwcca", "pair", unrotated, _PWCCA, *pwcca),
        Measure("linear_r2", "pair", _SHAPE, r2, d.linear_r2, p.full_basis, p.linear_r2, False),
        Measure("mutual_knn_<k>", "pair", _KNN, _HUH, d.mutual_knn, p.neighbours, p.mutual_knn),
        Measure("mutual_knn_<k>_corrected", "pair", _KNN, _HUH, *corrected),
        Measure("cknna_<k>", "pair", _KNN, _HUH, d.cknna, p.neighbours, p.cknna),
    ]


#: pattern -> Measure, for every measure there is.
MEASURES: dict[str, Measure] = {
    measure.pattern: measure
    for measure in [
        _cka("cka_linear", _SHAPE, definitions.cka_linear),
        _cka("cka_linear_biased", _SHAPE, definitions.cka_linear),
        _cka("cka_rbf_median_<fraction>", _SHAPE, definitions.cka_rbf_median),
        _cka("cka_rbf_median_<fraction>_biased", _SHAPE, definitions.cka_rbf_median),
        _cka("cka_rbf_<sigma>", _RBF, definitions.cka_rbf),
        _cka("cka_rbf_<sigma>_biased", _RBF, definitions.cka_rbf),
        *(_rsa(distance, c) for distance in _DISTANCES for c in ("pearson", "spearman")),
        *_pair_measures(),
    ]
}


def lookup(name: str) -> MeasureCall:
    """Return the measure that a name stands for.

    Raises
    ------
    UserError
        If there is no such measure, or an option is out of its range.
    """
    if name in MEASURES and not MEASURES[name].options:
        return MeasureCall(name, MEASURES[name], _options(name, MEASURES[name], {}))
    for pattern, measure in MEASURES.items():
        match = re.fullmatch(re.sub(r"<(\w+)>", r"(?P<\1>[^_]*)", pattern), name)
        if match:
            return MeasureCall(name, measure, _options(name, measure, match.groupdict()))
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


def _options(name: str, measure: Measure, texts: dict[str, str]) -> dict[str, Any]:
    """Return a name's options as numbers, checked."""
    options: dict[str, Any] = {}
    for key, text in texts.items():
        value = float(text) if re.fullmatch(_NUMBER, text) else 0.0
        whole = key == "k"
        good = 0 < value < math.inf and (value <= 100 or key != "percent")
        if not good or (whole and value != int(value)):
            raise UserError(f"measure '{name}': {key} must be {OPTIONS[key]}, got '{text}'")
        options[key] = int(value) if whole else value
    if measure.family == "rsa":
        _, options["distance"], options["correlation"] = measure.pattern.split("_")
    return options


def register_measure(
    name: str,
    compare: Callable[[Any, Any], float],
    *,
    reference: str,
    summarize: Callable[[Any], Any] = lambda x: x,
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
        Work that is done once per model.
    symmetric, invariances, unbiased
        See `Measure`.

    Raises
    ------
    UserError
        If the name is taken or is not fit for a file name.

    Examples
    --------
    >>> register_measure("mean_cosine", lambda x, y: float((x.mean(0) @ y.mean(0))), reference="me")
    """
    if name in MEASURES:
        raise UserError(f"measure '{name}' exists already")
    if not re.fullmatch(r"[a-z0-9_.]+", name):
        raise UserError(f"measure '{name}': names are made of lower-case letters, digits, _ and .")

    def definition(x: Array, y: Array) -> float:
        return compare(summarize(x), summarize(y))

    kind = frozenset(invariances)
    functions = (definition, summarize, compare, symmetric, unbiased)
    MEASURES[name] = Measure(name, "pair", kind, reference, *functions)
