"""A small DVC repository whose stages are named as a study's are, and what tests do with it."""

from __future__ import annotations

import hashlib
import shutil
import sys
import textwrap
from contextlib import closing
from pathlib import Path

from s3_server import S3Server

sys.path.insert(0, str(Path(__file__).parents[1] / "pipeline"))

from miniature import ROOT, Clone, Done, environment

__all__ = ["ROOT", "Clone", "Done", "environment"]

BUCKET = "results"
DATASETS = ("digits", "letters")

# The families of stages of the real pipeline, without models: files with known content.
DVC_YAML = """
stages:
  features:
    foreach: ${datasets}
    do:
      cmd: python make.py data/features/${key} ${item.files} ${item.bytes}
      outs: ["data/features/${key}"]
  similarity:
    foreach: ${datasets}
    do:
      cmd: python make.py data/similarity/${key} 4 3000
      deps: ["data/features/${key}"]
      outs: ["data/similarity/${key}"]
  subset:
    foreach: ${datasets}
    do:
      cmd: python make.py data/subsets/${key}.json 0 50
      outs: ["data/subsets/${key}.json"]
  consistency:
    cmd:
      - python make.py data/consistency 2 500
      - echo '{"r":0.5}' > metrics/consistency.json
    deps: [data/similarity]
    outs: [data/consistency]
    metrics: [{metrics/consistency.json: {cache: false}}]
"""
MAKE = '''
"""make.py TARGET FILES BYTES: a file of random bytes, or a folder of them; the same every time."""
import random, sys
from pathlib import Path

target, n_files, n_bytes = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
target.parent.mkdir(parents=True, exist_ok=True)
names = [target / f"part_{i % 7}" / f"{i:05}.bin" for i in range(n_files)] or [target]
for name in names:
    name.parent.mkdir(parents=True, exist_ok=True)
    name.write_bytes(random.Random(str(name)).randbytes(n_bytes))
'''


def made(root: Path, n_files: int = 12, n_bytes: int = 20_000) -> Clone:
    """Make a repository and run its stages; features are so many files of so many bytes."""
    root.mkdir()
    (root / "dvc.yaml").write_text(DVC_YAML)
    (root / "make.py").write_text(textwrap.dedent(MAKE))
    for name in (".gitignore", ".dvcignore"):
        shutil.copy(ROOT / name, root / name)
    clone = Clone(root)
    clone.params = {"datasets": {name: {"files": n_files, "bytes": n_bytes} for name in DATASETS}}
    clone.run("git", "init", "-q", "-b", "main")
    clone.dvc("init", "-q")
    (root / "metrics").mkdir()
    clone.commit("stages")
    clone.dvc("repro")
    clone.commit("results")
    return clone


def copied(study: Clone, folder: Path) -> Clone:
    """Copy a repository, with its cache, to `folder`/study."""
    shutil.copytree(study.root, folder / "study", symlinks=True)
    return Clone(folder / "study")


def fresh_clone(study: Clone, server: S3Server, root: Path) -> Clone:
    """Clone a repository through git, as somebody else would; its prefix is that of `study`."""
    study.run("git", "clone", "-q", str(study.root), str(root))
    clone = Clone(root)
    add_remote(clone, server, study.root.parent.name)
    return clone


def add_remote(clone: Clone, server: S3Server, prefix: str, **values: str) -> None:
    """Tell DVC about the server, outside git; `values` replace those of the remote."""
    config = {
        "url": f"s3://{BUCKET}/{prefix}",
        "endpointurl": server.endpoint,
        "access_key_id": server.key,
        "secret_access_key": server.secret,
        **values,
    }
    lines = ["[core]", "remote = s3", "['remote \"s3\"']"]
    lines += [f"{name} = {value}" for name, value in config.items()]
    (clone.root / ".dvc" / "config.local").write_text("\n".join(lines) + "\n")


def simcons(clone: Clone, *args: str, check: bool = True) -> Done:
    """Run simcons; with `check` it must succeed."""
    done = clone.run("simcons", *args, check=check)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def key_of(clone: Clone, path: str) -> str:
    """Return the key in the bucket of a file of an output."""
    return f"{clone.root.parent.name}/{_object(clone, path)}"


def path_in_remote(clone: Clone, path: str, remote: str = "remote") -> Path:
    """Return the path of the same in a remote (or cache) that is a folder beside the clone."""
    return clone.root.parent / remote / _object(clone, path)


def _object(clone: Clone, path: str) -> str:
    oid = hashlib.md5((clone.root / path).read_bytes()).hexdigest()
    return f"files/md5/{oid[:2]}/{oid[2:]}"


def keys(server: S3Server, prefix: str) -> dict[str, int]:
    """Return the keys below a prefix, with their sizes."""
    with closing(server.client()) as client:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{prefix}/")
        return {o["Key"]: o["Size"] for page in pages for o in page.get("Contents", [])}


def assert_same_results(clone: Clone, reference: Clone) -> None:
    """Check files, dvc.lock and DVC's own opinion against an undisturbed repository's."""
    assert clone.file_hashes("data") == reference.file_hashes("data")
    assert clone.lock_hashes() == reference.lock_hashes()
    assert "up to date" in clone.dvc("status").stdout


def assert_nothing_false(clone: Clone, reference: Clone) -> None:
    """Check that dvc.lock is untouched, and that workspace and cache hold nothing half-written."""
    assert clone.lock_hashes() == reference.lock_hashes()
    assert clone.run("git", "status", "--porcelain").stdout == ""
    true = reference.file_hashes("data")
    here = clone.file_hashes("data")
    assert {path: true[path] for path in here} == here
    cache = Path(clone.dvc("cache", "dir").stdout.strip()) / "files" / "md5"
    objects = [p for p in cache.glob("??/*") if not p.name.endswith(".tmp")]
    for path in objects:
        oid = path.parent.name + path.name.removesuffix(".dir")
        assert hashlib.md5(path.read_bytes()).hexdigest() == oid, path
