"""The one-pass engine against the plain pairwise algorithm and the machine's own matrix products.

    python benchmarks/similarity.py --models 8 32 --images 1000 2000 4000

For every size, in one run: the engine's time and peak memory (in a fresh process), the time of the
textbook algorithm (both n x n matrices of every pair, built anew for each pair, elementwise HSIC or
correlation; in torch float32, timed on a few pairs and scaled to all, which the table says), of
rsatoolbox where it is installed and has the measure (likewise), the speed of the engine in GFLOP/s
of tile arithmetic and that of a plain float32 product with preallocated output. Results go to a
JSON file, and as a table to standard output.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

DIMS = (512, 768, 1024, 2048)
SETS = {
    "linear": ["cka_linear"],
    "three": ["cka_linear", "cka_rbf_0.4", "rsa_correlation_pearson"],
    "spearman": ["rsa_correlation_spearman"],
}


def make_features(
    folder: Path, models: int, images: int, dims: Sequence[int] = DIMS
) -> dict[str, Path]:
    """Write features of random models that share a signal, in parts; return model id -> file."""
    rng = np.random.default_rng(0)
    paths = {f"model_{k:02d}": folder / f"model_{k:02d}.npy" for k in range(models)}
    for k, path in enumerate(paths.values()):
        d = dims[k % len(dims)]
        weights = rng.normal(size=(32, d)).astype(np.float32) / 6
        signals = np.random.default_rng(1)
        out = np.lib.format.open_memmap(path, "w+", np.float32, (images, d))
        for start in range(0, images, 10_000):
            signal = signals.standard_normal((min(10_000, images - start), 32), np.float32)
            noise = rng.standard_normal((len(signal), d), np.float32)
            out[start : start + len(signal)] = 0.5 + signal @ weights + 0.5 * noise
        out.flush()
    return paths


def gemm_rate(edge: int = 500, inner: int = 1024, seconds: float = 2.0) -> float:
    """Return GFLOP/s of a float32 product of tile size with preallocated output."""
    x, y, out = torch.randn(edge, inner), torch.randn(edge, inner), torch.empty(edge, edge)
    torch.mm(x, y.T, out=out)
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        torch.mm(x, y.T, out=out)
        count += 1
    return 2.0 * edge * edge * inner * count / (time.perf_counter() - start) / 1e9


def run_engine(
    paths: dict[str, Path], measures: list[str], threads: int, memory_gb: float, queue: Any
) -> None:
    """Time the engine in a process of its own, so that its peak memory is its own."""
    torch.set_num_threads(threads)
    from simcons.similarity import compute_similarity, evaluation, read_features

    passes = []  # seconds of each pass over tiles
    accumulate = evaluation.accumulate

    def timed(*args: Any, **options: Any) -> Any:
        start = time.perf_counter()
        sums = accumulate(*args, **options)
        passes.append(time.perf_counter() - start)
        return sums

    evaluation.accumulate = timed
    # As `simcons similarity` reads them: pages that np.load maps would count as our memory.
    features = read_features(next(iter(paths.values())).parent)
    start = time.perf_counter()
    result = compute_similarity(features, measures, memory_gb=memory_gb)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    facts = result.metadata["facts"]
    queue.put({"seconds": seconds, "passes": passes, "peak_gb": peak, "facts": facts})


def engine(paths: dict[str, Path], measures: list[str], threads: int, memory_gb: float) -> Any:
    """Run the engine in a fresh process."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=run_engine, args=(paths, measures, threads, memory_gb, queue))
    process.start()
    out = queue.get()
    process.join()
    return out


def pairwise_matrix(measure: str, x: torch.Tensor) -> torch.Tensor:
    """Return the n x n kernel or the vector of distances, as a textbook has it."""
    if measure == "cka_linear":
        return x @ x.T
    if measure.startswith("cka_rbf_"):
        sigma = float(measure.removeprefix("cka_rbf_"))
        return torch.exp(-(torch.cdist(x, x) ** 2) / (2 * sigma**2))
    rdm = 1 - torch.corrcoef(x)
    return rdm[torch.triu(torch.ones_like(rdm, dtype=torch.bool), 1)]


def pairwise_value(measure: str, x: torch.Tensor, y: torch.Tensor) -> float:
    """Return one similarity by the textbook, from features alone."""
    x, y = (v / v.norm(dim=1, keepdim=True) for v in (x, y))
    K, L = pairwise_matrix(measure, x), pairwise_matrix(measure, y)
    if measure.startswith("rsa"):
        if measure.endswith("spearman"):
            K, L = (v.argsort().argsort().float() for v in (K, L))
        return float(torch.corrcoef(torch.stack([K, L]))[0, 1])
    K.fill_diagonal_(0)
    L.fill_diagonal_(0)
    return hsic(K, L) / math.sqrt(hsic(K, K) * hsic(L, L))


