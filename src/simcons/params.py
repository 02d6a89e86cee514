"""params.yaml: the study, validated before anything runs.

Each section is read by the stage of its name. An unknown key, model, data set or measure, or a
value that makes no sense, is refused in one line that names the key, what was got, what is allowed
and the nearest valid name.
"""

from __future__ import annotations

import re
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
    ModelSpec,
    dataset_spec,
    dataset_table,
    model_spec,
    model_table,
)
from simcons.catalog import model_specs as catalogue_models
from simcons.errors import UserError, did_you_mean
from simcons.models.zoo.entry import zoo_model_spec
from simcons.models.zoo.spec import ZooSpec, resolve_spec
from simcons.paths import Paths, folder_name
from simcons.probes.protocol import Protocol
from simcons.validation import load_validated

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
    memory_gb
        Memory budget.
    """

    measures: list[str] = Field(min_length=1)
    normalize: bool = True
    n_blocks: int = Field(default=20, ge=4)
    block_seed: NonNegativeInt = 0
    n_halves: NonNegativeInt = 10
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
        By folder name; an entry without ``id`` has its name as the catalogue's id.
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
    datasets: dict[str, Dataset] = Field(min_length=1)
    models: list[str] = Field(min_length=1)
    zoo: dict[str, dict[str, Any]]
    zoo_training: dict[str, Any]
    zoo_objectives: dict[str, dict[str, Any]]
    zoo_learned: ZooLearned
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
        for dataset in {d for group in self.consistency.overlaps for d in group}:
            if dataset not in self.datasets:
                hint = did_you_mean(dataset, self.datasets)
                raise ValueError(f"consistency.overlaps: unknown data set '{dataset}': {hint}")
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
        if name not in self.datasets:
            raise UserError(
                f"study '{self.study}' has no data set '{name}': "
                f"{did_you_mean(name, self.datasets)}"
            )
        entry = self.datasets[name]
        spec = dataset_spec(entry.id or name)
        return spec.model_copy(update={"options": {**spec.options, **entry.options}})

    def dataset_specs(self) -> dict[str, DatasetSpec]:
        """Return the data sets of the study by folder name, sorted."""
        return {name: self.dataset_spec(name) for name in sorted(self.datasets)}

    def dataset_table(self) -> pd.DataFrame:
        """Return the data sets as a data frame indexed by folder name."""
        return dataset_table(self.dataset_specs())

    def model_table(self) -> pd.DataFrame:
        """Return the models as a data frame indexed by id, with their categories."""
        return model_table(self.model_specs().values())

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
        """Return the data sets that no zoo model trains on, sorted."""
        seen = {d for name in self.zoo for d in self.zoo_spec(name).training_sets}
        return sorted(set(self.datasets) - seen)


def _as_value_error(check: Any, name: str) -> Any:
    try:
        return check(name)
    except UserError as error:
        raise ValueError(str(error)) from None


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
