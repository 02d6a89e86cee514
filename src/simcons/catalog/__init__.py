"""Models and data sets as data: what the study knows about each, and lookup by id.

The facts lie in ``models/`` and ``datasets.yaml`` beside this module, keyed by id; a user's own
models in ``own/models.yaml`` of the repository. Nothing here loads a model or an image.
"""

from simcons.catalog.datasets import (
    dataset_spec,
    dataset_specs,
    dataset_splits,
    superclass_table,
    variant_classes,
)
from simcons.catalog.lookup import dataset_table, facts, model_spec, model_specs, model_table
from simcons.catalog.specs import (
    CATEGORIES,
    Category,
    DatasetSpec,
    Labels,
    ModelSpec,
    TransformSpec,
    WeightsSpec,
)

__all__ = [
    "CATEGORIES",
    "Category",
    "DatasetSpec",
    "Labels",
    "ModelSpec",
    "TransformSpec",
    "WeightsSpec",
    "dataset_spec",
    "dataset_specs",
    "dataset_splits",
    "dataset_table",
    "facts",
    "model_spec",
    "model_specs",
    "model_table",
    "superclass_table",
    "variant_classes",
]
