"""The catalogue's data sets: lookup by folder name or published id, and the tables of labels."""

from __future__ import annotations

from typing import Any

from simcons.catalog.lookup import facts, specs_with_own
from simcons.catalog.specs import DatasetSpec
from simcons.core.errors import UserError, did_you_mean, known
from simcons.core.paths import SPLITS, Paths, folder_name


def dataset_specs() -> dict[str, DatasetSpec]:
    """Return every data set by id: the catalogue's, and the user's own of ``own/datasets.yaml``.

    Raises
    ------
    UserError
        If the user's file holds anything that is not allowed.
    """
    return specs_with_own(DatasetSpec, "datasets.yaml", Paths().own_datasets)


def dataset_spec(dataset: str) -> DatasetSpec:
    """Return a data set by its id (``wds_vtab_cifar10``) or published id (``wds/vtab/cifar10``).

    Raises
    ------
    UserError
        If there is no such data set, or it has no single class per image (retrieval, multi-label).
    """
    specs = dataset_specs()
    if dataset in specs:
        return specs[dataset]
    by_paper_id = {spec.paper_id: spec for spec in specs.values() if spec.paper_id}
    if dataset in by_paper_id:
        return by_paper_id[dataset]
    refuse_by_name(dataset)
    hint = did_you_mean(dataset, by_paper_id if "/" in dataset else specs)
    raise UserError(f"unknown data set '{dataset}': {hint}")


def refuse_by_name(dataset: str) -> None:
    """Stop at the name of a public data set whose images have no single class.

    Raises
    ------
    UserError
        If it is one, as an id or as a hub repository (``clip-benchmark/wds_flickr30k``).
    """
    name = folder_name(dataset.rpartition("clip-benchmark/")[2]).removeprefix("wds_")
    for reason, names in facts("refused_datasets.yaml").items():
        if name in names:
            raise UserError(
                f"data set '{dataset}' is refused: {reason}; probes and balanced subsets need "
                f"exactly one class per image"
            )


def superclass_table(dataset: str) -> list[dict[str, Any]]:
    """Return the superclasses of a derived data set, in the order of their labels.

    Returns
    -------
    list of dict
        Keys ``train`` and ``test``: the parent's labels; ``name`` if the superclass has one.

    Raises
    ------
    UserError
        If there is no such table.
    """
    tables = facts("superclasses.yaml")
    known("table of superclasses", dataset, tables)
    return [dict(row) for row in tables[dataset]]


def variant_classes(variant: str) -> list[int] | None:
    """Return the parent's labels that a test-only variant has, ascending; None: all."""
    classes = facts("variant_classes.yaml").get(variant)
    return None if classes is None else list(classes)


def dataset_splits(spec: DatasetSpec) -> tuple[str, ...]:
    """Return the splits that a data set has: a variant has a test split only."""
    return ("test",) if spec.variant_of else SPLITS
