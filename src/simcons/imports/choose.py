"""Which of what was published makes a study: the same models and measures on every data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from simcons.core.errors import UserError
from simcons.imports.collect import Published
from simcons.imports.published_files import Left


@dataclass(frozen=True)
class Choice:
    """A study of published results.

    Attributes
    ----------
    models, measures
        What every data set of ``similarity`` has.
    similarity, probes
        Data sets whose similarities, and whose accuracies, are complete.
    seeds
        Of the published probes; empty where none are named.
    left
        What the study leaves out, and why.
    """

    models: list[str]
    measures: list[str]
    similarity: list[str]
    probes: list[str]
    seeds: list[int]
    left: list[Left]


def choose(found: Published) -> Choice:
    """Choose measures and data sets that have all of these, and the models that all of those have.

    Raises
    ------
    UserError
        If there are fewer than two data sets with a common measure, or three common models.
    """
    by_dataset: dict[str, set[str]] = {}
    for dataset, measure in found.matrices:
        by_dataset.setdefault(dataset, set()).add(measure)
    measures, similarity = _largest(by_dataset)
    left = [
        Left(f"{measure} on {dataset}", "the study's data sets do not all have it")
        for dataset, measure in sorted(found.matrices)
        if measure not in measures or dataset not in similarity
    ]
    if len(similarity) < 2:
        raise UserError(
            f"{found.folder}: consistency needs two data sets with the same measures; got "
            + ("; ".join(f"{d}: {', '.join(sorted(m))}" for d, m in sorted(by_dataset.items()))
               or "no similarities")
        )  # fmt: skip
    holders = {(d, m): set(found.matrices[d, m].models) for d in similarity for m in measures}
    models = sorted(set.intersection(*holders.values()))
    for model in sorted(set.union(*holders.values()) - set(models)):
        lacking = [f"{m} on {d}" for (d, m), have in sorted(holders.items()) if model not in have]
        left.append(Left(f"model {model}", f"no value of {_first(lacking)}"))
    if len(models) < 3:
        raise UserError(f"{found.folder}: {len(models)} models are on every data set; needed: 3")
    probes = []
    for dataset, rows in sorted(found.probes.items()):
        lacking = sorted(set(models) - {row["model"] for row in rows})
        if lacking:
            left.append(Left(f"accuracies on {dataset}", f"none of {_first(lacking)}"))
        else:
            probes.append(dataset)
    seeds = {row["seed"] for d in probes for row in found.probes[d] if "seed" in row}
    return Choice(models, measures, similarity, probes, sorted(seeds), left)


def _first(names: list[str]) -> str:
    return f"{names[0]} and {len(names) - 1} more" if len(names) > 1 else names[0]


def _largest(by_dataset: Mapping[str, set[str]]) -> tuple[list[str], list[str]]:
    """Return the measures and data sets, each having all of them, that make most matrices."""
    choices = []
    for wanted in by_dataset.values():
        having = sorted(d for d, have in by_dataset.items() if have >= wanted)
        if len(having) > 1:
            choices.append((len(wanted) * len(having), len(having), sorted(wanted), having))
    if not choices:
        return [], []
    return max(choices)[2:]
