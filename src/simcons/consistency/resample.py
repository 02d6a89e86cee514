"""What is drawn and permuted: families of models, within strata, from an explicit seed.

A family holds models that differ in the seed alone (column ``family`` of the model table; by
default every model is its own). It is the unit: its members are drawn and permuted together.
"""

from __future__ import annotations

import itertools
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simcons.consistency.pairs import Floats, Ints, Mask


@dataclass(frozen=True)
class Units:
    """Families of models and the strata within which they are exchanged.

    Attributes
    ----------
    family
        (m,) family number of every model, 0 to F - 1.
    stratum
        (F,) stratum number of every family.
    """

    family: Ints
    stratum: Ints

    @property
    def n_families(self) -> int:
        """F."""
        return len(self.stratum)


def generator(seed: int, *names: object) -> np.random.Generator:
    """Return a generator of its own for every named analysis.

    Adding one category or measure then changes no other one's draws.
    """
    return np.random.default_rng([seed, *(zlib.crc32(str(name).encode()) for name in names)])


def units(family: Ints, labels: Sequence[object] | None = None) -> Units:
    """Return the units with a stratum per set of labels that a family's members have.

    Parameters
    ----------
    family
        (m,) family numbers.
    labels
        (m,) anything with a repr, the same for models that may be exchanged; None: one stratum.
    """
    n_families = int(family.max()) + 1
    if labels is None:
        return Units(family, np.zeros(n_families, dtype=np.intp))
    names = [
        "|".join(sorted({repr(labels[i]) for i in np.flatnonzero(family == f).tolist()}))
        for f in range(n_families)
    ]
    return Units(family, np.unique(names, return_inverse=True)[1].astype(np.intp))


def group_units(family: Ints, first: Mask, second: Mask) -> Units:
    """Return units whose strata keep a group's pairs: in the first set, the second, both, none."""
    labels = first.astype(int) + 2 * second.astype(int)
    return units(family, labels.tolist())


def bootstrap_counts(unit: Units, n: int, rng: np.random.Generator) -> Ints:
    """Draw families with replacement within each stratum.

    Returns
    -------
    (n, m) how often each model is drawn; the same for all members of a family.
    """
    counts = np.zeros((n, unit.n_families), dtype=np.intp)
    for s in np.unique(unit.stratum):
        members = np.flatnonzero(unit.stratum == s)
        k = len(members)
        counts[:, members] = rng.multinomial(k, np.full(k, 1 / k), size=n)
    return counts[:, unit.family]


def jackknife_counts(unit: Units, keep: Mask | None = None) -> Ints:
    """Leave out one family at a time.

    Parameters
    ----------
    unit
        F families.
    keep
        (m,) only families with a member here are left out in turn; None: every one.

    Returns
    -------
    (F', m) zeros and ones.
    """
    everyone = np.arange(unit.n_families)
    chosen = everyone if keep is None else np.unique(unit.family[keep])
    return (unit.family[None, :] != chosen[:, None]).astype(np.intp)


@dataclass(frozen=True)
class Permutations:
    """Permutations and how many distinct ones there are (for the smallest p value)."""

    index: Ints
    n_distinct: float


def model_permutations(
    unit: Units, n: int, rng: np.random.Generator, counted: Mask | None = None
) -> Permutations:
    """Permute model labels: families of one size within a stratum, and members within a family.

    Models of one family resemble each other on every data set, so exchanging single models between
    families would break a structure that is there without any consistency.

    Parameters
    ----------
    unit
        Families and strata.
    n
        Number of permutations.
    rng
        Their source.
    counted
        (m,) the models on which the statistic depends; None: all. Permutations of the others
        change nothing and do not count as distinct.

    Returns
    -------
    Permutations
        ``index`` (n, m): model i gets the label of model ``index[b, i]``.
    """
    index = np.tile(np.arange(len(unit.family)), (n, 1))
    distinct = 0.0
    sizes = np.bincount(unit.family, minlength=unit.n_families)
    for s, size in sorted(set(zip(unit.stratum.tolist(), sizes.tolist(), strict=True))):
        chosen = np.flatnonzero((unit.stratum == s) & (sizes == size))
        members = np.stack([np.flatnonzero(unit.family == f) for f in chosen])  # (k, size)
        k = len(chosen)
        blocks = rng.permuted(np.tile(np.arange(k), (n, 1)), axis=1)
        inside = rng.permuted(np.tile(np.arange(size), (n, k, 1)), axis=2)
        index[:, members.ravel()] = members[blocks[:, :, None], inside].reshape(n, -1)
        if counted is None or counted[members].any():
            distinct += math.lgamma(k + 1) + k * math.lgamma(size + 1)
    return Permutations(index, _exp(distinct))


