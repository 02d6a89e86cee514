"""What a zoo model is: its spec, validated, with messages for people.

No torch here: `simcons study show` validates every spec before anything runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from simcons.core.errors import known
from simcons.core.files import merged
from simcons.core.validation import DISTINCT, Checked, found_by, validated
from simcons.models.zoo.objectives import default_options, objective_names
from simcons.models.zoo.sizes import ARCHITECTURES, STRIDE

UNTRAINED = "untrained"
"""The objective of a control: the initial weights, never trained."""


def _objective(name: str) -> str:
    return known("objective", name, [*objective_names(), UNTRAINED])


Fraction = Annotated[float, Field(ge=0, le=1)]


class Optimizer(Checked):
    """Optimiser of all objectives: linear warm-up, then a cosine to 0, over all steps."""

    name: Literal["adamw", "sgd"] = "adamw"
    learning_rate: Annotated[float, Field(gt=0)] = 4e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    warmup_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.05


class Augmentations(Checked):
    """Random changes of an image; the defaults change nothing.

    ``flip_sets`` names the training sets whose images may be mirrored: letters and digits may not,
    a mirrored 2 is no 2.
    """

    crop_min_area: Annotated[float, Field(gt=0, le=1)] = 1.0
    rotation_degrees: Annotated[float, Field(ge=0, le=180)] = 0.0
    flip_sets: tuple[str, ...] = ()
    brightness: Fraction = 0.0
    contrast: Fraction = 0.0
    saturation: Fraction = 0.0
    hue_degrees: Annotated[float, Field(ge=0, le=180)] = 0.0
    grayscale: Fraction = 0.0
    tint: Fraction = 0.0
    invert: Fraction = 0.0
    blur: Fraction = 0.0
    noise: Fraction = 0.0


class ZooSpec(Checked):
    """A zoo model: all that decides its weights.

    Parameters
    ----------
    objective
        A module of `simcons.models.zoo.objectives`, or ``untrained`` for a control.
    architecture, width
        The encoder, and its base width (None: the architecture's own).
    seed
        Decides initial weights, order of images, augmentations.
    image_size
        Images are resized to this many pixels a side.
    training_sets, images_per_set
        Data sets whose train splits are mixed; at most so many images of each, balanced by class
        (None: all). The choice of images is the same for every seed and objective.
    epochs, batch_size, optimizer, augmentations
        The training. An untrained control has 0 epochs and no training sets.
    options
        Settings of the objective, such as ``temperature``; its module has the defaults.
    """

    objective: Annotated[str, found_by(_objective)]
    architecture: Annotated[str, found_by(lambda name: known("architecture", name, ARCHITECTURES))]
    seed: Annotated[int, Field(ge=0, lt=2**31)]
    width: Annotated[int, Field(ge=16, le=256, multiple_of=8)] | None = None
    image_size: Annotated[int, Field(ge=16, le=64, multiple_of=STRIDE)] = 32
    training_sets: Annotated[tuple[str, ...], DISTINCT] = ()
    images_per_set: Annotated[int, Field(ge=1)] | None = None
    epochs: Annotated[int, Field(ge=0)] = 0
    batch_size: Annotated[int, Field(ge=2)] = 32
    optimizer: Optimizer = Optimizer()
    augmentations: Augmentations = Augmentations()
    options: dict[str, float] = {}

    @property
    def trained(self) -> bool:
        """Whether this is a trained model, not a control."""
        return self.objective != UNTRAINED

    @property
    def all_options(self) -> dict[str, float]:
        """The objective's settings, defaults included."""
        return {**default_options(self.objective), **self.options} if self.trained else {}

    @model_validator(mode="after")
    def _fits_the_objective(self) -> ZooSpec:
        allowed = default_options(self.objective) if self.trained else {}
        for option in self.options:
            known("option", option, allowed, key=f"options of objective '{self.objective}'")
        for name in self.augmentations.flip_sets:
            known("training set", name, self.training_sets, key="augmentations.flip_sets")
        if self.trained and not (self.training_sets and self.epochs):
            raise ValueError(
                f"objective '{self.objective}' needs training_sets (got "
                f"{list(self.training_sets)}) and epochs >= 1 (got {self.epochs})"
            )
        if not self.trained and (self.training_sets or self.epochs):
            raise ValueError("an untrained control takes neither training_sets nor epochs")
        return self

    @classmethod
    def parse(cls, name: str, values: Mapping[str, Any]) -> ZooSpec:
        """Make a spec from the values of a params file.

        Raises
        ------
        UserError
            If a key or value is wrong: one line per fault, naming ``zoo.<name>.<key>``.
        """
        return validated(cls, dict(values), key=f"zoo.{name}")


def resolve_spec(
    name: str,
    entry: Mapping[str, Any],
    training: Mapping[str, Any] | None = None,
    objectives: Mapping[str, Mapping[str, Any]] | None = None,
) -> ZooSpec:
    """Make a spec from a model's own entry and what it shares with others.

    Parameters
    ----------
    name
        The model's name, for messages.
    entry
        The model's own settings (``zoo.<name>``); they win.
    training
        What all trained models share (``zoo_training``).
    objectives
        What models of an objective share (``zoo_objectives``), by objective.

    Returns
    -------
    ZooSpec
        ``augmentations``, ``optimizer`` and ``options`` are merged key by key. An untrained control
        takes nothing but its own entry and the shared ``image_size``.

    Raises
    ------
    UserError
        If a key or value is wrong.
    """
    objective = str(entry.get("objective"))
    shared = dict(training or {})
    if objective == UNTRAINED:
        shared = {key: value for key, value in shared.items() if key == "image_size"}
    values = reduce(merged, [shared, (objectives or {}).get(objective, {}), entry])
    return ZooSpec.parse(name, values)
