"""What every analysis is a function of: similarities of one measure, model table and settings.

Groups of models, their families and the bootstrap draws follow from these, and are made once.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from simcons.consistency.bootstrap import Replicates
from simcons.consistency.categories import category_values, families
from simcons.consistency.correlation import (
    RESAMPLED_METHODS,
    check_method,
    pair_weights,
    weighted_correlation,
)
from simcons.consistency.limits import availability
from simcons.consistency.pairs import (
    Floats,
    Ints,
    Mask,
    PairIndex,
    align,
    pair_index,
    pair_vectors,
)
from simcons.consistency.resample import (
    Units,
    bootstrap_counts,
    dataset_counts,
    dataset_pair_weights,
    generator,
    jackknife_counts,
    units,
)
from simcons.core.errors import UserError

if TYPE_CHECKING:
    from simcons.similarity import SimilarityMatrix

ALL = "all"
MIN_PAIRS = 3


@dataclass(frozen=True)
class Settings:
    """What to analyse, and how; the section ``consistency`` of params.yaml.

    Attributes
    ----------
    methods
        Correlations; ``kendall`` is given as a point estimate only.
    categories
        Columns of the model table.
    min_pairs
        Groups with fewer model pairs are left out, and listed.
    n_bootstrap, n_permutations, confidence, seed
        Of intervals and tests.
    contrast
        The category of the stratified contrasts.
    strata
        What the stratified contrasts of ``contrast`` hold fixed.
    given
        What the partial correlations hold fixed.
    anchors
        Ids of single anchor models.
    overlaps
        Sets of data sets that share images. Data sets outside the study are allowed there, since
        the list describes the data sets and not the study.
    """

    methods: Sequence[str] = RESAMPLED_METHODS
    categories: Sequence[str] = ()
    min_pairs: int = MIN_PAIRS
    n_bootstrap: int = 2000
    n_permutations: int = 2000
    confidence: float = 0.95
    seed: int = 0
    contrast: str | None = None
    strata: Sequence[str] = ()
    given: Sequence[str] = ()
    anchors: Sequence[str] = ()
    overlaps: Sequence[Sequence[str]] = ()

    @classmethod
    def of(cls, section: object) -> Settings:
        """Return the settings that another object, such as a section of params.yaml, holds."""
        return cls(
            **{field.name: getattr(section, field.name) for field in dataclasses.fields(cls)}
        )

    @property
    def resampled(self) -> list[str]:
        """The methods that intervals and tests are given for."""
        return [method for method in self.methods if method in RESAMPLED_METHODS]

    def check(self) -> None:
        """Refuse an unknown method, and groups too small for a correlation."""
        if self.min_pairs < MIN_PAIRS:
            raise UserError(
                f"consistency.min_pairs: got {self.min_pairs}; "
                f"a correlation needs at least {MIN_PAIRS}"
            )
        for method in self.methods:
            check_method(method)


DEFAULTS = Settings()


@dataclass(frozen=True, eq=False)
class Group:
    """Two model sets whose pairs are analysed together.

    Attributes
    ----------
    category
        The model table's column, or ``all``.
    group_1, group_2
        The two values of the category (equal: pairs within one value).
    first, second
        Masks (m,) over the models.
    """

    category: str
    group_1: str
    group_2: str
    first: Mask
    second: Mask

    @cached_property
    def pairs(self) -> PairIndex:
        """The group's unordered pairs."""
        return pair_index(self.first, self.second)

    @property
    def names(self) -> dict[str, Any]:
        """The group's names, as columns of a table."""
        return {"category": self.category, "group_1": self.group_1, "group_2": self.group_2}

    def against(self, other: Group) -> dict[str, Any]:
        """Return the names of a comparison with another value of the same category."""
        return {**self.names, "group_2": other.group_1}


