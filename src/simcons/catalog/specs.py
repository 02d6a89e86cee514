"""What is known about one model or one data set, validated."""

from __future__ import annotations

import re
from typing import Any, Literal, get_args

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from simcons.core.validation import Checked

Labels = Literal["paper", "corrected"]
"""Whose labels of the models a study uses."""

Category = Literal["objective", "architecture_class", "train_data_class", "size_class"]
CATEGORIES: tuple[Category, ...] = get_args(Category)
"""What the study compares, in the order of its figures."""

Label = Category | Literal["architecture", "train_data"]


# What each kind of weights needs, and what it may have besides.
_FILE_KEYS = {"sha256", "match", "key", "prefix", "ignore"}
_NEEDED: dict[str, set[str]] = {
    "untrained": set(),
    "hub": {"tag"},
    "file": {"path"},
    "package": {"package", "path"},
    "url": {"url"},
    "python": set(),
    "zoo": {"path"},
}
_ALLOWED: dict[str, set[str]] = {
    "hub": {"revision"},
    "file": _FILE_KEYS,
    "package": _FILE_KEYS,
    "url": _FILE_KEYS,
    "python": {"path", "sha256"},
}


class WeightsSpec(Checked):
    """Where a model's weights come from.

    Attributes
    ----------
    kind
        ``untrained`` (initialised from the model's seed), ``hub`` (a tag of timm, open_clip or
        torchvision, or a revision on the hub of transformers, downloaded by that library), ``file``
        (a local safetensors or torch checkpoint), ``url`` (such a checkpoint, downloaded once),
        ``package`` (a file inside an installed Python package), ``python`` (the model's function
        sees to them) or ``zoo`` (trained by this pipeline).
    tag
        Of a hub: the pretrained tag, such as ``in1k`` or ``laion2b_s34b_b79k``; for transformers
        the branch, tag or commit of the model's repository.
    revision
        Of timm's hub: the commit of the model's repository, to pin it.
    package, path
        The package, and the file's path inside it or on this machine.
    url
        Where the file is downloaded from.
    sha256
        The file's expected SHA-256; a mismatch is refused.
    match
        How the file's tensors are matched to the architecture's: by ``name``, or by ``position``
        for a file whose tensors have other names in the same order (shapes must agree).
    key
        Where in the file the tensors lie, if not at its top: keys of nested maps, with slashes
        between them. (``state_dict`` and ``model`` at the top are found without.)
    prefix
        What the names of the tensors begin with, to be taken off.
    ignore
        Beginnings of names (without the prefix) of tensors that are not used, such as a decoder's.
    """

    kind: Literal["untrained", "hub", "file", "package", "url", "python", "zoo"]
    tag: str | None = None
    revision: str | None = None
    package: str | None = None
    path: str | None = None
    url: str | None = Field(default=None, pattern=r"^https?://[^/]+/.*[^/]$")
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    match: Literal["name", "position"] = "name"
    key: str | None = None
    prefix: str = ""
    ignore: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _complete(self) -> WeightsSpec:
        needed = _NEEDED[self.kind]
        for key in sorted(needed):
            if getattr(self, key) is None:
                raise ValueError(f"weights of kind '{self.kind}' need '{key}'")
        allowed = needed | _ALLOWED.get(self.kind, set()) | {"kind"}
        for key in sorted(self.model_fields_set - allowed):
            if getattr(self, key) != type(self).model_fields[key].default:
                raise ValueError(f"weights of kind '{self.kind}' have no '{key}'")
        return self


class TransformSpec(Checked):
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


class ModelSpec(Checked):
    """A model: what it is, where it comes from and which of its layers is its representation.

    Attributes
    ----------
    id
        The model's id, the same everywhere; it names folders.
    source
        The module of `simcons.models` that loads it.
    name
        The architecture's name in that source; for ``python`` ``package.module:function``, for
        ``transformers`` the repository on its hub or a local folder.
    weights
        Where the weights come from.
    objective, architecture_class, train_data_class, size_class
        The categories that the study compares.
    corrected
        Labels that the weights contradict: what the model is, beside what a paper says of it.
    params
        Number of parameters, the head included; None where it is not known.
    family
        Models that differ in the seed alone share it; by default the id.
    feature_dim
        Length of the representation; checked when the model is loaded.
    layer
        Whose output is the representation: a module's name in the network (``norm``,
        ``blocks.5``), or ``pooled``: what comes before the head.
    token
        What is taken of a transformer's tokens: ``cls``, ``avg`` (of the patches), or ``cls+avg``,
        one after the other. ``avg`` of a convolutional map (n, c, h, w) is its spatial average.
        None: the output as it is, flattened.
    transform
        None: the source's own evaluation transform.
    options
        Further arguments of the architecture, such as ``img_size``, or of the user's function.
    note
        What a reader of the results should know.
    """

    id: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+-]*$")
    source: Literal["timm", "open_clip", "torchvision", "transformers", "python", "pixels", "zoo"]
    name: str
    weights: WeightsSpec
    objective: str
    architecture: str
    architecture_class: str
    train_data: str
    train_data_class: str
    size_class: str
    corrected: dict[Label, str] = Field(default_factory=dict)
    params: int | None = Field(default=None, ge=0)
    feature_dim: PositiveInt
    layer: str = "pooled"
    token: Literal["cls", "avg", "cls+avg"] | None = None
    transform: TransformSpec | None = None
    family: str = ""
    seed: int | None = None
    license: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    note: str = ""

    @model_validator(mode="after")
    def _defaults(self) -> ModelSpec:
        if not self.family:
            object.__setattr__(self, "family", self.id)
        if self.weights.kind == "untrained" and self.seed is None and self.source != "pixels":
            raise ValueError("an untrained model needs a 'seed'")
        if self.source == "python" and re.fullmatch(r"[\w.]+:\w+", self.name) is None:
            raise ValueError(f"name: got '{self.name}'; allowed: 'package.module:function'")
        return self

    def labelled(self, labels: Labels) -> ModelSpec:
        """Return the model with the ``paper``'s labels, or with the ``corrected`` ones."""
        if labels == "paper":
            return self
        return self.model_copy(update={str(k): value for k, value in self.corrected.items()})


class DatasetSpec(Checked):
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
