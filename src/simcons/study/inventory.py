"""Which entries of the store the active study uses."""

from __future__ import annotations

from simcons.catalog import variant_classes
from simcons.core.numerics import fingerprint
from simcons.core.paths import Paths
from simcons.study.params import Study


def used_fingerprints(study: Study, paths: Paths) -> set[str]:
    """Return the fingerprints of the results in the study's outputs and of those it will ask for.

    Features are known as soon as a data set is built; a probe is known by the table of its data
    set's features, so both can be told without loading a model or a feature.
    """
    from simcons.datasets import manifest_digest, split_counts
    from simcons.features.extraction import feature_parts
    from simcons.models.zoo.run import zoo_parts
    from simcons.probes.dataset_probes import probe_parts, variant_parts
    from simcons.probes.results import probe_folder

    used, threads = set(), study.numerics.threads
    for name in study.zoo:
        spec = study.zoo_spec(name)
        folders = {d: paths.dataset(d) for d in spec.training_sets}
        if all(folder.is_dir() for folder in folders.values()):
            used.add(fingerprint("zoo", zoo_parts(spec, folders, threads)))
    for dataset in sorted(study.datasets):
        folder = paths.dataset(dataset)
        if not folder.is_dir():
            continue
        digest = manifest_digest(folder)
        for model, entry in study.model_specs().items():
            if entry.source == "zoo" and not paths.zoo_weights(model).is_file():
                continue
            parts = {
                split: feature_parts(
                    entry,
                    digest,
                    split,
                    threads,
                    precision=study.features.precision,
                    storage=study.features.storage,
                )
                for split in split_counts(folder)
            }
            used |= {fingerprint("features", p) for p in parts.values()}
            if dataset in study.probe_datasets:
                used |= {
                    fingerprint("probes", probe_parts(model, parts, study.probe, seed, threads))
                    for seed in study.probe.seeds
                }
            if dataset in study.variants:
                classes = variant_classes(study.dataset_spec(dataset).id)
                trained = [
                    probe_folder(paths.probes(study.variants[dataset]), model, seed)
                    for seed in study.probe.seeds
                ]
                used |= {
                    fingerprint("probes", variant_parts(model, parts["test"], f, classes, threads))
                    for f in trained
                    if f.is_dir()
                }
    return used
