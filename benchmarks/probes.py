"""How fast is the batched sweep of linear probes, against one setting after another?

    python benchmarks/probes.py --train 9429 --dim 768 --classes 10
    python benchmarks/probes.py --features data/features/mnist5k/pixels

The batched sweep is `simcons.probes.fit_linear_probe`. The sequential one is the usual way: for
each setting a `DataLoader` over single images, `torch.optim.AdamW`, `CosineAnnealingLR`; the same
search, validation split and refit. Of a sequential sweep that would take long, `--settings` times
so many settings and the whole is scaled up (then there is no accuracy to compare, and it says so).
The rate of matrix products is measured in the same run, before and after, since clocks and
neighbours change.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch.utils.data import DataLoader, TensorDataset

from simcons.core.files import write_json
from simcons.features import FeatureFile
from simcons.probes import Protocol, batched, splits, sweep
from simcons.probes.linear import fit_linear_probe, unit_length
from simcons.probes.problem import Images

Data = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def synthetic(n_train: int, n_test: int, dim: int, n_classes: int) -> Data:
    """Return Gaussian classes that overlap somewhat."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(n_classes, dim)) * 3 / math.sqrt(dim)

    def split(n: int) -> tuple[np.ndarray, np.ndarray]:
        y = np.arange(n) % n_classes
        return (centres[y] + rng.normal(size=(n, dim))).astype(np.float32), y

    return (*split(n_train), *split(n_test))


def real(folder: Path) -> Data:
    """Return the features of one model on one data set."""
    train, test = (FeatureFile.read(folder / f"{s}.safetensors") for s in ("train", "test"))
    return train.features, train.targets, test.features, test.targets


class Clock:
    """Wall time, or the processor time of this process, which a busy machine distorts less."""

    def __init__(self, kind: str) -> None:
        self.now = {"wall": time.perf_counter, "cpu": time.process_time}[kind]

    def seconds(self, work: Callable[[], Any]) -> float:
        start = self.now()
        work()
        return self.now() - start


