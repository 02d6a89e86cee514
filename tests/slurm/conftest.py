"""A real SLURM and toy studies on it, in folders with names that break careless quoting."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cluster import Cluster, missing
from toy import EXEC, Toy


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A folder that every user may read: pytest's own are for one user alone."""
    folder = Path(tempfile.mkdtemp(prefix="simcons-slurm-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def start(root: Path, **settings: bool) -> Cluster:
    why = missing()
    if why and os.environ.get("SIMCONS_REQUIRE_SERVICES") == "1":
        pytest.fail(why)
    if why:
        pytest.skip(why)
    cluster = Cluster(root, **settings)
    cluster.start()
    return cluster


@pytest.fixture(scope="session")
def strict_cluster(open_folder: Path) -> Iterator[Cluster]:
    """A second cluster, which kills what takes more memory than it asked for; nothing clears it."""
    cluster = start(open_folder / "strict-cluster", enforce_memory=True)
    yield cluster
    cluster.stop()


@pytest.fixture(scope="session")
def overdue(
    strict_cluster: Cluster, open_folder: Path
) -> Iterator[tuple[Toy, subprocess.Popen[str]]]:
    """A task that hangs until its time limit, of a minute or more."""
    toy = Toy(open_folder / "over due", strict_cluster.environment["SLURM_CONF"]).make()
    toy.settings(time=1, memory=300)
    toy.fault(hang="m1")
    process = toy.start(*EXEC)
    yield toy, process
    process.kill()


@pytest.fixture(scope="session")
def running_cluster(open_folder: Path, overdue: object) -> Iterator[Cluster]:
    """A cluster for all tests; the minute of `overdue` starts first, to pass meanwhile."""
    cluster = start(open_folder / "cluster")
    yield cluster
    cluster.stop()


@pytest.fixture
def cluster(running_cluster: Cluster) -> Iterator[Cluster]:
    """The cluster, idle before and after."""
    running_cluster.clear()
    yield running_cluster
    running_cluster.clear()


@pytest.fixture(scope="session")
def template(running_cluster: Cluster, open_folder: Path) -> Toy:
    """A toy study to copy."""
    return Toy(open_folder / "template", running_cluster.environment["SLURM_CONF"]).make()


@pytest.fixture
def make_toy(
    cluster: Cluster, template: Toy, open_folder: Path, request: pytest.FixtureRequest
) -> Callable[[str], Toy]:
    """Make a toy study in a folder of this test."""

    def make(name: str = "a study, 100% 'mine'") -> Toy:
        root = open_folder / request.node.name.replace("[", "-").strip("]") / name
        return Toy(root, cluster.environment["SLURM_CONF"]).make(like=template)

    return make


@pytest.fixture
def toy(make_toy: Callable[..., Toy]) -> Toy:
    """A toy study."""
    return make_toy()


@pytest.fixture(scope="session")
def undisturbed(running_cluster: Cluster, open_folder: Path) -> dict[str, str]:
    """The hashes that a serial run on this machine records."""
    toy = Toy(open_folder / "undisturbed", running_cluster.environment["SLURM_CONF"]).make()
    toy.run("dvc", "repro", SIMCONS_EXECUTOR="local")
    hashes = toy.lock()
    assert len(hashes) == 4
    return hashes
