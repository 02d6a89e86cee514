"""Every way in which results are written, on a full and on a read-only disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from simcons.core.files import atomic, write_csv, write_json, write_parquet, write_text
from simcons.features import FeatureFile
from simcons.probes import Protocol, WeightDecays, fit_linear_probe, save_probe
from simcons.study import stage

RANDOM = np.random.default_rng(0).normal(size=(400, 50)).astype(np.float32)
TABLE = pd.DataFrame(RANDOM.astype(np.float64))


def probe(path: Path) -> None:
    protocol = Protocol(epochs=1, weight_decays=WeightDecays(start=0.1, stop=1.0, count=2))
    targets = np.arange(400) % 20
    save_probe(fit_linear_probe(RANDOM, targets, RANDOM, targets, protocol, 0), path)


def folder(path: Path) -> None:
    with atomic(path) as part:
        part.mkdir()
        for i in range(40):
            (part / f"{i}").write_bytes(bytes(4096))


WRITERS = {
    "text": lambda path: write_text(path, "x" * 100_000),
    "json": lambda path: write_json(path, list(range(20_000))),
    "csv": lambda path: write_csv(path, TABLE),
    "parquet": lambda path: write_parquet(path, TABLE),
    "features": lambda path: FeatureFile(
        RANDOM, np.zeros(400, dtype=np.int64), [f"{i}" for i in range(400)]
    ).write(path),
    "probe": probe,
    "folder": folder,
}


@pytest.fixture
def disk(mount):
    """A disk with room for 32 KB."""
    return mount("-t", "tmpfs", "-o", "size=32k", "simcons-test")


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("what", ["No space left on device", "Read-only file system"])
def test_one_message_the_old_result_stays_and_nothing_is_left(disk, mount, capsys, name, what):
    target = old = disk / "result"
    if name in ("probe", "folder"):
        target.mkdir()
        old = target / "old"
    old.write_text("old")
    if what.startswith("Read"):
        mount("-o", "remount,ro", at=disk)
    with pytest.raises(SystemExit) as left:
        stage.run(lambda: WRITERS[name](target))
    assert left.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {what}: {disk}")
    assert [p for p in disk.rglob("*") if p.is_file()] == [old]
    assert old.read_text() == "old"
    assert [p for p in disk.iterdir() if p != target] == []
    mount("-o", "remount,rw,size=8m", at=disk)
    WRITERS[name](target)
    assert not old.exists() or old.read_bytes() != b"old"
