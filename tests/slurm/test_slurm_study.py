"""The study's real stages through SLURM: the same hashes and metrics as on this machine alone."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

sys.path.insert(0, str(Path(__file__).parents[1] / "pipeline"))

from miniature import Clone, make_clone

pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.timeout(600)]
SETTINGS = {
    "resources": {"light": {}, "cpu": {"memory": 400}, "gpu": {"partition": "gpu", "memory": 400}},
    "arrays": {"features": {"groups": 2}, "probe": {"groups": 3}},
    "poll": 1,
}


def record(clone: Clone) -> tuple[str, dict[str, str]]:
    """What a run leaves to git: dvc.lock, and a hash of each file of metrics/."""
    return (clone.root / "dvc.lock").read_text(), clone.file_hashes("metrics")


def test_the_real_stages_give_the_same_bytes_on_a_cluster(cluster, open_folder):
    """Extraction with torch, similarity, probes, analysis, figures and report, each as jobs."""
    local = make_clone(open_folder / "miniature" / "local")
    local.dvc("repro")

    clone = make_clone(open_folder / "miniature" / "on a cluster")
    with (clone.root / "slurm.yaml").open("w") as file:
        YAML(typ="safe").dump(SETTINGS, file)
    done = clone.run(
        "simcons", "run", "--jobs", "2", SIMCONS_EXECUTOR="slurm", **cluster.environment
    )

    assert record(clone) == record(local)
    assert done.stdout.count("didn't change, skipping") == 17  # the audit
    logs = clone.root / ".simcons" / "run"
    for stage, what in {
        "features@shapes": "array of 2 model parts",
        "probe@textures": "array of 3 model parts",
        "zoo@trained": "job",
        "report": "job",
    }.items():
        assert f"submitted {what} as job" in (logs / f"{stage}.log").read_text()
