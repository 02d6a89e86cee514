"""Train a linear probe per model and seed on one data set; score a test-only variant."""

from __future__ import annotations

from simcons.core.paths import SPLITS, Paths
from simcons.core.store import Store
from simcons.study import stage


def main(dataset: str) -> None:
    """Write data/probes/DATASET; with SIMCONS_MODEL_GROUP=k/n fill the store alone."""
    study = stage.start()
    from simcons.catalog import variant_classes
    from simcons.probes.run import run_probes
    from simcons.probes.run_variant import run_variant
    from simcons.study.parts import model_part

    spec = study.dataset_spec(dataset)
    paths, threads = Paths(), study.numerics.threads
    part = model_part({m: s.feature_dim for m, s in study.model_specs().items()})
    models = part if part is not None else list(study.model_specs())
    out = paths.probes(dataset) if part is None else None
    store = Store(paths.store)
    if not models:
        return
    if dataset in study.variants:
        tests = {model: paths.feature_file(dataset, model, "test") for model in models}
        parent = paths.probes(study.variants[dataset])
        classes = variant_classes(spec.id)
        run_variant(dataset, parent, tests, classes, study.probe.seeds, store, out, threads=threads)
        return
    files = {m: {s: paths.feature_file(dataset, m, s) for s in SPLITS} for m in models}
    run_probes(dataset, files, study.probe, store, out, threads=threads)


if __name__ == "__main__":
    stage.script(main)
