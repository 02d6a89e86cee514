"""A full disk and a read-only cache, on real file systems (small tmpfs; needs root)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from remote_study import (
    assert_nothing_false,
    assert_same_results,
    fresh_clone,
    simcons,
)

pytestmark = pytest.mark.s3


class Disk:
    """A small file system of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()

    def mount(self, *options: str) -> None:
        """Mount it, or mount it anew with other options; what it holds stays."""
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", ",".join(options), "simcons-test", str(self.path)],
            check=True,
            capture_output=True,
        )


@pytest.fixture
def disk(tmp_path) -> Iterator[Disk]:
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount a small tmpfs")
    disk = Disk(tmp_path / "disk")
    try:
        disk.mount("size=64m")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"cannot mount a tmpfs here: {error.stderr.decode().strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk.path)], check=True)


def use_cache(clone, folder: Path) -> None:
    clone.dvc("cache", "dir", "--local", str(folder))


def test_a_full_cache_disk_is_named_and_the_next_pull_completes(study, stranger, disk):
    simcons(study, "push")
    use_cache(stranger, disk.path / "cache")
    disk.mount("remount", "size=300k")
    done = simcons(stranger, "pull", check=False)
    assert done.returncode == 1
    assert "the disk is full" in done.stderr
    assert str(disk.path) in done.stderr
    assert_nothing_false(stranger, study)
    disk.mount("remount", "size=64m")
    simcons(stranger, "pull")
    assert_same_results(stranger, study)


def test_a_full_disk_of_the_workspace_is_named_and_the_next_pull_completes(
    study, server, disk, tmp_path
):
    simcons(study, "push")
    clone = fresh_clone(study, server, disk.path / "clone")
    use_cache(clone, tmp_path / "cache")
    used = int(subprocess.check_output(["du", "-sk", str(disk.path)], text=True).split()[0])
    disk.mount("remount", f"size={used + 300}k")
    done = simcons(clone, "pull", check=False)
    assert done.returncode == 1
    assert "could not be put into the workspace" in done.stderr or "the disk is full" in done.stderr
    disk.mount("remount", "size=64m")
    assert_nothing_false(clone, study)
    simcons(clone, "pull")
    assert_same_results(clone, study)


def test_a_read_only_cache_that_holds_all_serves(study, stranger, disk):
    simcons(study, "push")
    use_cache(stranger, disk.path / "cache")
    simcons(stranger, "pull")
    stranger.run("rm", "-r", "data")
    disk.mount("remount", "ro")
    simcons(stranger, "pull")
    assert_same_results(stranger, study)


def test_a_read_only_cache_that_lacks_something_is_named(study, stranger, disk):
    simcons(study, "push")
    use_cache(stranger, disk.path / "cache")
    simcons(stranger, "pull", "similarity")
    disk.mount("remount", "ro")
    done = simcons(stranger, "pull", check=False)
    assert done.returncode == 1
    assert "the file system is read-only: " + str(disk.path) in done.stderr
    assert_nothing_false(stranger, study)
    disk.mount("remount", "rw")
    simcons(stranger, "pull")
    assert_same_results(stranger, study)


def test_a_stage_cannot_record_what_a_read_only_cache_does_not_take(study, disk, tmp_path):
    undisturbed = type(study)(tmp_path / "undisturbed")
    study.run("cp", "-r", str(study.root), str(undisturbed.root))
    use_cache(study, disk.path / "cache")
    before = (study.root / "dvc.lock").read_bytes()
    disk.mount("remount", "ro")
    values = study.params
    values["datasets"]["digits"]["files"] += 1
    study.params = undisturbed.params = values
    done = study.dvc("repro", check=False)
    assert done.returncode != 0
    assert "Read-only file system" in done.stderr
    assert (study.root / "dvc.lock").read_bytes() == before
    disk.mount("remount", "rw")
    study.dvc("repro")
    undisturbed.dvc("repro")
    assert_same_results(study, undisturbed)
