"""Level of the permutation tests and coverage of the intervals, by simulation; prints one table.

python benchmarks/consistency_simulation.py [--trials 1000] [--only NAME]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "consistency"))

from simulate_consistency import (
    coverage_of_gap,
    coverage_of_intervals,
    rejections_of_contrast,
    rejections_of_drivers,
    rejections_of_mantel,
)


def main() -> None:
    """Run the simulations; one JSON line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    n, seed = options.trials, options.seed
    jobs = {
        "mantel rejects at .05": lambda: rejections_of_mantel(n, seed),
        "contrast rejects at .05": lambda: rejections_of_contrast(n, seed),
        "drivers reject at .05": lambda: rejections_of_drivers(n, seed),
        "gap interval covers": lambda: coverage_of_gap(n, seed),
    }
    for scheme in ("models", "datasets", "both"):
        for method in ("pearson", "spearman"):
            jobs[f"{method} {scheme} interval covers"] = lambda s=scheme, m=method: (
                coverage_of_intervals(n, s, m, seed)
            )
    for name, job in jobs.items():
        if options.only in name:
            start = time.process_time()
            result = {"what": name, "trials": n, "share": job()}
            print(
                json.dumps({**result, "cpu_s": round(time.process_time() - start, 1)}), flush=True
            )


if __name__ == "__main__":
    main()
