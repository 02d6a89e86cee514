"""What the engine returns: a matrix of similarities with real model ids, per measure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, permutations
from typing import TYPE_CHECKING, Any

import numpy as np

from simcons.core.arrays import Array
from simcons.core.errors import UserError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class SimilarityMatrix:
    """Similarities between m models, by one measure, on one set of images.

    Parameters
    ----------
    models
        The m model ids.
    values
        (m, m) float64; larger is more similar. Symmetric unless the measure is not; the entry
        (i, j) is the similarity of models[i] with models[j].
    standard_error
        (m, m) float64 standard errors of the values over the choice of images, or None. NaN where
        it could not be estimated (never on the whole matrix without `SimilarityResult.metadata`
        saying why).
    reliability
        Split-half reliability over all pairs, Spearman-Brown corrected, or None.
    measure
        The measure's name, or None.

    Raises
    ------
    UserError
        If shapes do not match, a model is given twice, or a value is not a finite number.
    """

    models: list[str]
    values: Array
    standard_error: Array | None = None
    reliability: float | None = None
    measure: str | None = None

    def __post_init__(self) -> None:
        label = f"similarity '{self.measure}'" if self.measure else "similarity"
        object.__setattr__(self, "models", list(self.models))
        object.__setattr__(self, "values", np.asarray(self.values, dtype=np.float64))
        twice = sorted({m for m in self.models if self.models.count(m) > 1})
        if twice:
            raise UserError(f"{label}: model given twice: {', '.join(twice)}")
        self._check_shape(label, "values", self.values)
        if self.standard_error is not None:
            error = np.asarray(self.standard_error, dtype=np.float64)
            object.__setattr__(self, "standard_error", error)
            self._check_shape(label, "standard_error", error)
        bad = np.argwhere(~np.isfinite(self.values))
        if len(bad):
            i, j = bad[0]
            raise UserError(
                f"{label}: the value of {self.models[i]} and {self.models[j]} is "
                f"{self.values[i, j]}, not a finite number ({len(bad)} such entries)"
            )

    def _check_shape(self, label: str, name: str, array: Array) -> None:
        m = len(self.models)
        if array.shape != (m, m):
            raise UserError(f"{label}: {name} has shape {array.shape}, {m} models need ({m}, {m})")

    @property
    def symmetric(self) -> bool:
        """Whether the values are symmetric to the last bit."""
        return bool(np.array_equal(self.values, self.values.T))

    def index(self, model: str) -> int:
        """Return the position of a model.

        Raises
        ------
        UserError
            If the matrix has no such model.
        """
        try:
            return self.models.index(model)
        except ValueError:
            hint = did_you_mean(model, self.models)
            raise UserError(f"no model '{model}' in the similarity matrix: {hint}") from None

    def select(self, models: Sequence[str]) -> SimilarityMatrix:
        """Return the matrix of some of the models, in the order given (reliability is dropped)."""
        at = np.array([self.index(m) for m in models], dtype=int)
        error = None if self.standard_error is None else self.standard_error[np.ix_(at, at)]
        return SimilarityMatrix(
            list(models), self.values[np.ix_(at, at)], error, None, self.measure
        )

    def pairs(self, *, ordered: bool = False) -> pd.DataFrame:
        """Return a tidy table: model_1, model_2, value, standard_error.

        Parameters
        ----------
        ordered
            Every ordered pair (for measures that are not symmetric) instead of every unordered
            pair once, model_1 before model_2 in sorted order.
        """
        import pandas as pd

        pairs = model_pairs(self.models, ordered=ordered)
        at = [(self.models.index(a), self.models.index(b)) for a, b in pairs]
        error = self.standard_error
        return pd.DataFrame(
            {
                "model_1": pd.Series([a for a, _ in pairs], dtype=object),
                "model_2": pd.Series([b for _, b in pairs], dtype=object),
                "value": [self.values[i, j] for i, j in at],
                "standard_error": [np.nan if error is None else error[i, j] for i, j in at],
            }
        ).astype({"value": np.float64, "standard_error": np.float64})


def model_pairs(models: Sequence[str], *, ordered: bool = False) -> list[tuple[str, str]]:
    """Return all pairs of different models, sorted: each unordered pair once, or every ordered."""
    names = sorted(models)
    return list(permutations(names, 2)) if ordered else list(combinations(names, 2))


@dataclass(frozen=True)
class SimilarityResult(Mapping[str, SimilarityMatrix]):
    """All measures of one computation: a mapping from measure name to `SimilarityMatrix`.

    Parameters
    ----------
    matrices
        Measure name -> matrix; all have the same models, sorted.
    replicates
        Table with columns measure, kind (``"jackknife"`` or ``"half"``), replicate, model_1,
        model_2, value. Halves 2k and 2k + 1 are the complementary halves of random split k. Values
        that do not exist on a subset of the images are NaN.
    metadata
        JSON-able facts: models, measures, n_images, n_blocks, block_seed, normalize, notes, ...
    """

    matrices: Mapping[str, SimilarityMatrix]
    replicates: pd.DataFrame
    metadata: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> SimilarityMatrix:
        if name not in self.matrices:
            hint = did_you_mean(name, self.matrices)
            raise UserError(f"measure '{name}' was not computed: {hint}")
        return self.matrices[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.matrices)

    def __len__(self) -> int:
        return len(self.matrices)

    @property
    def models(self) -> list[str]:
        """The models, sorted."""
        return list(self.metadata["models"])
