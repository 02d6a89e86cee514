"""Which entries of the store the active study uses."""

from __future__ import annotations

from collections.abc import Iterator

from simcons.catalog import variant_classes
from simcons.core.numerics import fingerprint
from simcons.core.paths import Paths
from simcons.datasets import manifest_digest, split_counts
from simcons.features.extraction import feature_parts
from simcons.models.zoo.trained import zoo_parts
from simcons.probes.results import probe_folder
from simcons.probes.run import probe_parts
from simcons.probes.run_variant import variant_parts
from simcons.study.params import Study


def used_fingerprints(study: Study, paths: Paths) -> set[str]:
    """Return the fingerprints of the results in the study's outputs and of those it will ask for.

    Features are known as soon as a data set is built; a probe is known by the table of its data
    set's features, so both can be told without loading a model or a feature.
    """
    used = set(_zoo(study, paths))
    for dataset in sorted(study.datasets):
        if paths.dataset(dataset).is_dir():
            used |= set(_of_dataset(study, dataset, paths))
    return used


def _zoo(study: Study, paths: Paths) -> Iterator[str]:
    for name in study.zoo:
        spec = study.zoo_spec(name)
        folders = {d: paths.dataset(d) for d in spec.training_sets}
        if all(folder.is_dir() for folder in folders.values()):
            yield fingerprint("zoo", zoo_parts(spec, folders, study.numerics.threads))


def _of_dataset(study: Study, dataset: str, paths: Paths) -> Iterator[str]:
    """Yield the fingerprints of a data set's features and of its probes or variant's scores."""
    threads, how, folder = study.numerics.threads, study.features, paths.dataset(dataset)
    digest, splits = manifest_digest(folder), split_counts(folder)
    for model, entry in study.model_specs().items():
        if entry.source == "zoo" and not paths.zoo_weights(model).is_file():
            continue
        parts = {
            split: feature_parts(
                entry, digest, split, threads, precision=how.precision, storage=how.storage
            )
            for split in splits
        }
        for split in splits:
            yield fingerprint("features", parts[split])
        for seed in study.probe.seeds:
            if dataset in study.probe_datasets:
                yield fingerprint("probes", probe_parts(model, parts, study.probe, seed, threads))
            if dataset in study.variants:
                trained = probe_folder(paths.probes(study.variants[dataset]), model, seed)
                classes = variant_classes(study.dataset_spec(dataset).id)
                if trained.is_dir():
                    scored = variant_parts(model, parts["test"], trained, classes, threads)
                    yield fingerprint("probes", scored)