@dataclass(frozen=True)
class Relabelling:
    """Group labels permuted over families.

    Attributes
    ----------
    in_first
        (n, m) bool: the model carries the first group's label. The observed labels are row 0.
    n_distinct
        How many assignments there are; if ``exact``, all of them are in ``in_first``.
    exact
        Whether every assignment is listed.
    balanced
        Whether both groups have equally many families: swapping all labels is then an assignment
        too, so that the smallest two-sided p is twice as large.
    """

    in_first: Mask
    n_distinct: float
    exact: bool
    balanced: bool

    @property
    def smallest_p(self) -> float:
        """The smallest two-sided p value that the group sizes (and the draws) allow."""
        fewest = (2.0 if self.balanced else 1.0) / self.n_distinct
        return min(1.0, fewest if self.exact else max(1.0 / len(self.in_first), fewest))


def relabel(
    family: Ints, first: Mask, second: Mask, n: int, rng: np.random.Generator
) -> Relabelling:
    """Permute the labels of two groups over their families.

    All assignments are listed if there are at most ``n`` of them; otherwise the observed one and
    ``n`` random ones.

    Parameters
    ----------
    family
        (m,) family numbers.
    first, second
        Disjoint masks (m,). A family with members in both counts as one of the first.
    n
        Number of random permutations.
    rng
        Source of the random ones.
    """
    taken = np.unique(family[first])
    others = np.setdiff1d(np.unique(family[second]), taken)
    both, k = np.concatenate([taken, others]), len(taken)
    logs = [math.lgamma(count + 1) for count in (len(both), k, len(both) - k)]
    distinct = _exp(logs[0] - logs[1] - logs[2])
    exact = distinct <= n + 0.5
    observed = np.zeros(int(family.max()) + 1, dtype=bool)
    observed[taken] = True
    if exact:
        chosen = np.array(list(itertools.combinations(both.tolist(), k)))
        drawn = np.zeros((len(chosen), len(observed)), dtype=bool)
        np.put_along_axis(drawn, chosen, values=True, axis=1)
        drawn = drawn[(drawn != observed).any(axis=1)]
        distinct = float(round(distinct))
    else:
        drawn = np.tile(observed, (n, 1))
        drawn[:, both] = rng.permuted(drawn[:, both], axis=1)
    marks = np.concatenate([observed[None, :], drawn])
    return Relabelling(marks[:, family], distinct, exact, balanced=2 * k == len(both))


def dataset_counts(n_datasets: int, n: int, rng: np.random.Generator) -> Ints:
    """Draw data sets with replacement; (n, D)."""
    return rng.multinomial(n_datasets, np.full(n_datasets, 1 / n_datasets), size=n)


def dataset_pair_weights(counts: NDArray[np.number]) -> Floats:
    """Return how often each data set pair is drawn, (B, E); a data set never pairs with itself."""
    one, two = np.triu_indices(counts.shape[1], k=1)
    return (counts[:, one] * counts[:, two]).astype(np.float64)


def _exp(log_count: float) -> float:
    """Return a count from its logarithm, infinite beyond what a float can hold."""
    return math.exp(log_count) if log_count < 700 else math.inf
