"""A real S3 server, and a small DVC repository whose stages are named as a study's are."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from s3_server import HOW_TO_GET_IT, S3Server, find_weed, serving

sys.path.insert(0, str(Path(__file__).parents[1] / "pipeline"))

from miniature import ROOT, Clone

BUCKET = "results"
DATASETS = ("digits", "letters")

# The families of stages of the real pipeline, without models: files with known content.
DVC_YAML = """
stages:
  features:
    foreach: ${datasets}
    do:
      cmd: python make.py data/features/${key} ${item.files} 20000
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


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """SeaweedFS on free ports; tests may kill and start it, and leave it running."""
    if find_weed() is None:
        if os.environ.get("SIMCONS_REQUIRE_SERVICES") == "1":
            pytest.fail(HOW_TO_GET_IT)
        pytest.skip(HOW_TO_GET_IT)
    server = S3Server(tmp_path_factory.mktemp("s3"), public=BUCKET)
    with serving(server):
        server.create_bucket(BUCKET)
        yield server
        server.kill()  # its data are thrown away; asking it takes 15 s


def made(root: Path, n_files: int = 12) -> Clone:
    """Make a repository and run its stages."""
    root.mkdir()
    (root / "dvc.yaml").write_text(DVC_YAML)
    (root / "make.py").write_text(textwrap.dedent(MAKE))
    for name in (".gitignore", ".dvcignore"):
        shutil.copy(ROOT / name, root / name)
    clone = Clone(root)
    clone.params = {"datasets": {name: {"files": n_files} for name in DATASETS}}
    clone.run("git", "init", "-q", "-b", "main")
    clone.dvc("init", "-q")
    (root / "metrics").mkdir()
    clone.commit("stages")
    clone.dvc("repro")
    clone.commit("results")
    return clone


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The repository with all stages run; tests copy it and leave it as it is."""
    return made(tmp_path_factory.mktemp("repo") / "study")


@pytest.fixture
def study(finished: Clone, server: S3Server, tmp_path: Path) -> Clone:
    """A copy of the finished repository, with a remote of its own in the bucket."""
    shutil.copytree(finished.root, tmp_path / "study", symlinks=True)
    clone = Clone(tmp_path / "study")
    add_remote(clone, server, tmp_path.name)
    return clone


@pytest.fixture
def stranger(study: Clone, server: S3Server, tmp_path: Path) -> Clone:
    """A fresh clone of `study`, with the same remote and an empty cache."""
    return fresh_clone(study, server, tmp_path / "stranger")


def fresh_clone(study: Clone, server: S3Server, root: Path) -> Clone:
    """Clone a repository through git, as somebody else would."""
    study.run("git", "clone", "-q", str(study.root), str(root))
    clone = Clone(root)
    add_remote(clone, server, study.root.parent.name)
    return clone


def add_remote(clone: Clone, server: S3Server, prefix: str, **values: Any) -> None:
    """Tell DVC about the server, outside git; `values` replace those of the remote."""
    clone.dvc("remote", "add", "--local", "-f", "-d", "s3", f"s3://{BUCKET}/{prefix}")
    config = {
        "endpointurl": server.endpoint,
        "access_key_id": server.key,
        "secret_access_key": server.secret,
        **values,
    }
    for name, value in config.items():
        clone.dvc("remote", "modify", "--local", "s3", name, value)
