"""What a study will take before anybody starts it: images, forward passes, GPU hours, gigabytes.

Estimates, each from a stated assumption: nominal sizes of data sets (their manifests' where they
are here), GFLOPs of models (counted by benchmarks/flops.py), and arithmetic per second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import median

from simcons.catalog import DatasetSpec, ModelSpec, dataset_spec, facts
from simcons.core.errors import UserError, known
from simcons.core.files import read_json
from simcons.core.paths import SPLITS, Paths
from simcons.probes.sweep import COARSE_STEP, FINE_STEPS
from simcons.study.params import Study

#: Achieved arithmetic in float32, about that of an A100 without reduced precision.
TFLOPS = 10.0
#: GFLOPs per parameter of a model that was not counted: 200 uses of each weight, as in a ViT.
GFLOPS_PER_PARAMETER = 2 * 200 / 1e9
#: Kilobytes of an image of whose size nothing is known.
KILOBYTES = 100.0
FLOAT_BYTES = {"float32": 4, "float16": 2}


@dataclass(frozen=True)
class DatasetCost:
    """What one data set takes.

    Attributes
    ----------
    train, test
        Images; None: not known until the data set is here.
    classes
        Of its labels; 0 where not known.
    gigabytes
        Of its shards; 0 for a derived data set, whose images are its parent's.
    features_gb, probes_gb
        Of the features of every model, and of the probes' logits and weights.
    """

    name: str
    train: int | None
    test: int | None
    classes: int
    gigabytes: float
    features_gb: float = 0.0
    probes_gb: float = 0.0

    @property
    def images(self) -> int:
        """Images of both splits; 0 where not known."""
        return (self.train or 0) + (self.test or 0)


@dataclass(frozen=True)
class Cost:
    """What a study takes.

    Attributes
    ----------
    datasets
        Per data set whose features are extracted.
    parents_gb
        Shards of data sets outside the study from which its derived ones are made, by name.
    passes
        Forward passes: images times models.
    extraction_hours, probe_hours
        GPU hours at the assumed rates.
    similarity_gb
        Of similarities and their replicates.
    slowest
        (model, share of the extraction hours) of the three slowest models.
    unknown
        Data sets of which no size is known, models without counted GFLOPs.
    tflops
        The rate used for what was not measured.
    """

    datasets: list[DatasetCost]
    parents_gb: dict[str, float]
    passes: int
    extraction_hours: float
    probe_hours: float
    similarity_gb: float
    slowest: list[tuple[str, float]]
    unknown: list[str]
    tflops: float


def study_cost(
    study: Study, paths: Paths, *, rates: Mapping[str, float] | None = None, tflops: float = TFLOPS
) -> Cost:
    """Estimate what a study takes.

    Parameters
    ----------
    study, paths
        The study, and where its data sets are if they are here.
    rates
        Measured images per second by model; they set the rate of the other models too, by the
        median of what they achieve.
    tflops
        Achieved 10^12 operations per second, where nothing was measured.

    Raises
    ------
    UserError
        If a rate is of a model that the study does not have, or is not positive.
    """
    models, rates = study.model_specs(), rates or {}
    for name, rate in rates.items():
        if rates[known("model", name, models, key="--rate")] <= 0:
            raise UserError(f"--rate {name}: got {rate:g}; allowed: images per second above 0")
    if tflops <= 0:
        raise UserError(f"--tflops: got {tflops:g}; allowed: a number above 0")
    gflops = {name: _gflops(spec) for name, spec in models.items()}
    if rates:
        tflops = median(rate * gflops[name] / 1000 for name, rate in rates.items())
    seconds = {m: 1 / rates[m] if m in rates else gflops[m] / (1000 * tflops) for m in models}
    total = sum(seconds.values())
    dims = sum(spec.feature_dim for spec in models.values())
    specs = {name: study.dataset_spec(name) for name in sorted(study.datasets)}
    sizes = {name: _size(name, spec, paths) for name, spec in specs.items()}
    parents = {spec.parent for spec in specs.values() if spec.parent}
    parents -= {spec.id for spec in specs.values()}
    images = sum(size.images for size in sizes.values())
    probed = [sizes[name] for name in study.probe_datasets]
    return Cost(
        datasets=[_with_results(study, size, dims) for size in sizes.values()],
        parents_gb={p: _size(p, dataset_spec(p), paths).gigabytes for p in sorted(parents)},
        passes=images * len(models),
        extraction_hours=images * total / 3600,
        probe_hours=sum(_probe_flops(study, size, dims) for size in probed) / (tflops * 3.6e15),
        similarity_gb=_similarity_bytes(study) / 1e9,
        slowest=[(m, seconds[m] / total) for m in sorted(models, key=lambda m: -seconds[m])[:3]],
        unknown=[
            f"GFLOPs of {name}, taken as {gflops[name]:.2g}"
            for name in models
            if name not in facts("gflops.yaml")
        ]
        + [f"size of {n}" for n, size in sizes.items() if size.train is None and size.test is None],
        tflops=tflops,
    )


def _gflops(spec: ModelSpec) -> float:
    """Return GFLOPs per image, guessed from the parameters where nobody counted them.

    Never 0, to which the table rounds the smallest: its measured rate would say nothing of others.
    """
    guess = (spec.params or 0) * GFLOPS_PER_PARAMETER
    return max(float(facts("gflops.yaml").get(spec.id, guess)), 1e-3)


def _size(name: str, spec: DatasetSpec, paths: Paths) -> DatasetCost:
    assumed = facts("sizes.yaml").get(spec.id, {})
    train, test, classes = spec.n_train, spec.n_test, int(assumed.get("classes", 0))
    if spec.rule == "per_class":
        each, each_test = spec.options.get("per_class"), spec.options.get("test_per_class")
        train = train if each is None else each * classes
        test = test if each_test is None else each_test * classes
    manifest = paths.dataset(name) / "manifest.json"
    if manifest.is_file():
        counts = read_json(manifest)["counts"]
        train, test = (int(counts[split]["n"]) if split in counts else 0 for split in SPLITS)
        classes = max(len(count["per_class"]) for count in counts.values())
    kilobytes = 0.0 if spec.source == "derived" else float(assumed.get("kilobytes", KILOBYTES))
    return DatasetCost(name, train, test, classes, ((train or 0) + (test or 0)) * kilobytes / 1e6)


def _with_results(study: Study, size: DatasetCost, dims: int) -> DatasetCost:
    """Return what a data set takes; ``dims`` is the sum of the models' feature dimensions."""
    features = size.images * dims * FLOAT_BYTES[study.features.storage]
    logits, weights = len(study.model_specs()) * (size.test or 0), dims
    probes = len(study.probe.seeds) * size.classes * (logits + weights) * FLOAT_BYTES["float32"]
    probes_gb = probes / 1e9 if size.name in study.probe_datasets else 0.0
    return replace(size, features_gb=features / 1e9, probes_gb=probes_gb)


def _probe_flops(study: Study, size: DatasetCost, dims: int) -> float:
    """Return operations of all sweeps on a data set: logits, and gradients of the weights."""
    protocol, n_train = study.probe, size.train or 0
    penalties = protocol.weight_decays.count
    searched = min(penalties, len(range(0, penalties, COARSE_STEP)) + 2 * len(FINE_STEPS))
    settings = len(protocol.learning_rates) * searched + 1
    if protocol.few_shot is not None:
        n_train = min(n_train, protocol.few_shot * size.classes)
    runs = len(protocol.seeds) * settings * protocol.epochs
    return 4.0 * runs * n_train * dims * size.classes


def _similarity_bytes(study: Study) -> float:
    """Return bytes of values, standard errors and replicates of all pairs."""
    m, wanted = len(study.model_specs()), study.similarity
    numbers = 2 + wanted.n_blocks + 2 * wanted.n_halves
    return 4.0 * m * (m - 1) * numbers * len(wanted.measures) * len(study.similarity_datasets)