def gemm_rate(clock: Clock, size: int = 2048, repeats: int = 8) -> float:
    """Return the median rate of a square float32 matrix product, FLOP/s."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    out = torch.empty(size, size)
    times = [clock.seconds(lambda: torch.mm(a, b, out=out)) for _ in range(repeats + 2)]
    return 2 * size**3 / float(np.median(times[2:]))


def flops(n_images: int, dim: int, n_classes: int, n_settings: int, epochs: int) -> float:
    """Return the operations of forward and backward products of n_settings trainings."""
    return 4.0 * n_images * dim * n_classes * n_settings * epochs


def train_sequential(
    x: torch.Tensor, y: torch.Tensor, n_classes: int, setting: tuple[float, float], p: Protocol
) -> torch.nn.Linear:
    """Train one setting with a DataLoader."""
    torch.manual_seed(0)
    model = torch.nn.Linear(x.shape[1], n_classes)
    loader = DataLoader(TensorDataset(x, y), batch_size=p.batch_size, shuffle=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=setting[0], weight_decay=setting[1])
    n_steps = p.epochs * len(loader)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=n_steps)
    for _ in range(p.epochs):
        for inputs, labels in loader:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(inputs), labels).backward()
            optimizer.step()
            schedule.step()
    return model


def fit_sequential(data: Data, protocol: Protocol) -> tuple[float, int]:
    """Run the protocol one setting at a time; return test accuracy and number of settings."""
    x, y, test_x, test_y = _tensors(data, protocol)
    n_classes = int(y.max()) + 1
    rows, held_out = splits.validation_split(
        y.numpy(), protocol.validation_fraction, 0, "benchmark"
    )

    def score(settings: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
        accuracies, losses = [], []
        for setting in settings:
            model = train_sequential(x[rows], y[rows], n_classes, setting, protocol)
            with torch.no_grad():
                logits = model(x[held_out])
            accuracies.append((logits.argmax(1) == y[held_out]).double().mean().item())
            losses.append(torch.nn.functional.cross_entropy(logits, y[held_out]).item())
        return accuracies, losses

    trials = sweep.search(score, protocol.learning_rates, protocol.weight_decays.values())
    best = sweep.best(trials)
    model = train_sequential(x, y, n_classes, (best.learning_rate, best.penalty), protocol)
    with torch.no_grad():
        correct = model(test_x).argmax(1) == test_y
    return correct.double().mean().item(), len(trials)


def _tensors(data: Data, protocol: Protocol) -> tuple[torch.Tensor, ...]:
    """Return features as the protocol has them and labels as class indices."""
    train_x, train_y, test_x, test_y = data
    classes = np.unique(train_y)
    x, test = (unit_length(v) if protocol.normalize else v for v in (train_x, test_x))
    y, test_labels = (splits.index_labels(v, classes) for v in (train_y, test_y))
    return tuple(map(torch.from_numpy, (x, y, test, test_labels)))


def measure_batched(clock: Clock, data: Data, protocol: Protocol) -> dict[str, Any]:
    """Time the first round and the whole fit, with the GEMM rate of the same run."""
    x, y, *_ = _tensors(data, protocol)
    dim, n_classes = x.shape[1], int(y.max()) + 1
    rows, _ = splits.validation_split(y.numpy(), protocol.validation_fraction, 0, "benchmark")
    images = Images(torch.cat([x, torch.ones(len(x), 1)], 1), y).rows(rows)
    grid = protocol.weight_decays.values()[:: sweep.COARSE_STEP]
    settings = [(rate, p) for rate in protocol.learning_rates for p in grid]
    before = gemm_rate(clock)
    with torch.no_grad():
        first = clock.seconds(lambda: batched.train(images, n_classes, settings, protocol, 0))
    start = clock.now()
    result = fit_linear_probe(*data, protocol, 0)
    whole = clock.now() - start
    rate = (before + gemm_rate(clock)) / 2
    first_work = flops(len(rows), dim, n_classes, len(settings), protocol.epochs)
    refit_work = flops(len(x), dim, n_classes, 1, protocol.epochs)
    work = first_work / len(settings) * len(result.trials) + refit_work
    return {
        "gemm_gflops": rate / 1e9,
        "first_round_seconds": first,
        "first_round_share_of_gemm_rate": first_work / first / rate,
        "batched_seconds": whole,
        "batched_share_of_gemm_rate": work / whole / rate,
        "batched_top1": result.top1,
        "n_trials": len(result.trials),
    }


def measure_sequential(
    clock: Clock, data: Data, protocol: Protocol, n_settings: int | None, n_trials: int
) -> dict[str, Any]:
    """Time the sequential sweep, or some of its settings, scaled to `n_trials` and the refit."""
    if n_settings is None:
        start = clock.now()
        top1, trials = fit_sequential(data, protocol)
        elapsed = clock.now() - start
        return {"sequential_seconds": elapsed, "sequential_top1": top1, "sequential_trials": trials}
    x, y, *_ = _tensors(data, protocol)
    rows, _ = splits.validation_split(y.numpy(), protocol.validation_fraction, 0, "benchmark")
    n_classes = int(y.max()) + 1

    def some() -> None:
        for i in range(n_settings):
            setting = protocol.learning_rates[i % len(protocol.learning_rates)], 1e-3
            train_sequential(x[rows], y[rows], n_classes, setting, protocol)

    each = clock.seconds(some) / n_settings
    return {
        "sequential_seconds": each * (n_trials + len(x) / len(rows)),
        "sequential_settings_timed": n_settings,
    }


def main(
    train: Annotated[int, typer.Option(help="Training images (synthetic).")] = 9429,
    test: Annotated[int, typer.Option(help="Test images (synthetic).")] = 2000,
    dim: Annotated[int, typer.Option(help="Features per image (synthetic).")] = 768,
    classes: Annotated[int, typer.Option(help="Classes (synthetic).")] = 10,
    features: Annotated[
        Path | None, typer.Option(help="A folder with train and test.safetensors, instead.")
    ] = None,
    settings: Annotated[
        int | None, typer.Option(help="Time so many sequential settings and scale up.")
    ] = None,
    threads: Annotated[int, typer.Option(help="Threads of torch.")] = 2,
    clock: Annotated[
        str, typer.Option(help="wall, or cpu: on a busy machine, with --threads 1.")
    ] = "wall",
    out: Annotated[Path | None, typer.Option(help="Also write the figures here (JSON).")] = None,
) -> None:
    """Time the batched sweep against the sequential one."""
    torch.set_num_threads(threads)
    data = real(features) if features else synthetic(train, test, dim, classes)
    protocol = Protocol()
    figures: dict[str, Any] = {
        "features": str(features) if features else "synthetic",
        "n_train": len(data[0]),
        "dim": data[0].shape[1],
        "n_classes": len(np.unique(data[1])),
        "threads": threads,
        "clock": clock,
    }
    figures |= measure_batched(Clock(clock), data, protocol)
    figures |= measure_sequential(Clock(clock), data, protocol, settings, figures["n_trials"])
    figures["times_faster"] = figures["sequential_seconds"] / figures["batched_seconds"]
    print(json.dumps(figures, indent=1))
    if out:
        write_json(out, figures)


if __name__ == "__main__":
    typer.run(main)
