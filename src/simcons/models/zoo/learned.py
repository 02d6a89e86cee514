"""Has a trained model learned? Its linear probes against those of its untrained controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from simcons.core.errors import UserError
from simcons.models.zoo.spec import UNTRAINED

_COLUMNS = (
    "model",
    "objective",
    "architecture",
    "accuracy",
    "control_accuracy",
    "gain",
    "worst_gain",
    "worst_dataset",
    "learned",
)


def learned(
    accuracy: pd.DataFrame, models: pd.DataFrame, held_out: Sequence[str], margin: float
) -> pd.DataFrame:
    """Compare each trained model with the untrained controls of its architecture.

    Parameters
    ----------
    accuracy
        Tidy test accuracy of linear probes: ``model``, ``dataset``, ``top1`` (0 to 1); several rows
        of a model and data set (seeds of the probe) are averaged.
    models
        Indexed by model id: ``objective``, ``architecture``.
    held_out
        Data sets that no zoo model was trained on; the judgement is on these.
    margin
        A model has learned if its accuracy, averaged over the held-out sets, exceeds the mean of
        its controls by at least this.

    Returns
    -------
    DataFrame
        A row per trained model, sorted: ``model, objective, architecture, accuracy,
        control_accuracy, gain, worst_gain, worst_dataset, learned``; ``worst_gain`` is the smallest
        gain on a single held-out set. No rows for a study that trains no models.

    Raises
    ------
    UserError
        If a model has no accuracy on a held-out set, or an architecture has no control.
    """
    if models.empty:
        return pd.DataFrame(columns=_COLUMNS)
    if not held_out:
        raise UserError("zoo: no held-out data set to judge by; train on fewer data sets")
    seen = accuracy[accuracy["dataset"].isin(list(held_out))]
    mean = seen.groupby(["model", "dataset"])["top1"].mean().unstack("dataset")
    mean = mean.reindex(index=models.index, columns=list(held_out))
    for dataset in mean.columns:
        for model in mean.index[mean[dataset].isna()]:
            raise UserError(f"zoo: no probe accuracy of model {model} on data set {dataset}")
    control = models["objective"] == UNTRAINED
    controls = mean[control].groupby(models.loc[control, "architecture"]).mean()
    table = models.loc[~control, ["objective", "architecture"]].sort_index()
    for model, architecture in table["architecture"].items():
        if architecture not in controls.index:
            raise UserError(
                f"zoo: model {model} has no control; add an untrained {architecture} to the study"
            )
    own, theirs = mean.loc[table.index], controls.loc[table["architecture"]].set_axis(table.index)
    gains = own - theirs
    gain = gains.mean(axis=1)
    found = table.assign(
        accuracy=own.mean(axis=1),
        control_accuracy=theirs.mean(axis=1),
        gain=gain,
        worst_gain=gains.min(axis=1),
        worst_dataset=gains.idxmin(axis=1),
        learned=gain >= margin,
    )
    return found.rename_axis("model").reset_index()


def learned_summary(table: pd.DataFrame, held_out: Sequence[str], margin: float) -> dict[str, Any]:
    """Return the content of ``metrics/zoo_models.json`` from the table of `learned`.

    Returns
    -------
    dict
        ``margin``, ``held_out``, ``n_models``, ``n_learned``, ``not_learned`` (ids), ``objectives``
        (mean accuracy and gain of each) and ``models`` (accuracy, control's accuracy, gain each).
    """
    numbers = ["accuracy", "control_accuracy", "gain"]
    table = table.astype(dict.fromkeys(numbers, float) | {"learned": bool})
    rounded = table.assign(**{column: table[column].round(4) for column in numbers})
    by_objective = table.groupby("objective")[numbers].mean().round(4)
    return {
        "margin": margin,
        "held_out": sorted(held_out),
        "n_models": len(table),
        "n_learned": int(table["learned"].sum()),
        "not_learned": sorted(table.loc[~table["learned"], "model"]),
        "objectives": by_objective.to_dict("index"),
        "models": rounded.set_index("model")[[*numbers, "learned"]].to_dict("index"),
    }


def zoo_headline(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return the few numbers of ``metrics/zoo.json``, by which runs are compared.

    Returns
    -------
    dict
        ``n_models``, ``n_learned`` and ``gain`` (mean over the models of each objective).
    """
    gains = {name: values["gain"] for name, values in summary["objectives"].items()}
    return {"n_models": summary["n_models"], "n_learned": summary["n_learned"], "gain": gains}
