"""Which entries of the store the active study uses."""

from __future__ import annotations

from simcons.numerics import fingerprint
from simcons.params import Study
from simcons.paths import SPLITS, Paths


def used_fingerprints(study: Study, paths: Paths) -> set[str]:
    """Return the fingerprints of the results in the study's outputs and of those it will ask for.

    Features are known as soon as a data set is built; a probe is known by the table of its data
    set's features, so both can be told without loading a model or a feature.
    """
    from simcons.datasets import manifest_digest
    from simcons.features import feature_parts
    from simcons.probes.run import probe_parts

    used = set()
    for dataset in sorted(study.datasets):
        folder = paths.dataset(dataset)
        if not folder.is_dir():
            continue
        digest = manifest_digest(folder)
        for model, spec in study.model_specs().items():
            parts = {split: feature_parts(spec, digest, split) for split in SPLITS}
            used |= {fingerprint("features", p) for p in parts.values()}
            used |= {
                fingerprint("probes", probe_parts(model, parts, study.probe, seed))
                for seed in study.probe.seeds
            }
    return used
