"""One DVC cache and one store for two users, set up as README says, with real stages' commands."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from pathlib import Path

import pytest
from test_shared_store import new_store

PIPELINE = """\
stages:
  features:
    cmd: simcons exec cpu -- python stages/features.py
    deps: [stages/features.py, models.txt]
    outs: [data/features]
  similarity:
    cmd: cat data/features/* > data/similarity.txt
    deps: [data/features]
    outs: [data/similarity.txt]
"""
FEATURES = '''\
"""The features of each model, by way of the store; what is computed is printed."""
from pathlib import Path
from simcons.study import stage
from simcons.core.paths import Paths
from simcons.core.store import Store, copy_out

def main():
    store = Store(Paths().store)
    for model in Path("models.txt").read_text().split():
        def write(folder):
            print(f"computing {model}", flush=True)
            (folder / "f.txt").write_text(model * 100)
        parts = {"model": model}
        folder = store.get("features", parts) or store.put("features", parts, model, write)
        copy_out(folder / "f.txt", Path("data/features") / f"{model}.txt")

stage.run(main)
'''


class Clone:
    """A user's clone of a study, with the shared cache and store."""

    def __init__(self, person, shared: Path, links: str) -> None:
        self.person, self.root = person, person.home / "study"
        self.env = {"SIMCONS_STORE": str(shared / "store")}
        for name, text in (
            ("stages/features.py", FEATURES),
            ("dvc.yaml", PIPELINE),
            ("models.txt", "a b\n"),
            (".gitignore", "/data\n.simcons\n"),
        ):
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        for path in [self.root, *self.root.rglob("*")]:
            os.chown(path, person.uid, person.uid)
        self.run("git", "init", "-q")
        self.run("dvc", "init", "-q")
        # What README's `dvc config --local` and `dvc remote add --local` write.
        (self.root / ".dvc/config.local").write_text(
            f"[core]\nremote = folder\n"
            f'[cache]\ndir = {shared / "cache"}\nshared = group\ntype = "{links}"\n'
            f"['remote \"folder\"']\nurl = {shared / 'remote'}\n"
        )

    def run(self, *command: str, check: bool = True):
        return self.person.run(*command, cwd=self.root, check=check, **self.env)

    def models(self, text: str) -> None:
        (self.root / "models.txt").write_text(text)

    def results(self) -> dict[str, str]:
        files = sorted(p for p in (self.root / "data").rglob("*") if p.is_file())
        return {str(p.relative_to(self.root)): p.read_text() for p in files}


def whole(cache: Path) -> None:
    """Check that every object of a cache holds what its name says."""
    for path in (cache / "files/md5").glob("??/*"):
        oid = path.parent.name + path.name.removesuffix(".dir")
        assert hashlib.md5(path.read_bytes()).hexdigest() == oid


@pytest.mark.parametrize(
    "links",
    [
        "hardlink,copy",
        pytest.param("symlink,copy", marks=pytest.mark.slow),
        pytest.param("copy", marks=pytest.mark.slow),
    ],
)
def test_what_one_user_made_another_checks_out_and_adds_to(people, shared, links):
    new_store(shared)
    one, two = (Clone(person, shared, links) for person in people)
    assert one.run("dvc", "repro").stdout.count("computing") == 2
    cache = shared / "cache/files/md5"
    assert {oct(p.stat().st_mode & 0o7777) for p in cache.iterdir()} == {"0o2775"}
    assert {p.stat().st_gid for p in cache.iterdir()} == {shared.stat().st_gid}
    assert {stat.S_IMODE(p.stat().st_mode) for p in cache.glob("??/*")} == {0o444}

    shutil.copy(one.root / "dvc.lock", two.root / "dvc.lock")
    os.chown(two.root / "dvc.lock", two.person.uid, two.person.uid)
    two.run("dvc", "checkout")
    assert two.results() == one.results()
    assert "computing" not in two.run("dvc", "repro").stdout

    two.models("a b c\n")
    assert two.run("dvc", "repro").stdout.count("computing") == 1  # the store has the others
    one.models("a b c\n")
    done = one.run("dvc", "repro")
    assert "computing" not in done.stdout
    assert one.results() == two.results()
    whole(shared / "cache")


def test_simcons_push_and_pull_with_a_shared_cache(people, shared):
    new_store(shared)
    one, two = (Clone(person, shared, "copy") for person in people)
    one.run("dvc", "repro")
    assert "all 4 are there" in one.run("simcons", "push").stdout
    shutil.rmtree(shared / "cache/files")
    shutil.copy(one.root / "dvc.lock", two.root / "dvc.lock")
    two.run("simcons", "pull")
    assert two.results() == one.results()
    folders = [p for p in (shared / "cache").rglob("*") if p.is_dir()]
    assert {p.stat().st_gid for p in folders} == {shared.stat().st_gid}
    one.models("a b c\n")
    one.run("dvc", "repro")  # adds to folders of the cache that the other user has made
    assert "pushed 3 objects" in one.run("simcons", "push").stdout
    whole(shared / "cache")


def test_a_cache_that_may_not_be_written_serves_and_records_nothing_else(people, shared):
    new_store(shared)
    one, two = (Clone(person, shared, "copy") for person in people)
    one.run("dvc", "repro")
    for path in [shared / "cache", *(shared / "cache").rglob("*")]:
        if path.is_dir():
            path.chmod(0o555)
    shutil.copy(one.root / "dvc.lock", two.root / "dvc.lock")
    os.chown(two.root / "dvc.lock", two.person.uid, two.person.uid)
    two.run("dvc", "checkout")
    assert two.results() == one.results()
    before = (two.root / "dvc.lock").read_bytes()
    two.models("a b c\n")
    done = two.run("dvc", "repro", check=False)
    assert done.returncode != 0
    assert "Permission denied" in done.stderr
    assert (two.root / "dvc.lock").read_bytes() == before
    for path in [shared / "cache", *(shared / "cache").rglob("*")]:
        if path.is_dir():
            path.chmod(0o2775)
    two.run("dvc", "repro")
    assert len(two.results()) == 4
    whole(shared / "cache")