@dataclass(frozen=True, eq=False)
class Analysis:
    """The similarities of one measure on several data sets, and all that an analysis asks of them.

    Attributes
    ----------
    measure
        Its name.
    datasets
        Sorted names, length D; E = D (D - 1) / 2 pairs of data sets.
    models
        Sorted ids, length m.
    values
        (D, m, m) float64, symmetric; the diagonal is never used.
    table
        Model table indexed by id; it may hold further models. Its column ``family`` (optional)
        names models that differ in the seed alone.
    settings
        What to analyse, and how.
    """

    measure: str
    datasets: list[str]
    models: list[str]
    values: Floats
    table: pd.DataFrame
    settings: Settings

    @classmethod
    def of(
        cls,
        similarities: Mapping[str, SimilarityMatrix],
        table: pd.DataFrame | None = None,
        settings: Settings = DEFAULTS,
        measure: str = "similarity",
        models: Iterable[str] | None = None,
    ) -> Analysis:
        """Line up a similarity matrix per data set, of all models or of those asked for.

        Raises
        ------
        UserError
            As `align`, or for settings that make no sense.
        """
        settings.check()
        table = pd.DataFrame() if table is None else table
        return cls(measure, *align(similarities, models), table, settings)

    @cached_property
    def groups(self) -> list[Group]:
        """The group of all models and, per category, every unordered pair of its values.

        Models without a value are in no group of that category.
        """
        everyone = np.ones(len(self.models), dtype=bool)
        found = [Group(ALL, ALL, ALL, everyone, everyone)]
        for category in self.settings.categories:
            masks = self.masks(category)
            found += [
                Group(category, a, b, masks[a], masks[b])
                for a, b in itertools.combinations_with_replacement(masks, 2)
            ]
        return found

    @cached_property
    def usable(self) -> list[Group]:
        """The groups with enough model pairs for a correlation."""
        return [group for group in self.groups if len(group.pairs) >= MIN_PAIRS]

    @cached_property
    def contrasts(self) -> list[tuple[Group, Group]]:
        """Every two usable groups within different values of one category."""
        within = [group for group in self.usable if group.group_1 == group.group_2]
        return [(a, b) for a, b in itertools.combinations(within, 2) if a.category == b.category]

    def labels(self, category: str) -> list[str | None]:
        """Return each model's value of a category as text, None where it has none."""
        return category_values(self.models, self.table, category)

    def masks(self, category: str) -> dict[str, Mask]:
        """Return the mask (m,) of the models with each value of a category, sorted by value."""
        labels = self.labels(category)
        values = sorted({label for label in labels if label is not None})
        return {v: np.array([label == v for label in labels], dtype=bool) for v in values}

    def vectors(self, group: Group) -> Floats:
        """Return the similarities (D, P) of a group's pairs."""
        return pair_vectors(self.values, group.pairs)

    @property
    def dataset_pairs(self) -> tuple[Ints, Ints]:
        """The two index arrays (E,) of all unordered pairs of data sets, in sorted order."""
        return np.triu_indices(len(self.datasets), k=1)

    def by_dataset_pair(
        self, names: Mapping[str, object], columns: Mapping[str, object]
    ) -> pd.DataFrame:
        """Return a table with a row per pair of data sets.

        Parameters
        ----------
        names
            Constant columns, which come first.
        columns
            Constants or arrays (E,), after ``dataset_1`` and ``dataset_2``.
        """
        ids = np.array(self.datasets, dtype=object)
        one, two = (ids[index] for index in self.dataset_pairs)
        return pd.DataFrame({**names, "dataset_1": one, "dataset_2": two, **columns})

    @cached_property
    def family(self) -> Ints:
        """(m,) family numbers: the models of a family are drawn and permuted together."""
        return families(self.models, self.table)

    def n_families(self, group: Group) -> list[int]:
        """Return how many families each of a group's two sets has."""
        return [len(np.unique(self.family[mask])) for mask in (group.first, group.second)]

    def unavailable(self, *groups: Group) -> str:
        """Return why groups get no interval, or an empty string."""
        return availability([n for g in groups for n in self.n_families(g)], len(self.datasets))

    def units(self, category: str) -> Units:
        """Return the families, stratified by their value of a category."""
        return units(self.family, None if category == ALL else self.labels(category))

    @cached_property
    def dataset_draws(self) -> Floats:
        """(B, E) how often each pair of data sets is drawn."""
        rng = generator(self.settings.seed, "datasets")
        counts = dataset_counts(len(self.datasets), self.settings.n_bootstrap, rng)
        return dataset_pair_weights(counts)

    def replicates(self, group: Group, method: str) -> Replicates:
        """Return a group's r observed, bootstrapped over models, and with one family left out.

        All groups of one category share the same draws, so that differences between them are valid.
        """
        return self._contrasted.get((group, method)) or self._resample(group, method)

    @cached_property
    def _contrasted(self) -> dict[tuple[Group, str], Replicates]:
        """Those of the groups that are contrasted, each of which is needed several times."""
        groups = dict.fromkeys(group for pair in self.contrasts for group in pair)
        return {(g, m): self._resample(g, m) for g in groups for m in self.settings.resampled}

    def _resample(self, group: Group, method: str) -> Replicates:
        unit, n = self.units(group.category), self.settings.n_bootstrap
        reason = self.unavailable(group)
        counts = [np.ones((1, len(self.models)), dtype=np.intp)]
        if not reason:
            rng = generator(self.settings.seed, group.category)
            counts.append(bootstrap_counts(unit, n, rng))
            counts.append(jackknife_counts(unit, group.first | group.second))
        weights = pair_weights(np.concatenate(counts), unit.family, group.pairs)
        r = weighted_correlation(self.vectors(group), weights, method)
        observed, models, left_out = np.split(r, [1, 1 if reason else 1 + n])
        sizes = (len(self.datasets), min(self.n_families(group)))
        return Replicates(observed, models, left_out, self.dataset_draws, *sizes, reason)
