"""params.yaml: the study, validated before anything runs.

Each section is read by the stage of its name. An unknown key, model, data set or measure, or a
value that makes no sense, is refused in one line that names the key, what was got, what is allowed
and the nearest valid name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PlainValidator,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from simcons.catalog import (
    DatasetSpec,
    Labels,
    ModelSpec,
    dataset_spec,
    dataset_specs,
    dataset_table,
    model_spec,
    model_table,
)
from simcons.catalog import model_specs as catalogue_models
from simcons.core.errors import UserError, did_you_mean
from simcons.core.paths import Paths, folder_name
from simcons.core.validation import load_validated
from simcons.models.zoo.entry import zoo_model_spec
from simcons.models.zoo.spec import ZooSpec, resolve_spec
from simcons.probes.protocol import Protocol

if TYPE_CHECKING:
    import pandas as pd

Method = Literal["pearson", "spearman", "kendall"]
Category = Literal["objective", "architecture_class", "train_data_class", "size_class"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Numerics(_Section):
    """What decides the last bits of every stage.

    Attributes
    ----------
    threads
        Threads of every stage: the split of a sum over threads decides its last bits.
    """

    threads: PositiveInt = 2


class Dataset(_Section):
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


class Imported(_Section):
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
    similarity: list[str] = []
    probes: list[str] = []

    @model_validator(mode="after")
    def _named(self) -> Imported:
        if self.name is None and (self.similarity or self.probes):
            raise ValueError("imported.name: got None; name the folder below imports/")
        return self


class Features(_Section):
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


class Subset(_Section):
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


class Similarity(_Section):
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

    measures: list[str] = Field(min_length=1)
    normalize: bool = True
    n_blocks: int = Field(default=20, ge=4)
    block_seed: NonNegativeInt = 0
    n_halves: NonNegativeInt = 10
    chance_draws: NonNegativeInt = 3
    memory_gb: PositiveFloat = 4.0

    @field_validator("measures")
    @classmethod
    def _known(cls, measures: list[str]) -> list[str]:
        from simcons.similarity import lookup

        for name in measures:
            try:
                lookup(name)
            except UserError as error:
                raise ValueError(str(error)) from None
        return _unique(measures, "measure")


def _protocol(section: Any) -> Protocol:
    if not isinstance(section, dict):
        raise ValueError(f"probe: got {section!r}; allowed: a map of settings")
    try:
        return Protocol.from_params(section)
    except UserError as error:
        raise ValueError(str(error)) from None


class Consistency(_Section):
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

    methods: list[Method] = Field(min_length=1)
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


class ZooLearned(_Section):
    """When a zoo model counts as having learned.

    Attributes
    ----------
    margin
        Its linear probes, averaged over the data sets that no zoo model trained on, must beat those
        of its architecture's untrained controls by this much accuracy (0 to 1).
    """

    margin: float = Field(default=0.02, ge=0, le=1)


class Study(_Section):
    """A study: params.yaml as a whole. Every section is there, since DVC refuses to miss one.

    Attributes
    ----------
    study
        Its name.
    datasets
        By folder name; an entry without ``id`` has its name as the catalogue's id. Features are
        extracted on all of them.
    similarity_datasets, probe_datasets
        Names of those on which similarity is measured, and of those on which probes are trained.
    variants
        Data sets with a test split only, each with the one whose probes it is scored with.
    imported
        Published results on further data sets.
    models
        Ids of the catalogue.
    zoo
        Models that the pipeline trains itself, by id: what sets each apart.
    zoo_training, zoo_objectives
        What all trained models share, and what those of one objective share (by objective).
    zoo_learned
        When a trained model counts as having learned.
    """

    study: str
    numerics: Numerics
    datasets: dict[str, Dataset]
    similarity_datasets: list[str]
    probe_datasets: list[str]
    variants: dict[str, str]
    imported: Imported
    models: list[str] = Field(min_length=1)
    zoo: dict[str, dict[str, Any]]
    zoo_training: dict[str, Any]
    zoo_objectives: dict[str, dict[str, Any]]
    zoo_learned: ZooLearned
    features: Features
    subset: Subset
    similarity: Similarity
    probe: Annotated[Protocol, PlainValidator(_protocol)]
    consistency: Consistency

    @field_validator("models")
    @classmethod
    def _models(cls, models: list[str]) -> list[str]:
        for model in models:
            _as_value_error(model_spec, model)
        return _unique(models, "model")

    @field_validator("datasets", mode="before")
    @classmethod
    def _empty_entries(cls, datasets: Any) -> Any:
        if not isinstance(datasets, dict):
            return datasets
        return {name: entry if entry is not None else {} for name, entry in datasets.items()}

    @model_validator(mode="after")
    def _zoo(self) -> Study:
        for name in self.zoo:
            if re.fullmatch(r"[a-z0-9_]+", name) is None:
                raise ValueError(
                    f"zoo: '{name}' names a folder and a stage, so it may hold only a-z, 0-9 and _"
                )
            if name in catalogue_models():
                raise ValueError(f"zoo: '{name}' is a model of the catalogue; take another name")
            spec = _as_value_error(self.zoo_spec, name)
            for dataset in spec.training_sets:
                if dataset not in self.datasets:
                    raise ValueError(
                        f"zoo.{name}.training_sets: unknown data set '{dataset}': "
                        f"{did_you_mean(dataset, self.datasets)}"
                    )
        return self

    @model_validator(mode="after")
    def _names_in_consistency(self) -> Study:
        for anchor in self.consistency.anchors:
            if anchor not in [*self.models, *self.zoo]:
                hint = did_you_mean(anchor, [*self.models, *self.zoo])
                raise ValueError(f"consistency.anchors: unknown model '{anchor}': {hint}")
        measured, probed = self.measured(), self.probed()
        for dataset in {d for group in self.consistency.overlaps for d in group}:
            _known("consistency.overlaps", dataset, measured)
        for dataset, other in self.consistency.accuracy_from.items():
            _known("consistency.accuracy_from", dataset, measured)
            _known(f"consistency.accuracy_from.{dataset}", other, probed)
            if dataset in probed:
                raise ValueError(
                    f"consistency.accuracy_from: '{dataset}' is probed itself; take it out here"
                )
        return self

    @model_validator(mode="after")
    def _roles(self) -> Study:
        """Check which data sets are measured, probed and imported."""
        for key, published in (("similarity", "similarity"), ("probe", "probes")):
            own, given = getattr(self, f"{key}_datasets"), getattr(self.imported, published)
            for dataset in _unique(own, f"{key}_datasets: data set"):
                _known(f"{key}_datasets", dataset, self.datasets)
            for dataset in _unique(given, f"imported.{published}: data set"):
                _known(f"imported.{published}", dataset, dataset_specs())
                if dataset in own:
                    raise ValueError(
                        f"imported.{published}: '{dataset}' is in {key}_datasets too; its "
                        f"results are either computed or imported"
                    )
        if not self.measured():
            raise ValueError("similarity_datasets: got []; name at least one data set")
        if self.zoo and (self.imported.similarity or self.imported.probes):
            raise ValueError("imported: published results hold no model of the zoo; leave zoo {}")
        return self

    @model_validator(mode="after")
    def _variants(self) -> Study:
        for name, parent in self.variants.items():
            _known("variants", name, self.datasets)
            _known(f"variants.{name}", parent, self.probe_datasets)
            wanted = _as_value_error(self.dataset_spec, name).variant_of
            if wanted is None:
                raise ValueError(f"variants: '{name}' has a train split; name it in probe_datasets")
            if _as_value_error(self.dataset_spec, parent).id != wanted:
                raise ValueError(f"variants.{name}: got '{parent}'; it is a variant of '{wanted}'")
        for key in ("similarity_datasets", "probe_datasets"):
            for name in getattr(self, key):
                if self.dataset_spec(name).variant_of is not None:
                    raise ValueError(
                        f"{key}: '{name}' has a test split only; name it in variants instead"
                    )
        return self

    @model_validator(mode="after")
    def _datasets(self) -> Study:
        for name, entry in self.datasets.items():
            if folder_name(name) != name:
                raise ValueError(
                    f"datasets: '{name}' names a folder and a stage, so it may hold only "
                    f"a-z, 0-9 and _; write '{folder_name(name)}: {{id: {name}}}'"
                )
            spec = _as_value_error(dataset_spec, entry.id or name)
            for option in entry.options:
                if option not in spec.options:
                    raise ValueError(
                        f"datasets.{name}.options: unknown option '{option}': "
                        f"{did_you_mean(option, spec.options)}"
                    )
        return self

    def dataset_spec(self, name: str) -> DatasetSpec:
        """Return the catalogue's entry of a data set of the study, with the study's options.

        Raises
        ------
        UserError
            If the study has no such data set.
        """
        if name not in self.names():
            raise UserError(
                f"study '{self.study}' has no data set '{name}': {did_you_mean(name, self.names())}"
            )
        if name not in self.datasets:
            return dataset_spec(name)
        entry = self.datasets[name]
        spec = dataset_spec(entry.id or name)
        return spec.model_copy(update={"options": {**spec.options, **entry.options}})

    def dataset_specs(self) -> dict[str, DatasetSpec]:
        """Return the data sets of the study by folder name, sorted."""
        return {name: self.dataset_spec(name) for name in self.names()}

    def names(self) -> list[str]:
        """Return the folder names of all data sets, computed or imported, sorted."""
        return sorted({*self.datasets, *self.imported.similarity, *self.imported.probes})

    def measured(self) -> list[str]:
        """Return the data sets on which there are similarities, sorted."""
        return sorted([*self.similarity_datasets, *self.imported.similarity])

    def probed(self) -> list[str]:
        """Return the data sets on which there are probes, sorted."""
        return sorted([*self.probe_datasets, *self.imported.probes])

    def dataset_table(self) -> pd.DataFrame:
        """Return the data sets as a data frame indexed by folder name."""
        return dataset_table(self.dataset_specs())

    def model_table(self) -> pd.DataFrame:
        """Return the models as a data frame indexed by id, with their categories."""
        return model_table(self.model_specs().values(), self.consistency.labels)

    def model_specs(self) -> dict[str, ModelSpec]:
        """Return the models of the study by id, sorted: the catalogue's and the zoo's."""
        chosen = {model: model_spec(model) for model in self.models}
        chosen |= {
            name: zoo_model_spec(name, self.zoo_spec(name), str(Paths().zoo_weights(name)))
            for name in self.zoo
        }
        return dict(sorted(chosen.items()))

    def zoo_spec(self, name: str) -> ZooSpec:
        """Return what a zoo model is, with what it shares with others.

        Raises
        ------
        UserError
            If the study has no such zoo model, or its spec is not valid.
        """
        if name not in self.zoo:
            raise UserError(
                f"study '{self.study}' has no zoo model '{name}': {did_you_mean(name, self.zoo)}"
            )
        return resolve_spec(name, self.zoo[name], self.zoo_training, self.zoo_objectives)

    def held_out(self) -> list[str]:
        """Return the data sets with probes that no zoo model trains on, sorted."""
        seen = {d for name in self.zoo for d in self.zoo_spec(name).training_sets}
        return sorted(set(self.probed()) - seen)


def _as_value_error(check: Any, name: str) -> Any:
    try:
        return check(name)
    except UserError as error:
        raise ValueError(str(error)) from None


def _known(key: str, name: str, allowed: Iterable[str]) -> None:
    """Refuse an unknown data set."""
    if name not in allowed:
        raise ValueError(f"{key}: unknown data set '{name}': {did_you_mean(name, allowed)}")


def _unique(names: list[str], what: str) -> list[str]:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{what} '{twice[0]}' is listed twice")
    return names


def load_study(path: Path = Path("params.yaml")) -> Study:
    """Read and validate a study.

    Raises
    ------
    UserError
        If the file is missing, is not YAML, or holds anything that is not allowed: one line for
        each problem.
    """
    return load_validated(Study, path)
