"""What a zoo model is: its spec, validated, with messages for people.

No torch here: `simcons study show` validates every spec before anything runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from simcons.core.errors import UserError, did_you_mean
from simcons.models.zoo.objectives import default_options, objective_names

UNTRAINED = "untrained"
"""The objective of a control: the initial weights, never trained."""

ARCHITECTURES = ("conv_plain", "conv_small", "conv_wide", "vit_small", "vit_wide")
"""Names of the architectures; `simcons.models.zoo.architectures` builds them."""

STRIDE = 8
"""Every architecture reduces the image by this factor; an image size must be a multiple of it."""

Fraction = Annotated[float, Field(ge=0, le=1)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Optimizer(_Frozen):
    """Optimiser of all objectives: linear warm-up, then a cosine to 0, over all steps."""

    name: Literal["adamw", "sgd"] = "adamw"
    learning_rate: Annotated[float, Field(gt=0)] = 4e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    warmup_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.05


class Augmentations(_Frozen):
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


class ZooSpec(_Frozen):
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

    objective: str
    architecture: str
    seed: Annotated[int, Field(ge=0, lt=2**31)]
    width: Annotated[int, Field(ge=16, le=256, multiple_of=8)] | None = None
    image_size: Annotated[int, Field(ge=16, le=64, multiple_of=STRIDE)] = 32
    training_sets: tuple[str, ...] = ()
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
    def _known_names(self) -> ZooSpec:
        _check_name("objective", self.objective, [*objective_names(), UNTRAINED])
        _check_name("architecture", self.architecture, ARCHITECTURES)
        allowed = default_options(self.objective) if self.trained else {}
        for option in self.options:
            _check_name(f"options of objective '{self.objective}'", option, allowed)
        for name in self.augmentations.flip_sets:
            _check_name("augmentations.flip_sets", name, self.training_sets)
        if len(set(self.training_sets)) < len(self.training_sets):
            raise ValueError(f"training_sets: got one twice in {', '.join(self.training_sets)}")
        return self

    @model_validator(mode="after")
    def _training_or_control(self) -> ZooSpec:
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
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            lines = [_explain(f"zoo.{name}", fault) for fault in error.errors()]
            raise UserError("\n".join(lines)) from None


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
    merged: dict[str, Any] = {}
    for layer in (shared, (objectives or {}).get(objective, {}), entry):
        for key, value in layer.items():
            old = merged.get(key)
            both = isinstance(old, Mapping) and isinstance(value, Mapping)
            merged[key] = {**old, **value} if both else value  # type: ignore[dict-item]
    return ZooSpec.parse(name, merged)


def _check_name(what: str, name: str, allowed: Any) -> None:
    if name not in allowed:
        raise ValueError(f"{what}: got '{name}'; {did_you_mean(name, allowed)}")


def _explain(where: str, fault: Any) -> str:
    """Put one of pydantic's faults into a line for people."""
    place = [str(part) for part in fault["loc"]]
    if fault["type"] == "extra_forbidden":
        owners: dict[str, type[BaseModel]]
        owners = {"optimizer": Optimizer, "augmentations": Augmentations}
        owner = owners.get(place[0], ZooSpec) if len(place) > 1 else ZooSpec
        hint = did_you_mean(place[-1], owner.model_fields, show=20)
        return f"{'.'.join([where, *place])}: unknown key; {hint}"
    if fault["type"] == "value_error":
        return f"{where}: {fault['ctx']['error']}"
    if fault["type"] == "missing":
        return f"{'.'.join([where, *place])}: missing"
    return f"{'.'.join([where, *place])}: got {fault['input']!r}: {fault['msg']}"
