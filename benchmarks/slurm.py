"""What SLURM and DVC add to the work: submission, waiting, and a study of trivial tasks.

    python benchmarks/slurm.py [--datasets 23] [--groups 64] [--jobs 4]

Starts a one-node SLURM of its own (as root; see tests/slurm/cluster.py) and removes it afterwards.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "slurm"))

from cluster import Cluster, missing  # noqa: E402 (found on the path set above)

PER_PAIR_SECONDS = 7.0  # of one DVC stage per data set and model, measured on 1,472 stages
TASK = """\
import os, pathlib, sys, time
if "SIMCONS_MODEL_GROUP" not in os.environ:
    out = pathlib.Path("out") / sys.argv[1]
    out.parent.mkdir(exist_ok=True)
    out.write_text(sys.argv[1])
"""
SETTINGS = """\
resources: {{light: {{}}, gpu: {{memory: 50}}}}
arrays: {{features: {{groups: {groups}}}}}
"""
PIPELINE = """\
stages:
  features:
    foreach: [{names}]
    do:
      cmd: simcons exec gpu -- python stages/features.py ${{item}}
      deps: [stages/features.py]
      outs: ["out/${{item}}"]
"""


def study(root: Path, n_datasets: int, groups: int) -> None:
    names = ", ".join(f"d{i:02d}" for i in range(n_datasets))
    (root / "stages").mkdir(parents=True)
    (root / "stages/features.py").write_text(TASK)
    (root / "slurm.yaml").write_text(SETTINGS.format(groups=groups))
    (root / "dvc.yaml").write_text(PIPELINE.format(names=names))
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"]):
        subprocess.run(command, cwd=root, check=True)


def one_array(root: Path, groups: int) -> None:
    """Time the calls of one array: until it is submitted, and from its last task to the end."""
    start = time.time()
    command = ["simcons", "exec", "gpu", "--", "python", "stages/features.py", "d00"]
    child = subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    submitted = []
    for line in child.stderr:
        if " submitted " in line:
            submitted.append(time.time())
    if child.wait():
        sys.exit("the array failed")
    ended = time.time()
    files = sorted((root / ".simcons/slurm").glob("*/*/*.exit"), key=lambda p: p.stat().st_mtime)
    last, assembled = files[-2].stat().st_mtime, files[-1].stat().st_mtime
    print(
        f"| {groups} tasks submitted, from the start of `simcons exec` | {submitted[0] - start:.2f} s |"
    )
    print(f"| from the array's last task to the job that assembles | {submitted[1] - last:.2f} s |")
    print(f"| from that job's end to the wrapper's exit | {ended - assembled:.2f} s |")
    print(f"| the whole array of trivial tasks | {ended - start:.1f} s |", flush=True)


def whole_study(root: Path, n_datasets: int, groups: int, jobs: int) -> None:
    start = time.time()
    log = root.parent / "run.log"
    with log.open("wb") as out:
        done = subprocess.run(
            ["simcons", "run", "--jobs", str(jobs)], cwd=root, stdout=out, stderr=out, check=False
        )
    if done.returncode:
        sys.exit(log.read_text()[-3000:])
    seconds = time.time() - start
    made = re.findall(r"^  features@", (root / "dvc.lock").read_text(), re.MULTILINE)
    assert len(made) == n_datasets
    pairs = n_datasets * groups
    per_pair = PER_PAIR_SECONDS * pairs
    print(
        f"| {n_datasets} data sets x {groups} models, `simcons run --jobs {jobs}` | {seconds:.0f} s |"
    )
    print(f"| one DVC stage per pair ({pairs} x {PER_PAIR_SECONDS:g} s) | {per_pair:.0f} s |")
    print(f"| ratio | {per_pair / seconds:.0f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", type=int, default=23)
    parser.add_argument("--groups", type=int, default=64)
    parser.add_argument("--jobs", type=int, default=4)
    chosen = parser.parse_args()
    why = missing()
    if why:
        sys.exit(why)
    with tempfile.TemporaryDirectory(prefix="simcons-bench-") as scratch:
        cluster = Cluster(Path(scratch) / "cluster")
        Path(scratch).chmod(0o755)
        cluster.start()
        os.environ |= {**cluster.environment, "SIMCONS_EXECUTOR": "slurm", "DVC_NO_ANALYTICS": "1"}
        os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        try:
            print("| | measured |\n|---|---|", flush=True)
            study(Path(scratch) / "one", 1, chosen.groups)
            one_array(Path(scratch) / "one", chosen.groups)
            study(Path(scratch) / "study", chosen.datasets, chosen.groups)
            whole_study(Path(scratch) / "study", chosen.datasets, chosen.groups, chosen.jobs)
        finally:
            cluster.stop()


if __name__ == "__main__":
    main()
