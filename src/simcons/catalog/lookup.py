"""Lookup of the catalogue's entries by id, and the categories of models as a data frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from simcons.catalog.specs import CATEGORIES, DatasetSpec, Labels, ModelSpec
from simcons.core.errors import UserError, known
from simcons.core.files import read_yaml
from simcons.core.paths import Paths
from simcons.core.validation import validated

if TYPE_CHECKING:
    import pandas as pd

Spec = TypeVar("Spec", ModelSpec, DatasetSpec)

_TAKEN = {
    ModelSpec: "a model of the catalogue; take another id",
    DatasetSpec: "a data set of the catalogue; take another name",
}


@cache
def facts(name: str) -> dict[str, Any]:
    """Return a YAML file of this package, or all of a folder of such files, as one map.

    Raises
    ------
    UserError
        If an entry is in two files.
    """
    place = Path(__file__).parent / name
    entries: dict[str, Any] = {}
    for path in [place] if place.is_file() else sorted(place.iterdir()):
        more = read_yaml(path) or {}
        if twice := sorted(entries.keys() & more.keys()):
            raise UserError(f"catalogue entry '{twice[0]}' is in two files, one is {path.name}")
        entries |= more
    return entries


def specs_with_own(kind: type[Spec], name: str, own: Path) -> dict[str, Spec]:
    """Return every entry by id: the catalogue's, and the user's own beside them.

    Parameters
    ----------
    kind
        What an entry is.
    name
        The file, or folder of files, of the catalogue.
    own
        The user's file; it need not exist.

    Raises
    ------
    UserError
        If the user's file holds anything that is not allowed.
    """
    catalogue = _catalogue(kind, name)
    if not own.is_file():
        return catalogue
    return {**catalogue, **_own(kind, name, own, own.read_bytes())}


@cache
def _catalogue(kind: type[Spec], name: str) -> dict[str, Spec]:
    return {key: checked_spec(kind, key, entry) for key, entry in facts(name).items()}


@cache
def _own(kind: type[Spec], name: str, own: Path, content: bytes) -> dict[str, Spec]:
    """Return the user's entries; the content is there for the cache, so that changes are seen."""
    entries = read_yaml(own) or {}
    if not isinstance(entries, dict):
        raise UserError(f"{own}: got {entries!r}; allowed: a map from ids to entries")
    if twice := sorted(entries.keys() & _catalogue(kind, name).keys()):
        raise UserError(f"{own}: '{twice[0]}' is {_TAKEN[kind]}")
    return {key: checked_spec(kind, key, entry, where=str(own)) for key, entry in entries.items()}


def checked_spec(kind: type[Spec], key: str, entry: Any, *, where: str = "catalogue") -> Spec:
    """Return an entry of the catalogue, validated.

    Raises
    ------
    UserError
        If a key is unknown or missing, or a value is not allowed.
    """
    values = {**entry, "id": key} if isinstance(entry, dict) else entry
    return validated(kind, values, where=f"{where}: entry '{key}'")


def model_specs() -> dict[str, ModelSpec]:
    """Return every model by id: the catalogue's, and the user's own of ``own/models.yaml``.

    Raises
    ------
    UserError
        If the user's file holds anything that is not allowed.
    """
    return specs_with_own(ModelSpec, "models", Paths().own_models)


def model_spec(model: str) -> ModelSpec:
    """Return a model of the catalogue.

    Raises
    ------
    UserError
        If the catalogue has no such model.
    """
    specs = model_specs()
    return specs[known("model", model, specs)]


def model_table(specs: Iterable[ModelSpec], labels: Labels = "paper") -> pd.DataFrame:
    """Return a data frame indexed by model id with the categories, family, size and dimension.

    Parameters
    ----------
    specs
        The models.
    labels
        ``paper``, or ``corrected`` where the weights contradict the paper's.
    """
    columns = (*CATEGORIES, "family", "architecture", "train_data", "params", "feature_dim")
    return _table("model", {spec.id: spec.labelled(labels) for spec in specs}, columns).sort_index()


def dataset_table(specs: Mapping[str, DatasetSpec]) -> pd.DataFrame:
    """Return a data frame indexed by the given names with name, domain, licence and description."""
    return _table("dataset", specs, ("name", "domain", "license", "description")).sort_index()


def _table(index: str, specs: Mapping[str, Any], columns: Iterable[str]) -> pd.DataFrame:
    import pandas as pd

    names = list(columns)
    rows = {key: [getattr(spec, name) for name in names] for key, spec in specs.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=names).rename_axis(index)
