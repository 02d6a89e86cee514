"""`simcons study tidy`: records and curves of stages that no study has; all else stays."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from simcons.core.errors import UserError
from simcons.core.files import read_yaml
from simcons.core.paths import Paths
from simcons.study.active import forget_stages, tidy
from simcons.study.params import load_study

ROOT = Path(__file__).parents[2]
ENTRY = (
    "  {}:\n    cmd: python x.py\n    outs:\n    - path: data/x\n      md5: 0123\n      size: 7\n"
)


@pytest.fixture
def paths(tmp_path):
    """A repository with the ready-made studies, in which the paper's is active."""
    shutil.copytree(ROOT / "studies", tmp_path / "studies")
    return Paths(tmp_path)


@pytest.fixture
def study(paths):
    return load_study(paths.study_file("paper"))


def entries(*names: str) -> str:
    return "".join(ENTRY.format(name) for name in names)


def lock_of(*names: str, end: str = "") -> str:
    return f"schema: '2.0'\nstages:\n{entries(*names)}{end}"


def test_what_no_study_has_goes_and_every_other_byte_stays(paths, study):
    kept = (ROOT / "dvc.lock").read_text()
    stages = list(read_yaml(ROOT / "dvc.lock")["stages"])
    middle = kept.index("  similarity@shapes:\n")
    text = kept[:middle] + entries("zoo@gone_0", "zoo@gone_1") + kept[middle:] + entries("old")
    text = text.replace("stages:\n", f"stages:\n{entries('features@nowhere')}", 1)
    paths.dvc_lock.write_text(text)
    gone = forget_stages(study, paths, stages)
    assert gone == ["features@nowhere", "zoo@gone_0", "zoo@gone_1", "old"]
    assert paths.dvc_lock.read_bytes() == kept.encode()
    assert forget_stages(study, paths, stages) == []
    assert [path.name for path in paths.root.iterdir() if path.name != "studies"] == ["dvc.lock"]


def test_stages_of_another_ready_made_study_stay(paths, study):
    mine = ["features@wds_vtab_cifar10", "report"]
    other = ["zoo@simclr_conv_small_0", "probe@digits"]  # the demo's
    paths.dvc_lock.write_text(lock_of(*mine, "zoo@gone", *other))
    assert forget_stages(study, paths, mine) == ["zoo@gone"]
    assert paths.dvc_lock.read_text() == lock_of(*mine, *other)


def test_what_stands_behind_the_stages_stays_too(paths, study):
    paths.dvc_lock.write_text(lock_of("report", "gone", end="datasets:\n- name: x\n"))
    assert forget_stages(study, paths, ["report"]) == ["gone"]
    assert paths.dvc_lock.read_text() == lock_of("report", end="datasets:\n- name: x\n")


def test_a_lock_without_any_stage_left_is_removed(paths, study):
    paths.dvc_lock.write_text(lock_of("gone"))
    assert forget_stages(study, paths, ["report"]) == ["gone"]
    assert not paths.dvc_lock.exists()


def test_a_broken_lock_is_refused_and_left(paths, study):
    paths.dvc_lock.write_text("stages: {\n")
    with pytest.raises(UserError, match=r"dvc\.lock: not valid YAML"):
        forget_stages(study, paths, [])
    assert paths.dvc_lock.read_text() == "stages: {\n"


def test_curves_of_models_that_no_study_trains_are_moved(paths, study):
    paths.curves.mkdir(parents=True)
    for model in ("simclr_conv_small_0", "denoising_conv_small_0"):
        (paths.curves / f"{model}.csv").write_text("epoch\n")
    (paths.data / "zoo" / "denoising_conv_small_0").mkdir(parents=True)
    moved = [str(path.relative_to(paths.root)) for path in tidy(study, paths)]
    assert moved == ["data/zoo/denoising_conv_small_0", "metrics/zoo/denoising_conv_small_0.csv"]
    assert [path.stem for path in paths.curves.iterdir()] == ["simclr_conv_small_0"]
    there = paths.leftovers / "metrics" / "zoo" / "denoising_conv_small_0.csv"
    assert there.read_text() == "epoch\n"
    assert tidy(study, paths) == []
