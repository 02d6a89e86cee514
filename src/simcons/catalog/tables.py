"""The catalogue's tables: lookup by id, and the categories of a list of models as a data frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from simcons.catalog.specs import DatasetSpec, Labels, ModelSpec
from simcons.core.errors import UserError, did_you_mean
from simcons.core.paths import Paths

if TYPE_CHECKING:
    import pandas as pd

Spec = TypeVar("Spec", ModelSpec, DatasetSpec)

_TAKEN = {
    ModelSpec: "a model of the catalogue; take another id",
    DatasetSpec: "a data set of the catalogue; take another name",
}

# What the study compares, in the order of its figures.
CATEGORIES = ("objective", "architecture_class", "train_data_class", "size_class")


def _read(folder: str) -> dict[str, dict[str, Any]]:
    """Return the entries of a YAML file, or of every YAML file of a folder, of this package."""
    place = files("simcons.catalog").joinpath(folder)
    found = [place] if place.is_file() else sorted(place.iterdir(), key=lambda item: item.name)
    entries: dict[str, dict[str, Any]] = {}
    for item in found:
        more = _entries(item.name, item.read_text(encoding="utf-8"))
        twice = sorted(entries.keys() & more.keys())
        if twice:
            raise UserError(f"catalogue entry '{twice[0]}' is in two files, one is {item.name}")
        entries |= more
    return entries


def _entries(name: str, text: str) -> dict[str, dict[str, Any]]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        values = YAML(typ="safe").load(text) or {}
    except YAMLError as error:
        raise UserError(f"{name}: not valid YAML ({' '.join(str(error).split())})") from None
    if not isinstance(values, dict):
        raise UserError(f"{name}: got {values!r}; allowed: a map from ids to entries")
    for key, entry in values.items():
        if not isinstance(entry, dict):
            raise UserError(f"{name}: entry '{key}': got {entry!r}; allowed: a map of its facts")
    return values


def specs_with_own(kind: type[Spec], facts: str, own: Path) -> dict[str, Spec]:
    """Return every entry by id: the catalogue's, and the user's own beside them.

    Parameters
    ----------
    kind
        What an entry is.
    facts
        The file, or folder of files, of the catalogue.
    own
        The user's file; it need not exist.

    Raises
    ------
    UserError
        If the user's file holds anything that is not allowed.
    """
    known = _catalogue(kind, facts)
    if not own.is_file():
        return known
    return {**known, **_own(kind, facts, str(own), own.read_text(encoding="utf-8"))}


@cache
def _catalogue(kind: type[Spec], facts: str) -> dict[str, Spec]:
    return {key: checked_spec(kind, key, entry) for key, entry in _read(facts).items()}


@cache
def _own(kind: type[Spec], facts: str, name: str, text: str) -> dict[str, Spec]:
    entries = _entries(name, text)
    if twice := sorted(entries.keys() & _catalogue(kind, facts).keys()):
        raise UserError(f"{name}: '{twice[0]}' is {_TAKEN[kind]}")
    return {key: checked_spec(kind, key, entry, where=name) for key, entry in entries.items()}


def model_specs() -> dict[str, ModelSpec]:
    """Return every model by id: the catalogue's, and the user's own of ``own/models.yaml``.

    Raises
    ------
    UserError
        If the user's file holds anything that is not allowed.
    """
    return specs_with_own(ModelSpec, "models", Paths().own_models)


def checked_spec(
    kind: type[Spec], key: str, entry: dict[str, Any], *, where: str = "catalogue"
) -> Spec:
    """Return an entry of the catalogue, validated.

    Raises
    ------
    UserError
        If a key is unknown or missing, or a value is not allowed.
    """
    try:
        return kind.model_validate({**entry, "id": key})
    except ValidationError as error:
        problem = error.errors()[0]
        name = ".".join(map(str, problem["loc"]))
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden" and len(problem["loc"]) == 1:
            message = f"no such key; {did_you_mean(name, kind.model_fields)}"
        raise UserError(f"{where}: entry '{key}': {f'{name}: ' if name else ''}{message}") from None


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


def model_table(specs: Iterable[ModelSpec], labels: Labels = "paper") -> pd.DataFrame:
    """Return a data frame indexed by model id with the categories, family, size and dimension.

    Parameters
    ----------
    specs
        The models.
    labels
        ``paper``, or ``corrected`` where the weights contradict the paper's.
    """
    import pandas as pd

    columns = (*CATEGORIES, "family", "architecture", "train_data", "params", "feature_dim")
    chosen = [spec.labelled(labels) for spec in specs]
    rows = {spec.id: [getattr(spec, c) for c in columns] for spec in chosen}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(columns))
    return table.rename_axis("model").sort_index()


def dataset_table(specs: Mapping[str, DatasetSpec]) -> pd.DataFrame:
    """Return a data frame indexed by the given names with name, domain, licence and description."""
    import pandas as pd

    columns = ("name", "domain", "license", "description")
    rows = {name: [getattr(spec, c) for c in columns] for name, spec in specs.items()}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(columns))
    return table.rename_axis("dataset").sort_index()