def hsic(K: torch.Tensor, L: torch.Tensor) -> float:
    """Return unbiased HSIC up to a factor, elementwise."""
    n = len(K)
    chain = float(K.sum(0) @ L.sum(1))
    total = float(K.sum()) * float(L.sum()) / ((n - 1) * (n - 2))
    return float((K * L).sum()) + total - 2 / (n - 2) * chain


def pairwise_seconds(paths: dict[str, Path], measures: list[str], pairs: int) -> float:
    """Return mean seconds per pair, all measures, over random pairs, features reloaded for each."""
    names = list(paths)
    rng = np.random.default_rng(0)
    start = time.perf_counter()
    for _ in range(pairs):
        i, j = rng.choice(len(names), 2, replace=False)
        x, y = (torch.from_numpy(np.load(paths[names[k]])) for k in (i, j))
        for measure in measures:
            pairwise_value(measure, x, y)
    return (time.perf_counter() - start) / pairs


def package_seconds(paths: dict[str, Path], measures: list[str], pairs: int) -> float | None:
    """Return mean seconds per pair of rsatoolbox, None where it lacks a measure or is absent."""
    methods = {"rsa_correlation_spearman": "spearman", "rsa_correlation_pearson": "corr"}
    if importlib.util.find_spec("rsatoolbox") is None or not set(measures) <= set(methods):
        return None
    from rsatoolbox.data import Dataset
    from rsatoolbox.rdm import calc_rdm, compare

    names = list(paths)
    rng = np.random.default_rng(0)
    start = time.perf_counter()
    for _ in range(pairs):
        two = [np.load(paths[names[k]]) for k in rng.choice(len(names), 2, replace=False)]
        rdms = [calc_rdm(Dataset(x), method="correlation") for x in two]
        for measure in measures:
            compare(*rdms, method=methods[measure])
    return (time.perf_counter() - start) / pairs


def one_row(label: str, paths: dict[str, Path], images: int, options: Any) -> dict[str, Any]:
    """Measure one set of measures at one size."""
    models, measures, dims = len(paths), SETS[label], options.dims
    gemm = gemm_rate()
    found = engine(paths, measures, options.threads, options.memory_gb)
    each = pairwise_seconds(paths, measures, options.pairs) if options.pairs else math.nan
    package = package_seconds(paths, measures, options.pairs) if options.pairs else None
    flops = (
        len(found["passes"]) * float(images) ** 2 * sum(dims[k % len(dims)] for k in range(models))
    )
    rate = flops / sum(found["passes"]) / 1e9 if flops else 0.0
    n_pairs = models * (models - 1) / 2
    every = each * n_pairs
    return {
        "measures": label,
        "models": models,
        "images": images,
        "seconds": round(found["seconds"], 2),
        "peak_gb": round(found["peak_gb"], 2),
        "pairwise_seconds": round(every, 1),
        "ratio": round(every / found["seconds"], 1),
        "rsatoolbox_ratio": round(package * n_pairs / found["seconds"], 1) if package else "",
        "tile_gflops": round(rate, 1),
        "gemm_gflops": round(gemm, 1),
        "tile_share": round(rate / gemm, 2),
        "space": found["facts"].get("cka_linear", {}).get("space", "tiles"),
    }


def one_size(models: int, images: int, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure everything at one size."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        paths = make_features(Path(folder), models, images, options.dims)
        for label in options.sets:
            rows.append(one_row(label, paths, images, options))
            print(json.dumps(rows[-1]), flush=True)
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as a Markdown table."""
    head = list(rows[0])
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(str(row[k]) for k in head) + " |" for row in rows]
    return "\n".join(lines)


def fit(rows: list[dict[str, Any]]) -> str:
    """Return the exponent of n in the engine's time per set, where there are three sizes."""
    lines = []
    for label, models in sorted({(r["measures"], r["models"]) for r in rows}):
        part = [r for r in rows if (r["measures"], r["models"]) == (label, models)]
        if len(part) > 2:
            x, y = (np.log([r[k] for r in part]) for k in ("images", "seconds"))
            lines.append(f"{label}, {models} models: time ~ n^{np.polyfit(x, y, 1)[0]:.2f}")
    return "\n".join(lines)


def main() -> None:
    """Run the sizes asked for."""
    parser = argparse.ArgumentParser(description="One-pass similarity against the pairwise way.")
    parser.add_argument("--models", type=int, nargs="+", default=[8, 32])
    parser.add_argument("--images", type=int, nargs="+", default=[1000, 2000, 4000])
    parser.add_argument("--sets", nargs="+", choices=sorted(SETS), default=sorted(SETS))
    parser.add_argument("--dims", type=int, nargs="+", default=DIMS, help="of models in turn")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=3, help="timed the pairwise way; 0: none")
    parser.add_argument("--memory-gb", type=float, default=4.0)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/similarity.json"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = [r for m in options.models for n in options.images for r in one_size(m, n, options)]
    options.out.write_text(json.dumps(rows, indent=1) + "\n")
    print(
        f"\npairwise: timed on {options.pairs} pairs, scaled to all\n\n{table(rows)}\n\n{fit(rows)}"
    )


if __name__ == "__main__":
    main()
