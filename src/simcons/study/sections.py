"""The sections of params.yaml, each read by the stage of its name."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, field_validator

from simcons.catalog import Category, Labels
from simcons.core.validation import DISTINCT, Checked, found_by

Method = Literal["pearson", "spearman", "kendall"]
Names = Annotated[list[str], DISTINCT]


class Numerics(Checked):
    """What decides the last bits of every stage.

    Attributes
    ----------
    threads
        Threads of every stage: the split of a sum over threads decides its last bits.
    """

    threads: PositiveInt = 2


class Dataset(Checked):
    """One data set of the study.

    Attributes
    ----------
    id
        The catalogue's id; by default the name of the entry.
    options
        What the catalogue's options are overridden with.
    """

    id: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)


class Imported(Checked):
    """Published results that stand in for computed ones (`simcons import-results`).

    Attributes
    ----------
    name
        Folder below ``imports/``; None where nothing is imported.
    similarity, probes
        Folder names of the data sets whose similarities, and whose probe accuracies, come from
        there. Their ids are the catalogue's.
    """

    name: str | None = Field(default=None, pattern=r"^[a-z0-9_]+$")
    similarity: Names = []
    probes: Names = []


class Features(Checked):
    """The features stage.

    Attributes
    ----------
    precision
        Of the forward pass: ``float32``, or ``bfloat16`` or ``float16`` for mixed precision.
    storage
        Of the files: ``float32``, or ``float16`` for half the space.
    """

    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    storage: Literal["float32", "float16"] = "float32"


class Subset(Checked):
    """Which training images similarity is measured on.

    Attributes
    ----------
    max_samples
        At most so many, balanced over classes.
    seed
        Of the draw.
    """

    max_samples: int = Field(ge=4)
    seed: NonNegativeInt = 0


def _measure(name: str) -> None:
    from simcons.similarity import lookup

    lookup(name)


class Similarity(Checked):
    """The similarity stage.

    Attributes
    ----------
    measures
        Names of `simcons.similarity.MEASURES`.
    normalize
        Scale each image's features to unit length first (the RBF bandwidths assume it).
    n_blocks, block_seed
        Random blocks of images, for standard errors and split halves.
    n_halves
        Random splits of the blocks into halves, for reliability.
    chance_draws
        Shuffles of the images, for the similarity of models that have nothing in common.
    memory_gb
        Memory budget.
    """

    measures: Annotated[list[Annotated[str, found_by(_measure)]], DISTINCT, Field(min_length=1)]
    normalize: bool = True
    n_blocks: int = Field(default=20, ge=4)
    block_seed: NonNegativeInt = 0
    n_halves: NonNegativeInt = 10
    chance_draws: NonNegativeInt = 3
    memory_gb: PositiveFloat = 4.0


class Consistency(Checked):
    """The consistency and performance-gap stages.

    Attributes
    ----------
    methods
        Correlations of similarities over model pairs.
    categories
        Model categories whose pairs of values are analysed.
    min_pairs
        Groups with fewer model pairs are left out, and listed.
    n_bootstrap, n_permutations, confidence, seed
        Of intervals and tests.
    contrast, strata
        Contrasts between the groups of a category within groups of others.
    given
        What partial correlations hold fixed.
    anchors
        Ids of models whose own consistency is shown.
    overlaps
        Lists of data sets that share images.
    accuracy_from
        Data set without probes of its own -> the one whose probe accuracies stand for them (a
        subset of ImageNet -> ImageNet).
    labels
        The models' categories: the ``paper``'s, or ``corrected`` where the weights contradict them.
    """

    methods: Annotated[list[Method], DISTINCT] = Field(min_length=1)
    categories: list[Category]
    min_pairs: int = Field(default=3, ge=3)
    n_bootstrap: int = Field(default=2000, ge=100)
    n_permutations: int = Field(default=2000, ge=100)
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    seed: NonNegativeInt = 0
    contrast: Category | None = None
    strata: list[Category] = []
    given: list[Category] = []
    anchors: list[str] = []
    overlaps: list[list[str]] = []
    accuracy_from: dict[str, str] = {}
    labels: Labels = "paper"

    @field_validator("methods")
    @classmethod
    def _with_intervals(cls, methods: list[Method]) -> list[Method]:
        if set(methods) == {"kendall"}:
            raise ValueError("got kendall alone; intervals and tests need pearson or spearman too")
        return methods


class ZooLearned(Checked):
    """When a zoo model counts as having learned.

    Attributes
    ----------
    margin
        Its linear probes, averaged over the data sets that no zoo model trained on, must beat those
        of its architecture's untrained controls by this much accuracy (0 to 1).
    """

    margin: float = Field(default=0.02, ge=0, le=1)
