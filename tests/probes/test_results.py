from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors import safe_open

from simcons.core.errors import UserError
from simcons.probes import (
    Protocol,
    WeightDecays,
    collect,
    fit_linear_probe,
    load_probe,
    load_row,
    save_probe,
)

FAST = Protocol(epochs=1, learning_rates=(0.1, 0.01), weight_decays=WeightDecays(count=10))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("n_classes", [4, 7])
def test_save_and_load_are_inverse(make_data, tmp_path: Path, n_classes: int) -> None:
    result = fit_linear_probe(*make_data(n_classes=n_classes), FAST, 3, model="m")
    save_probe(result, tmp_path / "p")
    loaded = load_probe(tmp_path / "p")
    for name in ("classes", "logits", "targets", "weight", "bias"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(result, name))
    pd.testing.assert_frame_equal(collect([loaded]), collect([result]))
    pd.testing.assert_frame_equal(collect([load_row(tmp_path / "p")]), collect([result]))
    assert loaded.trials == result.trials
    assert loaded.protocol == result.protocol
    assert loaded.unseen_classes == result.unseen_classes


def test_bytes_repeat(make_data, tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_probe(fit_linear_probe(*make_data(), FAST, 0, model="m"), tmp_path / name)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    save_probe(load_probe(tmp_path / "a"), tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_logits_file_stands_alone(make_data, tmp_path: Path) -> None:
    data = make_data()
    save_probe(fit_linear_probe(*data, FAST, 0, model="m"), tmp_path)
    with safe_open(tmp_path / "logits.safetensors", "np") as file:
        assert sorted(file.keys()) == ["classes", "logits", "targets"]
        assert list(file.metadata()) == ["simcons"]
        assert json.loads(file.metadata()["simcons"])["model"] == "m"
        np.testing.assert_array_equal(file.get_tensor("targets"), data[3])


def test_collected_rows_are_sorted_and_hold_no_times(make_data) -> None:
    results = [
        fit_linear_probe(*make_data(), FAST, seed, model=m) for m in ("b", "a") for seed in (1, 0)
    ]
    table = collect(results)
    assert table[["model", "seed"]].to_numpy().tolist() == [["a", 0], ["a", 1], ["b", 0], ["b", 1]]
    assert {"top1", "top5", "mean_per_class_recall", "learning_rate", "weight_decay"} < set(table)
    assert not [c for c in table if "time" in c or "second" in c]


def test_collect_refuses_nothing_and_doubles(make_data) -> None:
    with pytest.raises(UserError, match="no probe results"):
        collect([])
    result = fit_linear_probe(*make_data(), FAST, 0, model="m")
    with pytest.raises(UserError, match="'m', seed 0 come twice"):
        collect([result, result])


@pytest.mark.parametrize("damage", ["missing", "cut", "key", "row"])
def test_a_damaged_probe_is_refused_by_name(make_data, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "p"
    save_probe(fit_linear_probe(*make_data(), FAST, 0, model="m"), folder)
    file, header = folder / "logits.safetensors", folder / "probe.json"
    if damage == "row":
        header.write_text("[]")
        with pytest.raises(UserError, match=r"p: not a readable probe"):
            load_row(folder)
    elif damage == "missing":
        file.unlink()
    elif damage == "cut":
        file.write_bytes(file.read_bytes()[:50])
    elif damage == "key":
        content = json.loads(header.read_text())
        content["row"]["extra"] = 1
        header.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"p: not a readable probe"):
        load_probe(folder)


def test_a_missing_probe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        load_probe(tmp_path / "none")
