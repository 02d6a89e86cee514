"""The store: found by fingerprint, safe against kills, damage and several writers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from simcons.core import store as store_module
from simcons.core.numerics import NUMERICS_VERSION, fingerprint
from simcons.core.store import Store, copy_out

PARTS = {"dataset": "abc", "split": "train"}


def write(text: str):
    return lambda folder: (folder / "value.txt").write_text(text)


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store")


def test_what_was_put_is_found(store):
    assert store.get("features", PARTS) is None
    folder = store.put("features", PARTS, "digits/model/train", write("1"))
    assert store.get("features", PARTS) == folder
    assert (folder / "value.txt").read_text() == "1"
    assert store.get("features", {**PARTS, "split": "test"}) is None
    assert store.get("probes", PARTS) is None
    (entry,) = store.entries()
    assert (entry.kind, entry.label) == ("features", "digits/model/train")
    assert entry.n_bytes > 0


def test_the_fingerprint_holds_kind_and_numerics_version(monkeypatch):
    first = fingerprint("features", PARTS)
    assert first != fingerprint("probes", PARTS)
    assert first == fingerprint("features", dict(reversed(PARTS.items())))
    monkeypatch.setitem(NUMERICS_VERSION, "features", NUMERICS_VERSION["features"] + 1)
    assert first != fingerprint("features", PARTS)


def test_a_damaged_entry_is_dropped_with_a_warning(store, capsys):
    folder = store.put("features", PARTS, "x", write("1"))
    (folder / "value.txt").chmod(0o644)
    (folder / "value.txt").write_text("2")
    assert store.get("features", PARTS) is None
    assert "damaged" in capsys.readouterr().err
    assert list(store.entries()) == []


def test_a_damaged_record_is_dropped(store):
    folder = store.put("features", PARTS, "x", write("1"))
    (folder / "record.json").unlink()
    (folder / "record.json").write_text("{")
    assert store.get("features", PARTS) is None


def test_a_second_writer_changes_nothing(store):
    first = store.put("features", PARTS, "x", write("1"))
    assert store.put("features", PARTS, "x", write("1")) == first
    assert len(list(store.entries())) == 1


def test_a_failing_writer_leaves_nothing(store):
    def fail(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        store.put("features", PARTS, "x", fail)
    assert list(store.root.rglob("*half*")) == []
    assert store.get("features", PARTS) is None


def test_a_killed_writer_leaves_no_entry_and_prune_clears_its_traces(store):
    script = textwrap.dedent(
        """
        import os, signal, sys
        from pathlib import Path
        from simcons.core.store import Store
        def die(folder):
            (folder / "half").write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
        Store(Path(sys.argv[1])).put("features", {"dataset": "abc", "split": "train"}, "x", die)
        """
    )
    done = subprocess.run([sys.executable, "-c", script, str(store.root)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert store.get("features", PARTS) is None
    (half,) = store.root.rglob("half")
    store.prune(keep=set())
    assert half.is_file()  # it may be another process's that is still at work
    long_ago = half.stat().st_mtime - store_module.ABANDONED_SECONDS - 1
    os.utime(half.parent, (long_ago, long_ago))
    store.prune(keep=set())
    assert not list(store.root.rglob("half"))


def test_prune_keeps_what_is_used(store):
    store.put("features", PARTS, "used", write("1"))
    store.put("features", {**PARTS, "split": "test"}, "unused", write("2"))
    removed = store.prune(keep={fingerprint("features", PARTS)})
    assert [e.label for e in removed] == ["unused"]
    assert [e.label for e in store.entries()] == ["used"]


def test_an_entry_whose_record_is_damaged_is_listed_and_pruned(store):
    folder = store.put("features", PARTS, "x", write("1"))
    (folder / "record.json").unlink()
    (folder / "record.json").write_text("{")
    assert [(e.kind, e.label) for e in store.entries()] == [("features", "(damaged)")]
    assert len(store.prune(keep=set())) == 1
    assert list(store.entries()) == []


def test_drop(store):
    store.put("features", PARTS, "x", write("1"))
    store.drop("features", PARTS)
    store.drop("features", PARTS)
    assert store.get("features", PARTS) is None


def test_a_placed_file_may_be_edited_without_touching_the_store(store, tmp_path, monkeypatch):
    monkeypatch.delenv("SIMCONS_STORE_LINK", raising=False)
    source = store.put("features", PARTS, "x", write("1")) / "value.txt"
    target = tmp_path / "out" / "value.txt"
    copy_out(source, target)
    target.write_text("2")
    assert source.read_text() == "1"


def test_hard_links_are_an_option(store, tmp_path, monkeypatch):
    monkeypatch.setenv("SIMCONS_STORE_LINK", "hardlink")
    source = store.put("features", PARTS, "x", write("1")) / "value.txt"
    target = tmp_path / "value.txt"
    copy_out(source, target)
    assert os.path.samefile(source, target)


def test_a_file_system_with_reflinks_or_without_gives_the_same_bytes(store, tmp_path, monkeypatch):
    source = store.put("features", PARTS, "x", write("1" * 10_000)) / "value.txt"

    def refuse(*args):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(store_module.fcntl, "ioctl", refuse)
    copy_out(source, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == source.read_bytes()


def test_placing_never_writes_through_a_link(store, tmp_path, monkeypatch):
    monkeypatch.delenv("SIMCONS_STORE_LINK", raising=False)
    source = store.put("features", PARTS, "x", write("new")) / "value.txt"
    cached = tmp_path / "cached"
    cached.write_text("old")
    (tmp_path / "out").symlink_to(cached)
    copy_out(source, tmp_path / "out")
    assert cached.read_text() == "old"
    assert (tmp_path / "out").read_text() == "new"
