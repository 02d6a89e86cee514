"""What is known about one model or one data set, validated."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    model_validator,
)


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WeightsSpec(_Spec):
    """Where a model's weights come from.

    Attributes
    ----------
    kind
        ``untrained`` (initialised from the model's seed), ``hub`` (a tag of timm or open_clip,
        downloaded by that library), ``file`` (a local safetensors or torch checkpoint), ``package``
        (a file inside an installed Python package) or ``zoo`` (trained by this pipeline).
    tag
        Of a hub: the pretrained tag, such as ``in1k`` or ``laion2b_s34b_b79k``.
    package, path
        The package, and the file's path inside it or on this machine.
    sha256
        The file's expected SHA-256; a mismatch is refused.
    match
        How the file's tensors are matched to the architecture's: by ``name``, or by ``position``
        for a file whose tensors have other names in the same order (shapes must agree).
    """

    kind: Literal["untrained", "hub", "file", "package", "zoo"]
    tag: str | None = None
    package: str | None = None
    path: str | None = None
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    match: Literal["name", "position"] = "name"

    @model_validator(mode="after")
    def _complete(self) -> WeightsSpec:
        needed = {"hub": ("tag",), "file": ("path",), "package": ("package", "path")}
        for key in needed.get(self.kind, ()):
            if getattr(self, key) is None:
                raise ValueError(f"weights of kind '{self.kind}' need '{key}'")
        return self


class TransformSpec(_Spec):
    """How an image becomes a model's input.

    Attributes
    ----------
    resize
        Target size in pixels; with ``mode`` ``shortest`` that of the shorter side.
    crop
        Side of the central square that is kept after resizing; None: no crop.
    mode
        ``shortest`` keeps the aspect ratio, ``squash`` resizes to a square.
    interpolation
        Resampling filter, with antialiasing.
    mean, std
        Per channel (RGB), on values in [0, 1].
    """

    resize: PositiveInt
    crop: PositiveInt | None = None
    mode: Literal["shortest", "squash"] = "shortest"
    interpolation: Literal["nearest", "bilinear", "bicubic"] = "bicubic"
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)


class ModelSpec(_Spec):
    """A model: what it is, where it comes from and which of its layers is its representation.

    Attributes
    ----------
    id
        The model's id, the same everywhere.
    source
        The module of `simcons.models` that loads it.
    name
        The architecture's name in that source.
    weights
        Where the weights come from.
    objective, architecture_class, train_data_class, size_class
        The categories that the study compares.
    params
        Number of parameters, the head included; None where it is not known.
    family
        Models that differ in the seed alone share it; by default the id.
    feature_dim
        Length of the representation; checked when the model is loaded.
    layer, token
        Which layer's output, and for transformers which token, is the representation.
    transform
        None: the source's own evaluation transform.
    options
        Further arguments of the architecture, such as ``img_size``.
    """

    id: str
    source: Literal["timm", "open_clip", "pixels", "zoo"]
    name: str
    weights: WeightsSpec
    objective: str
    architecture: str
    architecture_class: str
    train_data: str
    train_data_class: str
    size_class: str
    params: int | None = Field(default=None, ge=0)
    feature_dim: PositiveInt
    layer: str = "pooled"
    token: str | None = None
    transform: TransformSpec | None = None
    family: str = ""
    seed: int | None = None
    license: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _defaults(self) -> ModelSpec:
        if not self.family:
            object.__setattr__(self, "family", self.id)
        if self.weights.kind == "untrained" and self.seed is None and self.source != "pixels":
            raise ValueError("an untrained model needs a 'seed'")
        return self


class DatasetSpec(_Spec):
    """A data set: what it is, where it comes from.

    Attributes
    ----------
    id
        The data set's id: the name of its folder and stages, of ``[a-z0-9_]``.
    paper_id
        Its id in the published study, such as ``wds/vtab/cifar10``; found by either.
    name, description
        For people.
    domain
        What kind of images these are; figures order data sets by it.
    source
        - ``builder``: made by the module of that name in `simcons.datasets.builders`;
        - ``hub``: shards in the dataset repository ``repository`` of the Hugging Face hub, at
          ``revision``;
        - ``shards``: shards in the local folder ``path``;
        - ``image_folder``: images at ``path/SPLIT/CLASS/``;
        - ``csv``: the table ``path`` with columns split, path, label;
        - ``python``: ``function`` (``package.module:function``), called with a split's name and the
          ``options``, returns (image, label) pairs, as torchvision's data sets are;
        - ``derived``: images of ``parent`` under other labels, by ``rule``.
    license
        The licence of the images.
    sha256
        Known SHA-256 by file of the hub's repository (``test/0.tar``); a mismatch is refused.
    external
        Whether its images stay out of DVC's outputs, cache and remotes; always so for ``hub``,
        ``shards`` and ``derived``.
    rule
        Of a derived data set: ``superclasses`` (`superclass_table`) or ``per_class`` (the options'
        ``per_class`` and ``test_per_class`` images of each class, drawn with ``seed``; None: all).
    variant_of
        Of a data set with a test split only: whose probes it is scored with. Its classes among the
        parent's: `variant_classes`.
    n_train, n_test
        Nominal sizes, for estimates before the data set is here; the manifest has the true ones.
    in_similarity_study, in_performance_study
        Whether it is one of the 23 data sets on which the published study measures similarity, or
        compares it with probe accuracy.
    options
        What the source can be told, with the defaults.
    """

    id: str = Field(pattern=r"^[a-z0-9_]+$")
    paper_id: str | None = None
    name: str
    domain: str
    source: Literal["builder", "hub", "shards", "image_folder", "csv", "python", "derived"]
    license: str = "not recorded"
    description: str = ""
    repository: str | None = Field(default=None, pattern=r"^[\w.-]+/[\w.-]+$")
    revision: str | None = None
    sha256: dict[str, str] = Field(default_factory=dict)
    path: str | None = None
    function: str | None = Field(default=None, pattern=r"^[\w.]+:\w+$")
    parent: str | None = None
    rule: Literal["superclasses", "per_class"] | None = None
    external: bool = False
    variant_of: str | None = None
    n_train: NonNegativeInt | None = None
    n_test: NonNegativeInt | None = None
    in_similarity_study: bool = False
    in_performance_study: bool = False
    options: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _complete(self) -> DatasetSpec:
        wanted = set(_WANTED.get(self.source, ()))
        for key in ("repository", "path", "function", "parent", "rule"):
            given = getattr(self, key) is not None
            if given != (key in wanted):
                verb = "need" if key in wanted else "take no"
                raise ValueError(f"data sets of source '{self.source}' {verb} '{key}'")
        if self.source in ("hub", "shards", "derived"):
            object.__setattr__(self, "external", True)
        return self


_WANTED = {
    "hub": ("repository",),
    "shards": ("path",),
    "image_folder": ("path",),
    "csv": ("path",),
    "python": ("function",),
    "derived": ("parent", "rule"),
}
