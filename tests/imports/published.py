"""Makes a folder of results in the layout in which the study's authors published theirs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

# Of every objective some, so that there are groups to compare.
MODELS = (
    "OpenCLIP_RN50_openai", "OpenCLIP_ViT-B-16_openai", "OpenCLIP_ViT-L-14_openai",
    "dino-rn50", "dino-vit-base-p16", "mae-vit-base-p16", "resnet152", "resnet50", "simclr-rn50",
    "vgg16", "vit_base_patch16_224", "vit_large_patch16_224",
)  # fmt: skip
MEASURES = (
    "cka_kernel_linear_unbiased",
    "cka_kernel_rbf_unbiased_sigma_0.4",
    "rsa_method_correlation_corr_method_spearman",
)
OURS = ("cka_linear", "cka_rbf_0.4", "rsa_correlation_spearman")
DATASETS = ("wds_vtab_cifar10", "imagenet-subset-10k", "entity30")
MAIN = "no_fewshot/fewshot_epochs_20/regularization_weight_decay/batch_size_1024"


def similarities(seed: int, models: Sequence[str] = MODELS) -> np.ndarray:
    """A symmetric matrix of plausible similarities, ones on the diagonal."""
    base = np.random.default_rng(0).normal(size=(len(models), 5))
    moved = base + 0.4 * np.random.default_rng(seed).normal(size=base.shape)
    values = np.exp(-((moved[:, None] - moved[None]) ** 2).sum(-1) / 8)
    return (values + values.T) / 2


def write_matrix(
    root: Path, dataset: str, measure: str, values, models: Sequence[str] = MODELS
) -> Path:
    """Write a matrix as torch saves it, ids beside it."""
    folder = root / "model_similarities" / dataset / measure
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(values, folder / "similarity_matrix.pt")
    (folder / "model_ids.txt").write_text("\n".join(models) + "\n")
    return folder / "similarity_matrix.pt"


def write_probe(
    root: Path, dataset: str, model: str, seed: int, accuracy: float, settings: str = MAIN
) -> Path:
    """Write a probe's results as pandas writes a table of one row."""
    folder = root / "results/linear_probe/single_model" / dataset / model / settings
    folder = folder / f"seed_{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    row = {
        "test_lp_acc1": accuracy,
        "test_lp_acc5": min(1.0, accuracy + 0.1),
        "test_lp_mean_per_class_recall": accuracy,
        "learning_rate": 0.01,
        "reg_lambda": 1e-4,
        "dataset": dataset,
    }
    pd.DataFrame([row]).to_json(folder / "results.json")
    return folder / "results.json"


def write_published(root: Path) -> Path:
    """Write matrices (NumPy and tensors), probes, an accuracy table, features and a subset."""
    for k, dataset in enumerate(DATASETS):
        for j, measure in enumerate(MEASURES):
            values = similarities(10 * k + j)
            write_matrix(root, dataset, measure, torch.tensor(values) if k == 1 else values)
    rng = np.random.default_rng(1)
    for model in MODELS:
        for seed in (0, 1):
            write_probe(root, "wds_vtab_cifar10", model, seed, float(rng.uniform(0.5, 1)))
        write_probe(root, "wds_imagenet1k", model, 0, float(rng.uniform(0.5, 1)))
    table = pd.DataFrame(
        {"DS": "entity30", "Model": MODELS, "TestAcc": rng.uniform(0.5, 1, len(MODELS))}
    )
    path = root / "results/aggregated/single_model_performance/all_ds.csv"
    path.parent.mkdir(parents=True)
    table.to_csv(path, index=False)
    subset = root / "datasets/subsets/entity30/subset_indices_train.json"
    subset.parent.mkdir(parents=True)
    subset.write_text(json.dumps([8, 2, 5, 30, 11, 12, 13, 14]))
    for model, width in (("resnet50", 2048), ("dino-rn50", 2048)):
        folder = root / "features/entity30" / model
        folder.mkdir(parents=True)
        torch.save(torch.tensor(rng.normal(size=(40, width)).astype("f4")),
                   folder / "features_train.pt")  # fmt: skip
        torch.save(torch.arange(40) % 4, folder / "targets_train.pt")
    return root
