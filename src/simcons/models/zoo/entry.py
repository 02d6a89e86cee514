"""A zoo model's entry in the catalogue: its categories follow from its spec."""

from __future__ import annotations

from simcons.catalog import ModelSpec, WeightsSpec
from simcons.core.files import sha256_json
from simcons.models.zoo.sizes import ARCHITECTURES
from simcons.models.zoo.spec import ZooSpec

# Names for people that are not those of the modules with a capital.
OBJECTIVE_LABELS = {"simclr": "SimCLR", "vicreg": "VICReg", "image_text": "Image-Text"}


def zoo_model_spec(name: str, spec: ZooSpec, weights: str) -> ModelSpec:
    """Return the catalogue entry of a zoo model.

    Parameters
    ----------
    name
        Its id.
    spec
        What it is.
    weights
        Path of its weights file.

    Returns
    -------
    ModelSpec
        ``family`` is shared by models that differ in the seed alone.
    """
    size = ARCHITECTURES[spec.architecture]
    architecture = spec.architecture if spec.width is None else f"{spec.architecture}_{spec.width}"
    transformer = spec.architecture.startswith("vit")
    return ModelSpec(
        id=name,
        source="zoo",
        name=spec.architecture,
        weights=WeightsSpec(kind="zoo", path=weights),
        objective=OBJECTIVE_LABELS.get(
            spec.objective, spec.objective.replace("_", " ").capitalize()
        ),
        architecture=architecture,
        architecture_class="Transformer" if transformer else "Convolutional",
        train_data=" + ".join(spec.training_sets) or "none",
        train_data_class="Demo mixture" if spec.trained else "none",
        size_class="small",
        params=size.params if spec.width is None else None,
        feature_dim=size.dims_per_width * (spec.width or size.width),
        layer="pooled",
        family=_family(spec, architecture),
        seed=spec.seed,
        license="MIT",
        options=spec.model_dump(mode="json"),
    )


def _family(spec: ZooSpec, architecture: str) -> str:
    """Return a name that models share exactly when they differ in the seed alone."""
    rest = spec.model_dump(mode="json", exclude={"seed"})
    return f"zoo_{spec.objective}_{architecture}_{sha256_json(rest)[:6]}"
