"""The catalogue's tables: lookup by id, and the categories of a list of models as a data frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from simcons.catalog.specs import DatasetSpec, ModelSpec
from simcons.errors import UserError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

Spec = TypeVar("Spec", ModelSpec, DatasetSpec)

# What the study compares, in the order of its figures.
CATEGORIES = ("objective", "architecture_class", "train_data_class", "size_class")


def _read(name: str) -> dict[str, dict[str, Any]]:
    from ruamel.yaml import YAML

    text = files("simcons.catalog").joinpath(name).read_text(encoding="utf-8")
    return YAML(typ="safe").load(text) or {}


@cache
def model_specs() -> dict[str, ModelSpec]:
    """Return every model of the catalogue by id."""
    return {key: _checked(ModelSpec, key, entry) for key, entry in _read("models.yaml").items()}


@cache
def dataset_specs() -> dict[str, DatasetSpec]:
    """Return every data set of the catalogue by id."""
    return {key: _checked(DatasetSpec, key, entry) for key, entry in _read("datasets.yaml").items()}


def _checked(kind: type[Spec], key: str, entry: dict[str, Any]) -> Spec:
    try:
        return kind(id=key, **entry)
    except ValidationError as error:
        raise UserError(f"catalogue entry '{key}': {error.errors()[0]['msg']}") from None


def model_spec(model: str) -> ModelSpec:
    """Return a model of the catalogue.

    Raises
    ------
    UserError
        If the catalogue has no such model.
    """
    specs = model_specs()
    if model not in specs:
        raise UserError(f"unknown model '{model}': {did_you_mean(model, specs)}")
    return specs[model]


def dataset_spec(dataset: str) -> DatasetSpec:
    """Return a data set of the catalogue.

    Raises
    ------
    UserError
        If the catalogue has no such data set.
    """
    specs = dataset_specs()
    if dataset not in specs:
        raise UserError(f"unknown data set '{dataset}': {did_you_mean(dataset, specs)}")
    return specs[dataset]


def model_table(specs: Iterable[ModelSpec]) -> pd.DataFrame:
    """Return a data frame indexed by model id with the categories, family, size and dimension."""
    import pandas as pd

    columns = (*CATEGORIES, "family", "architecture", "train_data", "params", "feature_dim")
    rows = {spec.id: [getattr(spec, c) for c in columns] for spec in specs}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(columns))
    return table.rename_axis("model").sort_index()


def dataset_table(specs: Mapping[str, DatasetSpec]) -> pd.DataFrame:
    """Return a data frame indexed by the given names with name, domain, licence and description."""
    import pandas as pd

    columns = ("name", "domain", "license", "description")
    rows = {name: [getattr(spec, c) for c in columns] for name, spec in specs.items()}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(columns))
    return table.rename_axis("dataset").sort_index()
