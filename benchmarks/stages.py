"""Time and peak memory of every stage on one data set, each from nothing.

    python benchmarks/stages.py photo_patches

Runs the stages' own scripts with an empty store, in the order of the pipeline; their outputs are
those of `dvc repro`, to the byte. Needs the data sets and models before it (`make repro`).
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time

PER_DATASET = ("dataset", "features", "subset", "similarity", "probe")
AGGREGATE = ("consistency", "performance_gap", "learned", "figures", "report")


def measure(script: str, *args: str, store: str) -> tuple[float, float]:
    """Run a stage in a child; return wall seconds and its peak resident memory in GB."""
    start = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, f"stages/{script}.py", *args],
        env={**os.environ, "SIMCONS_STORE": store},
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"stages/{script}.py {' '.join(args)} failed; run it alone to see why")
    return time.perf_counter() - start, usage.ru_maxrss * resource_unit()


def resource_unit() -> float:
    """GB per unit of ru_maxrss: KiB on Linux, bytes on macOS."""
    return 1e-9 if sys.platform == "darwin" else 1024e-9


def main() -> None:
    datasets = sys.argv[1:] or ["photo_patches"]
    print(f"| stage | seconds | peak GB |  ({os.cpu_count()} cores)\n|---|---|---|")
    with tempfile.TemporaryDirectory() as store:
        for dataset in datasets:
            for name in PER_DATASET:
                seconds, peak = measure(name, dataset, store=store)
                print(f"| {name}@{dataset} | {seconds:.1f} | {peak:.2f} |", flush=True)
        for name in AGGREGATE:
            seconds, peak = measure(name, store=store)
            print(f"| {name} | {seconds:.1f} | {peak:.2f} |", flush=True)
    own = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"\nCPU seconds of all: {own.ru_utime + own.ru_stime:.0f}")


if __name__ == "__main__":
    main()
