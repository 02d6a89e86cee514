"""Atomic, deterministic files."""

from __future__ import annotations

import json
import subprocess
import sys

import pandas as pd
import pytest

from simcons.core.errors import UserError, did_you_mean
from simcons.core.files import (
    atomic,
    read_json,
    read_parquet,
    read_yaml,
    sha256_file,
    sha256_json,
    write_csv,
    write_json,
    write_parquet,
    write_text,
)
from simcons.core.paths import Paths, folder_name


def test_a_failure_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "value.txt"
    write_text(path, "old")

    def fail() -> None:
        with atomic(path) as part:
            part.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["value.txt"]


def test_a_folder_is_replaced_as_a_whole(tmp_path):
    folder = tmp_path / "folder"
    for name in ("first", "second"):
        with atomic(folder) as part:
            part.mkdir()
            (part / name).write_text(name)
    assert [p.name for p in folder.iterdir()] == ["second"]
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


KILLED_AT_EACH_STEP = """
import os, signal, sys
from pathlib import Path
from simcons.core import files

folder = Path(sys.argv[1]) / "folder"
if sys.argv[2] == "without exchange":
    files._exchange = lambda first, second: False

def replace(names):
    with files.atomic(folder) as part:
        part.mkdir()
        for name in names:
            (part / name).write_text(name)

def die_before(step):
    seen = 0
    def hook(event, args):
        nonlocal seen
        if event.startswith(("os.", "shutil.", "tempfile.", "open", "ctypes.")):
            seen += 1
            if seen == step:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)

for step in range(1, 200):
    replace(["old_1", "old_2"])
    pid = os.fork()
    if pid == 0:
        die_before(step)
        replace(["new_1", "new_2"])
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    before = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else ["gone"]
    files.put_back(folder)
    print(code, *before, *sorted(p.name for p in folder.iterdir()))
    if code == 0:
        break
"""


@pytest.mark.parametrize("mode", ["with exchange", "without exchange"])
def test_a_kill_at_any_step_leaves_the_old_folder_or_the_new_one(tmp_path, mode):
    command = [sys.executable, "-c", KILLED_AT_EACH_STEP, str(tmp_path), mode]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    steps = [line.split() for line in done.stdout.splitlines()]
    assert [step[0] for step in steps] == ["-9"] * (len(steps) - 1) + ["0"]
    assert len(steps) > 10
    whole = {("old_1", "old_2"), ("new_1", "new_2")}
    assert {tuple(step[-2:]) for step in steps} == whole
    gone = [step for step in steps if "gone" in step]
    # Without exchange there is a moment in which the old folder lies beside its place.
    assert (mode == "without exchange") == bool(gone)
    assert tuple(steps[-1][-2:]) == ("new_1", "new_2")
    assert not (tmp_path / ".folder.old.tmp").exists()


def test_a_folder_moved_aside_is_put_back_by_the_next_use_even_if_that_fails(tmp_path):
    aside = tmp_path / ".folder.old.tmp"
    aside.mkdir()
    (aside / "old").touch()
    with pytest.raises(RuntimeError), atomic(tmp_path / "folder"):
        raise RuntimeError
    assert [p.name for p in (tmp_path / "folder").iterdir()] == ["old"]
    assert not aside.exists()


@pytest.mark.parametrize("exchange", [True, False])
def test_a_link_to_a_folder_is_replaced_and_not_followed(tmp_path, monkeypatch, exchange):
    if not exchange:
        monkeypatch.setattr("simcons.core.files._exchange", lambda first, second: False)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "old").touch()
    (tmp_path / "folder").symlink_to(tmp_path / "elsewhere")
    with atomic(tmp_path / "folder") as part:
        part.mkdir()
    assert not (tmp_path / "folder").is_symlink()
    assert [p.name for p in (tmp_path / "elsewhere").iterdir()] == ["old"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["elsewhere", "folder"]


def test_equal_values_have_equal_bytes(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": [1.5, None]})
    write_json(tmp_path / "b.json", {"a": [1.5, None], "b": 1})
    assert sha256_file(tmp_path / "a.json") == sha256_file(tmp_path / "b.json")
    assert sha256_json({"x": 1, "y": 2}) == sha256_json({"y": 2, "x": 1})
    assert sha256_json({"x": 1}) != sha256_json({"x": 2})
    table = pd.DataFrame({"model": ["a", "b"], "value": [0.1, 1 / 3]})
    write_parquet(tmp_path / "a.parquet", table)
    write_parquet(tmp_path / "b.parquet", table.copy())
    assert sha256_file(tmp_path / "a.parquet") == sha256_file(tmp_path / "b.parquet")
    pd.testing.assert_frame_equal(read_parquet(tmp_path / "a.parquet"), table)


def test_json_holds_no_nan(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant|Out of range"):
        write_json(tmp_path / "a.json", {"a": float("nan")})
    assert not (tmp_path / "a.json").exists()


def test_csv_has_fixed_digits(tmp_path):
    write_csv(tmp_path / "a.csv", pd.DataFrame({"r": [1 / 3]}))
    assert (tmp_path / "a.csv").read_text() == "r\n0.333333\n"


@pytest.mark.parametrize("read", [read_json, read_parquet, read_yaml])
def test_a_missing_file_is_named(tmp_path, read):
    with pytest.raises(UserError, match=r"absent\.x: no such file"):
        read(tmp_path / "absent.x")


@pytest.mark.parametrize(
    ("read", "text"), [(read_json, "{"), (read_parquet, "no table"), (read_yaml, "a: [1\nb")]
)
def test_a_damaged_file_is_named(tmp_path, read, text):
    path = tmp_path / "broken.x"
    path.write_text(text)
    with pytest.raises(UserError, match=r"broken\.x: not "):
        read(path)


def test_did_you_mean_names_the_nearest_and_what_is_allowed():
    assert did_you_mean("digit", ["letters", "digits"]) == (
        "did you mean 'digits'? Allowed: digits, letters"
    )
    assert did_you_mean("zzz", ["a", "b"]) == "Allowed: a, b"
    assert did_you_mean("Digits", ["digits"]).startswith("did you mean 'digits'?")
    assert "(30 in all)" in did_you_mean("zzz", [f"model{i}" for i in range(30)])
    assert did_you_mean("x", []) == "Allowed: (none)"


def test_folder_names():
    assert folder_name("wds/vtab/cifar10") == "wds_vtab_cifar10"
    assert folder_name("imagenet-subset-10k") == "imagenet_subset_10k"


def test_experiments_in_a_copy_share_the_store_of_their_repository(tmp_path, monkeypatch):
    monkeypatch.delenv("SIMCONS_STORE", raising=False)
    copy = tmp_path / ".dvc" / "tmp" / "exps" / "tmpabc"
    copy.mkdir(parents=True)
    assert Paths(tmp_path).store == tmp_path / ".simcons" / "store"
    assert Paths(copy).store == tmp_path / ".simcons" / "store"
    monkeypatch.setenv("SIMCONS_STORE", str(tmp_path / "elsewhere"))
    assert Paths(copy).store == tmp_path / "elsewhere"


def test_json_is_plain(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1})
    assert json.loads((tmp_path / "a.json").read_text()) == {"b": 1}


def test_nested_maps_merge_leaf_by_leaf():
    from simcons.core.files import merged

    first = {"a": {"x": 1, "y": 2}, "b": 3}
    assert merged(first, {"a": {"y": 5, "z": 6}, "c": 7}) == {
        "a": {"x": 1, "y": 5, "z": 6},
        "b": 3,
        "c": 7,
    }
