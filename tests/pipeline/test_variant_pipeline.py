"""A study with a user's own data set, a derived one and a test-only variant, through DVC."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from miniature import PARAMS, Clone, make_clone
from PIL import Image
from ruamel.yaml import YAML

pytestmark = pytest.mark.slow


def photos(root: Path, split: str, classes: list[int], n: int, seed: int) -> None:
    """Noisy images whose mean colour is their class's."""
    rng = np.random.default_rng(seed)
    for place, label in enumerate(classes):
        folder = root / split / f"c{place}"
        folder.mkdir(parents=True)
        colour = 40 + 50 * np.array([label & 1, label >> 1 & 1, label >> 2 & 1])
        for i in range(n):
            pixels = np.clip(colour + rng.normal(0, 25, (12, 12, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{i}.png")


@pytest.fixture
def clone(tmp_path) -> Clone:
    photos(tmp_path / "base", "train", [0, 1, 2, 3], 12, 0)
    photos(tmp_path / "base", "test", [0, 1, 2, 3], 4, 1)
    photos(tmp_path / "variant", "test", [0, 1, 2, 3], 5, 2)
    params = copy.deepcopy(PARAMS)
    params["datasets"] |= {"base": {}, "hard": {}, "few": {}}
    params["similarity_datasets"] = ["shapes", "base", "few"]
    params["probe_datasets"] = ["shapes", "textures", "base"]
    params["variants"] = {"hard": "base"}
    clone = make_clone(tmp_path / "study", params)
    common = {"name": "Own", "domain": "Own", "license": "MIT"}
    entries = {
        "base": common | {"source": "image_folder", "path": str(tmp_path / "base")},
        "hard": common
        | {"source": "image_folder", "path": str(tmp_path / "variant"), "variant_of": "base"},
        "few": common
        | {
            "source": "derived",
            "parent": "base",
            "rule": "per_class",
            "options": {"per_class": 5, "test_per_class": 2, "seed": 0},
        },
    }
    with (clone.root / "own" / "datasets.yaml").open("w") as file:
        YAML(typ="safe").dump(entries, file)
    clone.commit("study")
    return clone


def test_model_groups_fill_a_store_and_leave_outputs_alone(clone, tmp_path):
    clone.dvc("repro", "features@hard")
    before, models = clone.file_hashes("data/features"), []
    for group in ("1/2", "2/2"):
        store = tmp_path / f"store {group[0]}"
        env = {"SIMCONS_STORE": str(store), "SIMCONS_MODEL_GROUP": group}
        clone.run("python", "stages/features.py", "hard", **env)
        records = [YAML(typ="safe").load(p) for p in store.rglob("record.json")]
        models += [record["label"].split("/")[1] for record in records]
    assert sorted(models) == sorted([*PARAMS["models"], *PARAMS["zoo"]])
    assert clone.file_hashes("data/features") == before
    wrong = clone.run("python", "stages/probe.py", "base", check=False, SIMCONS_MODEL_GROUP="3/2")
    assert wrong.returncode == 2
    assert wrong.stderr.count("\n") == 1


def reran(text: str) -> set[str]:
    return {line.split("'")[1] for line in text.splitlines() if line.startswith("Running stage")}


def test_a_variant_follows_its_parents_probes(clone):
    first = reran(clone.dvc("repro", "variant@hard", "similarity@few").stdout)
    assert {"dataset@hard", "features@hard", "probe@base", "variant@hard", "dataset@few"} <= first
    table = pd.read_parquet(clone.root / "data/probes/hard/results.parquet")
    assert set(table["model"]) == {*PARAMS["models"], *PARAMS["zoo"]}
    assert (table["n_test"] == 20).all()
    assert not (clone.root / "data/features/hard/pixels/train.safetensors").exists()
    # A derived set's output holds no image: DVC neither caches nor pushes them.
    assert not list((clone.root / "data/datasets/few").rglob("*.tar"))
    assert "up to date" in clone.dvc("status", "variant@hard").stdout
    assert "0 entries" in clone.run("simcons", "store", "prune", "--dry-run").stdout
    assert "features hard: 5 of 5 models" in clone.run("simcons", "status").stdout
    values = clone.params
    values["probe"]["epochs"] = 3
    clone.params = values
    again = reran(clone.dvc("repro", "variant@hard").stdout)
    assert again == {"probe@base", "variant@hard"}
    assert clone.run("simcons", "study", "tidy").stdout == ""


def test_a_variants_accuracies_are_exported_and_shown(clone, tmp_path):
    clone.dvc("repro")
    clone.run("simcons", "export", str(tmp_path / "out"))
    table = pd.read_parquet(tmp_path / "out" / "accuracies.parquet")
    trained_on = dict(zip(table["dataset"], table["trained_on"], strict=True))
    assert trained_on == {
        "base": "base",
        "hard": "base",
        "shapes": "shapes",
        "textures": "textures",
    }
    own = pd.read_parquet(clone.root / "data/probes/hard/results.parquet")
    exported = table[table["dataset"] == "hard"].sort_values(["model", "seed"])
    np.testing.assert_array_equal(exported["top1"], own.sort_values(["model", "seed"])["top1"])
    captions = json.loads((clone.root / "metrics/figures/captions.json").read_text())
    (caption,) = [entry["caption"] for entry in captions if entry["name"] == "accuracy"]
    assert "On the right, and in no mean" in caption
