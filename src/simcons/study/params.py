"""params.yaml: the study, validated before anything runs.

An unknown key, model, data set or measure, or a value that makes no sense, is refused in one line
that names the key, what was got, what is allowed and the nearest valid name.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, model_validator

from simcons.catalog import (
    DatasetSpec,
    ModelSpec,
    dataset_spec,
    dataset_specs,
    dataset_table,
    model_spec,
    model_specs,
    model_table,
)
from simcons.core.errors import UserError, known
from simcons.core.paths import Paths, folder_name
from simcons.core.validation import (
    DISTINCT,
    EMPTY_IS_DEFAULT,
    Checked,
    found_by,
    load_validated,
)
from simcons.models.zoo.entry import zoo_model_spec
from simcons.models.zoo.spec import ZooSpec, resolve_spec
from simcons.probes.protocol import Protocol
from simcons.study.sections import (
    Consistency,
    Dataset,
    Features,
    Imported,
    Names,
    Numerics,
    Similarity,
    Subset,
    ZooLearned,
)

if TYPE_CHECKING:
    import pandas as pd


class Study(Checked):
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
    datasets: dict[str, Annotated[Dataset, EMPTY_IS_DEFAULT]]
    similarity_datasets: Names
    probe_datasets: Names
    variants: dict[str, str]
    imported: Imported
    models: Annotated[list[Annotated[str, found_by(model_spec)]], DISTINCT, Field(min_length=1)]
    zoo: dict[str, dict[str, Any]]
    zoo_training: dict[str, Any]
    zoo_objectives: dict[str, dict[str, Any]]
    zoo_learned: ZooLearned
    features: Features
    subset: Subset
    similarity: Similarity
    probe: Protocol
    consistency: Consistency

    @model_validator(mode="after")
    def _names_fit(self) -> Study:
        """Check every name that the study takes from another section or from the catalogue."""
        self._check_datasets()
        self._check_zoo()
        self._check_variants()
        for section in ("similarity", "probe"):
            self._check_results(section)
        if not self.measured():
            raise UserError("similarity_datasets: got []; name at least one data set")
        self._check_consistency()
        return self

    def _check_datasets(self) -> None:
        for name, entry in self.datasets.items():
            if folder_name(name) != name:
                raise UserError(
                    f"datasets: '{name}' names a folder and a stage, so it may hold only "
                    f"a-z, 0-9 and _; write '{folder_name(name)}: {{id: {name}}}'"
                )
            try:
                spec = dataset_spec(entry.id or name)
            except UserError as error:
                raise UserError(f"datasets.{name}: {error}") from None
            for option in entry.options:
                known("option", option, spec.options, key=f"datasets.{name}.options")

    def _check_zoo(self) -> None:
        for name in self.zoo:
            if re.fullmatch(r"[a-z0-9_]+", name) is None:
                raise UserError(
                    f"zoo: '{name}' names a folder and a stage, so it may hold only a-z, 0-9 and _"
                )
            if name in model_specs():
                raise UserError(f"zoo: '{name}' is a model of the catalogue; take another name")
            for dataset in self.zoo_spec(name).training_sets:
                known("data set", dataset, self.datasets, key=f"zoo.{name}.training_sets")

    def _check_variants(self) -> None:
        for name, parent in self.variants.items():
            known("data set", name, self.datasets, key="variants")
            known("data set", parent, self.probe_datasets, key=f"variants.{name}")
            wanted = self.dataset_spec(name).variant_of
            if wanted is None:
                raise UserError(f"variants: '{name}' has a train split; name it in probe_datasets")
            if self.dataset_spec(parent).id != wanted:
                raise UserError(f"variants.{name}: got '{parent}'; it is a variant of '{wanted}'")

    def _check_results(self, section: str) -> None:
        """Check which data sets have similarities, or probes, of their own and which imported."""
        key, published = f"{section}_datasets", "probes" if section == "probe" else section
        own, imported = getattr(self, key), getattr(self.imported, published)
        for name in own:
            known("data set", name, self.datasets, key=key)
            if self.dataset_spec(name).variant_of is not None:
                raise UserError(
                    f"{key}: '{name}' has a test split only; name it in variants instead"
                )
        if imported and self.imported.name is None:
            raise UserError("imported.name: got None; name the folder below imports/")
        for name in imported:
            known("data set", name, dataset_specs(), key=f"imported.{published}")
            if name in own:
                raise UserError(
                    f"imported.{published}: '{name}' is in {key} too; its results are either "
                    f"computed or imported"
                )
        if imported and self.zoo:
            raise UserError("imported: published results hold no model of the zoo; leave zoo {}")

    def _check_consistency(self) -> None:
        for anchor in self.consistency.anchors:
            known("model", anchor, [*self.models, *self.zoo], key="consistency.anchors")
        for name in {name for group in self.consistency.overlaps for name in group}:
            known("data set", name, self.measured(), key="consistency.overlaps")
        for name, other in self.consistency.accuracy_from.items():
            known("data set", name, self.measured(), key="consistency.accuracy_from")
            known("data set", other, self.probed(), key=f"consistency.accuracy_from.{name}")
            if name in self.probed():
                raise UserError(
                    f"consistency.accuracy_from: '{name}' is probed itself; take it out here"
                )

    def dataset_spec(self, name: str) -> DatasetSpec:
        """Return the catalogue's entry of a data set of the study, with the study's options.

        Raises
        ------
        UserError
            If the study has no such data set.
        """
        entry = self.datasets.get(known("data set", name, self.names(), key=self._key), Dataset())
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
        entry = self.zoo[known("zoo model", name, self.zoo, key=self._key)]
        return resolve_spec(name, entry, self.zoo_training, self.zoo_objectives)

    @property
    def _key(self) -> str:
        return f"study '{self.study}'"

    def held_out(self) -> list[str]:
        """Return the data sets with probes that no zoo model trains on, sorted."""
        seen = {d for name in self.zoo for d in self.zoo_spec(name).training_sets}
        return sorted(set(self.probed()) - seen)


def load_study(path: Path = Path("params.yaml")) -> Study:
    """Read and validate a study.

    Raises
    ------
    UserError
        If the file is missing, is not YAML, or holds anything that is not allowed: one line for
        each problem.
    """
    return load_validated(Study, path)
