"""What a study will take before anybody starts it: images, forward passes, GPU hours, gigabytes.

Estimates, each from a stated assumption: nominal sizes of data sets (their manifests' where they
are here), GFLOPs of models (counted by benchmarks/flops.py), and arithmetic per second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from simcons.catalog import DatasetSpec, ModelSpec, dataset_spec, facts
from simcons.core.errors import UserError, did_you_mean
from simcons.core.files import read_json
from simcons.core.paths import Paths
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
    gigabytes
        Of its shards; 0 for a derived data set, whose images are its parent's.
    features_gb, probes_gb
        Of the features of every model, and of the probes' logits and weights.
    """

    name: str
    train: int | None
    test: int | None
    gigabytes: float
    features_gb: float
    probes_gb: float

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
    models, rates = study.model_specs(), dict(rates or {})
    for name, rate in rates.items():
        if name not in models:
            raise UserError(f"--rate: unknown model '{name}': {did_you_mean(name, models)}")
        if rate <= 0:
            raise UserError(f"--rate {name}: got {rate:g}; allowed: images per second above 0")
    if tflops <= 0:
        raise UserError(f"--tflops: got {tflops:g}; allowed: a number above 0")
    counted, unknown = _gflops(models)
    if rates:
        tflops = median(rate * counted[name] / 1000 for name, rate in rates.items())
    seconds = {m: 1 / rates[m] if m in rates else counted[m] / (1000 * tflops) for m in models}
    dims = sum(spec.feature_dim for spec in models.values())
    specs = {name: study.dataset_spec(name) for name in sorted(study.datasets)}
    datasets, probe_flops = [], 0.0
    for name, spec in specs.items():
        train, test, classes, gigabytes = _sizes(name, spec, paths)
        unknown += [f"size of {name}"] if train is None and test is None else []
        probed, storage = name in study.probe_datasets, study.features.storage
        probe_bytes = len(study.probe.seeds) * classes * (len(models) * (test or 0) + dims)
        datasets.append(
            DatasetCost(
                name,
                train,
                test,
                gigabytes,
                ((train or 0) + (test or 0)) * dims * FLOAT_BYTES[storage] / 1e9,
                probe_bytes * FLOAT_BYTES["float32"] / 1e9 if probed else 0.0,
            )
        )
        if probed:
            probe_flops += _probe_flops(study, train or 0, dims, classes)
    images = sum(d.images for d in datasets)
    total = sum(seconds.values())
    shares = sorted(((m, s / total) for m, s in seconds.items()), key=lambda e: (-e[1], e[0]))
    return Cost(
        datasets=datasets,
        parents_gb=_parents(specs, paths),
        passes=images * len(models),
        extraction_hours=images * total / 3600,
        probe_hours=probe_flops / (tflops * 1e12) / 3600,
        similarity_gb=_similarity_bytes(study) / 1e9,
        slowest=shares[:3],
        unknown=unknown,
        tflops=tflops,
    )


def _gflops(models: Mapping[str, ModelSpec]) -> tuple[dict[str, float], list[str]]:
    """Return GFLOPs per image by model, and which are guesses from the parameters."""
    table = facts("gflops.yaml")
    found, guessed = {}, []
    for name, spec in models.items():
        if name in table:
            found[name] = float(table[name])
        else:
            found[name] = max((spec.params or 0) * GFLOPS_PER_PARAMETER, 1e-3)
            guessed.append(f"GFLOPs of {name}, taken as {found[name]:.2g}")
    return found, guessed


def _sizes(name: str, spec: DatasetSpec, paths: Paths) -> tuple[int | None, int | None, int, float]:
    """Return images of train and test, classes and gigabytes of shards."""
    assumed = facts("sizes.yaml").get(spec.id, {})
    train, test, classes = spec.n_train, spec.n_test, int(assumed.get("classes", 0))
    if spec.rule == "per_class":
        each, each_test = spec.options.get("per_class"), spec.options.get("test_per_class")
        train = train if each is None else each * classes
        test = test if each_test is None else each_test * classes
    manifest = paths.dataset(name) / "manifest.json"
    if manifest.is_file():
        counts = read_json(manifest)["counts"]
        train, test = (int(counts[s]["n"]) if s in counts else 0 for s in ("train", "test"))
        classes = max(len(count["per_class"]) for count in counts.values())
    kilobytes = 0.0 if spec.source == "derived" else float(assumed.get("kilobytes", KILOBYTES))
    return train, test, classes, ((train or 0) + (test or 0)) * kilobytes / 1e6


def _parents(specs: Mapping[str, DatasetSpec], paths: Paths) -> dict[str, float]:
    inside = {spec.id for spec in specs.values()}
    parents = {spec.parent for spec in specs.values() if spec.parent} - inside
    return {name: _sizes(name, dataset_spec(name), paths)[3] for name in sorted(parents)}


def _probe_flops(study: Study, n_train: int, dims: int, classes: int) -> float:
    """Return operations of all sweeps on a data set: logits, and gradients of the weights."""
    protocol = study.probe
    penalties = protocol.weight_decays.count
    searched = min(penalties, len(range(0, penalties, 9)) + 6)  # see simcons.probes.sweep
    settings = len(protocol.learning_rates) * searched + 1
    n = n_train if protocol.few_shot is None else min(n_train, protocol.few_shot * classes)
    return 4.0 * len(protocol.seeds) * settings * protocol.epochs * n * dims * classes


def _similarity_bytes(study: Study) -> float:
    """Return bytes of values, standard errors and replicates of all pairs."""
    m = len(study.model_specs())
    wanted = study.similarity
    numbers = 2 + wanted.n_blocks + 2 * wanted.n_halves
    pairs = m * (m - 1) / 2
    return 8.0 * pairs * numbers * len(wanted.measures) * len(study.similarity_datasets)
