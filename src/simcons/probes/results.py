"""What a probe yields, its files and the tidy table of many. No torch.

A probe (one model, one seed) is a folder: ``probe.json`` (metrics, protocol, every setting tried),
``logits.safetensors`` (test logits, targets, classes) and ``weights.safetensors`` (weight, bias).
Nothing in them depends on when, where or how fast the probe was trained.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simcons.core.errors import UserError
from simcons.core.files import atomic, read_json, write_json
from simcons.probes import metrics
from simcons.probes.splits import index_labels

if TYPE_CHECKING:
    import pandas as pd

LOGITS_FILE, WEIGHTS_FILE, PROBE_FILE = "logits.safetensors", "weights.safetensors", "probe.json"
RESULTS_FILE = "results.parquet"


class Trial(NamedTuple):
    """A setting of the sweep and its score on validation images.

    What a solver does not have is NaN (learning rate, penalty) or None (neighbours). The loss is
    the mean cross-entropy, the mean squared error for the solver ``ridge``.
    """

    learning_rate: float
    penalty: float
    validation_accuracy: float
    validation_loss: float
    n_neighbours: int | None = None


@dataclass(frozen=True)
class ProbeResult:
    """A trained probe, its test logits and metrics.

    Attributes
    ----------
    model, seed
        Whose features, which seed.
    solver
        `Protocol.solver`, or ``ensemble``.
    classes
        (C,) int64, ascending: the label of each logit.
    logits
        (n_test, C) float32.
    targets
        (n_test,) int64: labels, as given.
    weight, bias
        (C, d) and (C,) float32, on normalised features if the protocol normalises; without rows
        where there are none (``knn``, ``ensemble``).
    top1, top5
        Shares of test images; top5 is NaN with 5 classes or fewer.
    mean_per_class_recall
        Mean over the classes of the test images.
    expected_calibration_error
        With 15 bins of equal width.
    top1_low, top1_high
        95 % bootstrap interval of top1 over test images (not over seeds).
    learning_rate, weight_decay
        The setting chosen; ``weight_decay`` is the penalty, whatever the regularization. NaN where
        the solver has none.
    n_neighbours
        The number of neighbours chosen (``knn``), else NaN.
    learning_rate_on_edge, weight_decay_on_edge
        Whether the choice is the smallest or largest of its grid (of more than one value).
    validation_accuracy
        Of the setting chosen.
    n_train, n_validation, n_test
        Images; n_train counts validation images, since the refit uses them.
    unseen_classes
        Labels of test images that train does not have.
    trials
        Every setting tried, in order.
    protocol
        `Protocol.identity`.
    """

    model: str
    seed: int
    solver: str
    classes: NDArray[np.int64]
    logits: NDArray[np.float32]
    targets: NDArray[np.int64]
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    top1: float
    top5: float
    mean_per_class_recall: float
    expected_calibration_error: float
    top1_low: float
    top1_high: float
    learning_rate: float
    weight_decay: float
    n_neighbours: float
    learning_rate_on_edge: bool
    weight_decay_on_edge: bool
    validation_accuracy: float
    n_train: int
    n_validation: int
    n_test: int
    unseen_classes: tuple[int, ...]
    trials: tuple[Trial, ...]
    protocol: Mapping[str, Any]

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether each test image is classified rightly, (n_test,)."""
        return metrics.top_k(self.logits, index_labels(self.targets, self.classes), 1)

    @property
    def n_classes(self) -> int:
        """Number of classes that have a logit."""
        return len(self.classes)

    @property
    def n_unseen_classes(self) -> int:
        """Number of classes that have none."""
        return len(self.unseen_classes)

    @property
    def n_trials(self) -> int:
        """Number of settings tried."""
        return len(self.trials)

    def row(self) -> dict[str, Any]:
        """Return the row of the results table: every scalar, and counts of the rest."""
        return {name: getattr(self, name) for name in row_columns()}


_COUNTS = ("n_classes", "n_unseen_classes", "n_trials")  # in a row, not fields
_LOGITS, _WEIGHTS = ("classes", "logits", "targets"), ("weight", "bias")  # by file
_NOT_IN_ROW = (*_LOGITS, *_WEIGHTS, "unseen_classes", "trials", "protocol")


def row_columns() -> list[str]:
    """Return the columns of the results table, in order."""
    names = [f.name for f in dataclasses.fields(ProbeResult)]
    return [*(n for n in names if n not in _NOT_IN_ROW), *_COUNTS]


