"""The check that a model has learned, on tables worked out by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from simcons.core.errors import UserError
from simcons.models.zoo.learned import learned, learned_summary, zoo_headline

MODELS = pd.DataFrame(
    {
        "objective": ["simclr", "denoising", "untrained", "untrained"],
        "architecture": ["conv_small"] * 4,
    },
    index=["s", "d", "u0", "u1"],
)


def _accuracy() -> pd.DataFrame:
    values = {
        # model: (x seed 0, x seed 1, y, training set)
        "s": (0.5, 0.7, 0.5, 0.0),
        "d": (0.4, 0.4, 0.3, 0.9),
        "u0": (0.3, 0.3, 0.3, 0.5),
        "u1": (0.4, 0.4, 0.4, 0.5),
    }
    rows = []
    for model, (x0, x1, y, seen) in values.items():
        rows += [(model, "x", x0), (model, "x", x1), (model, "y", y), (model, "seen", seen)]
    return pd.DataFrame(rows, columns=["model", "dataset", "top1"])


def test_gain_over_the_mean_of_the_controls() -> None:
    table = learned(_accuracy(), MODELS, ["x", "y"], margin=0.1).set_index("model")
    # s: (0.6 + 0.5) / 2 against (0.35 + 0.35) / 2; the training set does not count.
    assert table.loc["s", "accuracy"] == pytest.approx(0.55)
    assert table.loc["s", "control_accuracy"] == pytest.approx(0.35)
    assert table.loc["s", "gain"] == pytest.approx(0.2)
    assert table.loc["s", "worst_gain"] == pytest.approx(0.15)
    assert table.loc["s", "worst_dataset"] == "y"
    assert table["learned"].to_dict() == {"s": True, "d": False}


def test_summary() -> None:
    table = learned(_accuracy(), MODELS, ["y", "x"], margin=0.1)
    summary = learned_summary(table, ["y", "x"], margin=0.1)
    assert summary["n_models"] == 2
    assert summary["n_learned"] == 1
    assert summary["not_learned"] == ["d"]
    assert summary["held_out"] == ["x", "y"]
    assert summary["objectives"]["simclr"]["gain"] == 0.2
    assert summary["models"]["d"] == {
        "accuracy": 0.35, "control_accuracy": 0.35, "gain": 0.0, "learned": False
    }  # fmt: skip
    gains = {name: values["gain"] for name, values in summary["objectives"].items()}
    assert zoo_headline(summary) == {"n_models": 2, "n_learned": 1, "gain": gains}


def test_what_is_missing_is_named() -> None:
    accuracy = _accuracy()
    gone = accuracy[(accuracy["model"] != "d") | (accuracy["dataset"] != "y")]
    with pytest.raises(UserError, match="no probe accuracy of model d on data set y"):
        learned(gone, MODELS, ["x", "y"], 0.1)
    with pytest.raises(UserError, match="on data set z"):
        learned(accuracy, MODELS, ["x", "z"], 0.1)
    with pytest.raises(UserError, match="no held-out data set"):
        learned(accuracy, MODELS, [], 0.1)
    other = MODELS.assign(architecture=["vit_small", "conv_small", "conv_small", "conv_small"])
    with pytest.raises(UserError, match="s has no control; add an untrained vit_small"):
        learned(accuracy, other, ["x", "y"], 0.1)
