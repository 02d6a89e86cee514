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


@cache
def read_table(name: str) -> dict[str, Any]:
    """Return a YAML file of the catalogue; callers must not change it."""
    from ruamel.yaml import YAML

    text = files("simcons.catalog").joinpath(name).read_text(encoding="utf-8")
    return YAML(typ="safe").load(text) or {}


@cache
def model_specs() -> dict[str, ModelSpec]:
    """Return every model of the catalogue by id."""
    return {
        key: checked_spec(ModelSpec, key, entry) for key, entry in read_table("models.yaml").items()
    }


def checked_spec(kind: type[Spec], key: str, entry: dict[str, Any]) -> Spec:
    """Return an entry of the catalogue, validated.

    Raises
    ------
    UserError
        If a key is unknown or missing, or a value is not allowed.
    """
    try:
        return kind(id=key, **entry)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        what = problem["msg"].removeprefix("Value error, ")
        raise UserError(f"catalogue entry '{key}': {f'{where}: ' if where else ''}{what}") from None


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
