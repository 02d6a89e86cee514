"""Compute every measure between all pairs of models on one data set, in one pass."""

from __future__ import annotations

from simcons.core.paths import Paths
from simcons.study import stage


def main(dataset: str) -> None:
    """Write data/similarity/DATASET: a table per measure, replicates, the level of chance."""
    study = stage.start()
    from simcons.similarity import chance_level, compute_similarity, write_similarity
    from simcons.study.subset import subset_features

    paths = Paths()
    features, labels = subset_features(study, paths, dataset)
    wanted = study.similarity
    result = compute_similarity(
        features,
        wanted.measures,
        labels=labels,
        normalize=wanted.normalize,
        block_seed=wanted.block_seed,
        n_blocks=wanted.n_blocks,
        n_halves=wanted.n_halves,
        memory_gb=wanted.memory_gb,
    )
    chance = chance_level(
        features,
        wanted.measures,
        draws=wanted.chance_draws,
        seed=wanted.block_seed,
        normalize=wanted.normalize,
        memory_gb=wanted.memory_gb,
    )
    write_similarity(paths.similarity(dataset), result, chance)


if __name__ == "__main__":
    stage.script(main)
