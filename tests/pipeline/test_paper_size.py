"""A study of the paper's size, 64 models on 23 data sets, from made-up features of few images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from simcons.consistency import Settings, analyse, gap_pairs
from simcons.figures import FigureInputs, save_all
from simcons.figures.schema import median_intervals
from simcons.similarity import compute_similarity
from simcons.study.params import load_study

STUDY = Path(__file__).parents[2] / "studies" / "paper.yaml"
N_IMAGES, N_CLASSES, N_LATENT = 48, 6, 12


def made_up(study, index: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Features of the right dimensions: classes, what an objective shares, and the model's own."""
    rng = np.random.default_rng(index)
    labels = np.arange(N_IMAGES) % N_CLASSES
    classes = rng.normal(size=(N_CLASSES, N_LATENT))[labels]
    objectives = sorted(set(study.model_table()["objective"]))
    shared = {name: rng.normal(size=(N_IMAGES, N_LATENT)) for name in objectives}
    features = {}
    for k, (name, spec) in enumerate(study.model_specs().items()):
        latent = classes + shared[spec.objective] + rng.normal(size=(N_IMAGES, N_LATENT))
        embedding = np.random.default_rng(k).normal(size=(N_LATENT, spec.feature_dim))
        features[name] = (latent @ embedding).astype(np.float32)
    return features, labels


@pytest.mark.slow
def test_similarity_consistency_and_figures_of_a_study_of_the_paper_size(tmp_path):
    study = load_study(STUDY)
    models = study.model_table()
    similarities: dict = {measure: {} for measure in study.similarity.measures}
    replicates, probes = {}, []
    for index, dataset in enumerate(study.measured()):
        features, labels = made_up(study, index)
        result = compute_similarity(
            features, study.similarity.measures, labels=labels, n_blocks=4, n_halves=2
        )
        replicates[dataset] = result.replicates
        for measure, matrix in result.items():
            similarities[measure][dataset] = matrix
        rng = np.random.default_rng(index)
        probes += [(dataset, model, 0, rng.uniform(0.3, 1)) for model in features]
    assert all(len(by_dataset) == 23 for by_dataset in similarities.values())
    wanted = study.consistency.model_dump(exclude={"accuracy_from", "labels"})
    settings = Settings(**{**wanted, "n_bootstrap": 100, "n_permutations": 100})
    tables = analyse(similarities, models, settings, replicates=replicates, threads=2)
    points = tables["consistency"]
    of_all = points[(points["category"] == "all") & (points["method"] == "pearson")]
    assert (of_all.groupby("measure").size() == 253).all()
    assert (of_all["n_pairs"] == 2016).all()
    assert of_all["shares_images"].sum() == 6 * len(similarities)
    table = pd.DataFrame(probes, columns=["dataset", "model", "seed", "top1"])
    scores = table.rename(columns={"top1": "accuracy"})
    gaps = [gap_pairs(by, scores, measure=measure) for measure, by in similarities.items()]
    inputs = FigureInputs(
        similarities=similarities,
        models=models,
        datasets=study.dataset_table(),
        consistency=points,
        gap=pd.concat(gaps, ignore_index=True),
        probes=table,
        intervals=median_intervals(tables["intervals"], settings.confidence),
        anchors=tables["anchors"],
    )
    names = save_all(inputs, tmp_path)
    assert len(names) > 30
    assert len(json.loads((tmp_path / "captions.json").read_text())) == len(names)
    assert all((tmp_path / f"{name}.png").stat().st_size > 1000 for name in names)
