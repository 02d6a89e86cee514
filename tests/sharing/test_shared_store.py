"""One store for two users, on a full disk, read-only, and on another file system."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

PUT = """
import sys
from pathlib import Path
from simcons.core.store import Store
store, name, size = Store(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
def write(folder):
    (folder / "probe").mkdir()
    (folder / "probe" / "value.txt").write_text(name * size)
parts = {"name": name}
print("found" if store.get("probes", parts) else store.put("probes", parts, name, write))
"""
PRUNE = """
import sys
from pathlib import Path
from simcons.core.store import Store
print([e.label for e in Store(Path(sys.argv[1])).prune(keep=set())])
"""
LIST = PRUNE.replace("prune(keep=set())", "entries()")


def new_store(shared: Path) -> Path:
    """Make a store in a folder of a group, as README says: ``mkdir -m 2775``."""
    store = shared / "store"
    store.mkdir()
    store.chmod(0o2775)
    return store


def rights(folder: Path) -> dict[str, set[str]]:
    """The rights of the folders and of the files below a folder."""
    found: dict[str, set[str]] = {"folders": set(), "files": set()}
    for path in folder.rglob("*"):
        mode = f"{stat.S_IMODE(path.stat().st_mode):o}"
        found["folders" if path.is_dir() else "files"].add(mode)
    return found


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_two_users_of_a_group_write_read_and_prune_one_store(people, shared, umask):
    one, two = people
    one.umask = umask
    store = new_store(shared)
    one.python(PUT, store, "a", 3)
    assert rights(store) == {"folders": {"2775"}, "files": {"444"}}
    assert {p.stat().st_gid for p in store.rglob("*")} == {store.stat().st_gid}
    assert two.python(PUT, store, "a", 3).stdout == "found\n"
    two.python(PUT, store, "b", 3)
    assert one.python(PUT, store, "b", 3).stdout == "found\n"
    shown = two.run("simcons", "store", "list", SIMCONS_STORE=str(store)).stdout
    assert "2 entries" in shown
    pruned = two.run("simcons", "store", "prune", "--all", SIMCONS_STORE=str(store)).stdout
    assert "removed probes a\nremoved probes b\n" in pruned  # the other user's, too
    assert [p for p in store.rglob("*") if p.is_file()] == []


def test_a_damaged_entry_of_the_other_user_is_computed_again(people, shared, capsys):
    one, two = people
    one.python(PUT, shared, "a", 3)
    (file,) = shared.rglob("value.txt")
    file.write_text("other")
    done = two.python(PUT, shared, "a", 3)
    assert "value.txt in the store is damaged; computing it again" in done.stderr
    assert next(shared.rglob("value.txt")).read_text() == "aaa"


def test_a_store_of_one_user_is_read_but_not_written_by_another(people):
    one, two = people
    store = one.home / "store"
    one.python(PUT, store, "a", 3)
    assert rights(store) == {"folders": {"755"}, "files": {"444"}}
    before = sorted(store.rglob("*"))
    assert two.python(PUT, store, "a", 3).stdout == "found\n"
    done = two.python(PUT, store, "b", 3, check=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert done.stderr.startswith(f"error: Permission denied: {store}/probes")
    done = two.python(PRUNE, store, check=False)
    assert done.returncode == 2
    assert "removed 0 entries of the store, but 1 cannot be: " in done.stderr
    next(store.rglob("value.txt")).write_text("other")
    done = two.python(PUT, store, "a", 3, check=False)
    assert done.returncode == 2
    assert "is damaged and cannot be removed (Permission denied); ask its owner" in done.stderr
    assert sorted(store.rglob("*")) == before


def test_a_store_that_may_not_be_read_is_no_empty_one(people):
    one, two = people
    store = one.home / "store"
    one.python(PUT, store, "a", 3)
    store.chmod(0o700)
    done = two.python(LIST, store, check=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert f"Permission denied: {store}" in done.stderr


def test_a_private_store_stays_private(people):
    one, _ = people
    store = one.home / "store"
    one.run("mkdir", "-m", "700", str(store))
    one.python(PUT, store, "a", 3)
    assert rights(store) == {"folders": {"700"}, "files": {"400"}}


def test_a_full_disk_leaves_nothing_of_the_entry(people, mount):
    one, _ = people
    disk = mount("-t", "tmpfs", "-o", "size=200k,mode=1777", "simcons-test")
    one.python(PUT, disk / "store", "a", 3)
    before = sorted((disk / "store").rglob("*"))
    done = one.python(PUT, disk / "store", "b", 1_000_000, check=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "error: No space left on device" in done.stderr
    assert [p for p in sorted((disk / "store").rglob("*")) if p.is_file()] == [
        p for p in before if p.is_file()
    ]
    assert list((disk / "store").rglob("*.tmp")) == []
    mount("-o", "remount,size=8m", at=disk)
    one.python(PUT, disk / "store", "b", 1_000_000)
    assert one.python(LIST, disk / "store").stdout == "['a', 'b']\n"


def test_a_read_only_disk_serves_what_it_holds(people, mount):
    one, _ = people
    disk = mount("-t", "tmpfs", "-o", "size=1m,mode=1777", "simcons-test")
    one.python(PUT, disk / "store", "a", 3)
    mount("-o", "remount,ro", at=disk)
    assert one.python(PUT, disk / "store", "a", 3).stdout == "found\n"
    done = one.python(PUT, disk / "store", "b", 3, check=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert f"error: Read-only file system: {disk}/store/probes" in done.stderr
    done = one.python(PRUNE, disk / "store", check=False)
    assert done.returncode == 2
    assert "(Read-only file system)" in done.stderr
    mount("-o", "remount,rw", at=disk)
    one.python(PUT, disk / "store", "b", 3)


PLACE = """
import sys
from pathlib import Path
from simcons.core.store import copy_out
for source in sorted(Path(sys.argv[1]).rglob("value.txt")):
    copy_out(source, Path(sys.argv[2]) / source.parts[-3])
"""


def test_hard_links_that_cannot_be_are_copies_with_one_warning(people, mount):
    one, two = people
    disk = mount("-t", "tmpfs", "-o", "size=1m,mode=1777", "simcons-test")
    for name in ("a", "b"):
        one.python(PUT, disk / "store", name, 3)
    out = one.home / "out"
    done = one.python(PLACE, disk / "store", out, SIMCONS_STORE_LINK="hardlink")
    (warning,) = done.stderr.splitlines()
    assert "the store's files cannot be linked into the workspace (Invalid cross-dev" in warning
    assert sorted(p.read_text() for p in out.iterdir()) == ["aaa", "bbb"]
    same = disk / "out"
    one.python(PLACE, disk / "store", same, SIMCONS_STORE_LINK="hardlink")
    assert {p.stat().st_nlink for p in same.iterdir()} == {2}
    # Linux may refuse to link another user's file (fs.protected_hardlinks).
    two.python(PLACE, disk / "store", disk / "other", SIMCONS_STORE_LINK="hardlink")
    assert sorted(p.read_text() for p in (disk / "other").iterdir()) == ["aaa", "bbb"]


def test_a_store_that_is_a_file_is_named(people):
    one, _ = people
    (one.home / "store").write_text("")
    for store in (one.home / "store", one.home / "store" / "deeper"):
        done = one.python(PUT, store, "a", 3, check=False)
        assert done.returncode == 2
        assert done.stderr == f"error: {store}: the store (SIMCONS_STORE) must be a folder\n"