def score(
    logits: NDArray[np.float32], targets: NDArray[np.int64], classes: NDArray[np.int64]
) -> dict[str, Any]:
    """Return every metric of test logits, a float each.

    Parameters
    ----------
    logits
        (n, C).
    targets
        Labels (n,).
    classes
        The label of each logit (C,), ascending.
    """
    wanted = index_labels(targets, classes)
    correct = metrics.top_k(logits, wanted, 1)
    low, high = metrics.bootstrap_interval(correct)
    confidence = metrics.softmax(logits).max(axis=1)
    return {
        "top1": float(correct.mean()),
        "top5": float(metrics.top_k(logits, wanted, 5).mean()) if len(classes) > 5 else np.nan,
        "mean_per_class_recall": metrics.mean_per_class_recall(correct, targets),
        "expected_calibration_error": metrics.expected_calibration_error(confidence, correct),
        "top1_low": low,
        "top1_high": high,
    }


def save_probe(result: ProbeResult, folder: Path) -> None:
    """Write one probe as a folder, atomically; the same result gives the same bytes."""
    header = {
        "row": {name: _none(value) for name, value in result.row().items()},
        "unseen_classes": list(result.unseen_classes),
        "trials": [[_none(v) for v in trial] for trial in result.trials],
        "protocol": dict(result.protocol),
    }
    with atomic(folder) as part:
        part.mkdir()
        write_json(part / PROBE_FILE, header)
        _save_arrays(part / LOGITS_FILE, result, _LOGITS)
        _save_arrays(part / WEIGHTS_FILE, result, _WEIGHTS)


def _save_arrays(path: Path, result: ProbeResult, names: tuple[str, ...]) -> None:
    from safetensors.numpy import save

    about = {"model": result.model, "seed": result.seed, "protocol": result.protocol}
    # One metadata key: several come out in random order.
    metadata = {"simcons": json.dumps(about, sort_keys=True)}
    # Not `save_file`, whose error tells in words alone that the disk is full.
    path.write_bytes(save({n: getattr(result, n) for n in names}, metadata=metadata))


def _none(value: Any) -> Any:
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _nan(value: Any) -> Any:
    return np.nan if value is None else value


def load_probe(folder: Path) -> ProbeResult:
    """Read a probe that `save_probe` wrote.

    Raises
    ------
    UserError
        If a file is missing or damaged, or is not a probe.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    header = read_json(folder / PROBE_FILE)
    try:
        arrays: dict[str, Any] = load_file(folder / LOGITS_FILE)
        arrays |= load_file(folder / WEIGHTS_FILE)
        return ProbeResult(
            **{k: _nan(v) for k, v in header["row"].items() if k not in _COUNTS},
            **arrays,
            unseen_classes=tuple(header["unseen_classes"]),
            trials=tuple(_trial(t) for t in header["trials"]),
            protocol=header["protocol"],
        )
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise _unreadable(folder, error) from None


def _trial(values: list[Any]) -> Trial:
    """Return a trial from its JSON form."""
    rate, penalty, accuracy, loss, n_neighbours = values
    return Trial(_nan(rate), _nan(penalty), _nan(accuracy), _nan(loss), n_neighbours)


def load_row(folder: Path) -> dict[str, Any]:
    """Read a probe's row of the results table, without its arrays (logits can be large).

    Raises
    ------
    UserError
        If the file is missing or is not a probe.
    """
    header = read_json(folder / PROBE_FILE)
    try:
        return {name: _nan(header["row"][name]) for name in row_columns()}
    except (KeyError, TypeError, AttributeError) as error:
        raise _unreadable(folder, error) from None


def _unreadable(folder: Path, error: Exception) -> UserError:
    return UserError(
        f"{folder}: not a readable probe ({error}); delete it and run `dvc repro` again"
    )


def collect(results: Iterable[ProbeResult | Mapping[str, Any]]) -> pd.DataFrame:
    """Return the tidy table of probes: a row per model and seed, sorted.

    Parameters
    ----------
    results
        Probes, or their rows (`ProbeResult.row`, `load_row`).

    Raises
    ------
    UserError
        If there are no results, or two of the same model and seed.
    """
    import pandas as pd

    rows = [r.row() if isinstance(r, ProbeResult) else r for r in results]
    if not rows:
        raise UserError("no probe results to collect")
    table = pd.DataFrame(rows).sort_values(["model", "seed"], ignore_index=True)
    twice = table[table.duplicated(["model", "seed"])]
    if len(twice):
        raise UserError(
            f"probe results of model '{twice.model.iloc[0]}', seed {twice.seed.iloc[0]} come twice"
        )
    return table


def probe_folder(folder: Path, model: str, seed: int) -> Path:
    """Return where a data set's probe of one model and seed lies."""
    return folder / model / f"seed_{seed}"
