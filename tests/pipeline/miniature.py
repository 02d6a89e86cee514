"""A miniature study: the repository's own pipeline on 2 data sets and 3 models, in seconds."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

Done = subprocess.CompletedProcess[str]
ROOT = Path(__file__).parents[2]
PARAMS: dict[str, Any] = {
    "study": "miniature",
    "numerics": {"threads": 1},
    "datasets": {
        "shapes": {"options": {"train_per_class": 6, "test_per_class": 2}},
        "textures": {"options": {"train_per_class": 4, "test_per_class": 1}},
    },
    "similarity_datasets": ["shapes", "textures"],
    "probe_datasets": ["shapes", "textures"],
    "variants": {},
    "imported": {"name": None, "similarity": [], "probes": []},
    "models": ["pixels", "untrained_mobilenetv3_small", "untrained_vit_tiny"],
    "zoo": {
        "control": {"objective": "untrained", "architecture": "conv_small", "seed": 0},
        "trained": {"objective": "supervised", "architecture": "conv_small", "seed": 0},
    },
    "zoo_training": {"training_sets": ["shapes"], "epochs": 2, "batch_size": 16},
    "zoo_objectives": {"supervised": {"optimizer": {"learning_rate": 0.001}}},
    "zoo_learned": {"margin": 0.02},
    "features": {"precision": "float32", "storage": "float32"},
    "subset": {"max_samples": 40, "seed": 0},
    "similarity": {
        "measures": ["rsa_correlation_spearman"],
        "n_blocks": 4,
        "n_halves": 2,
        "chance_draws": 1,
    },
    "probe": {
        "epochs": 2,
        "weight_decays": {"start": 0.001, "stop": 1.0, "count": 2},
        "seeds": [0],
    },
    "consistency": {
        "methods": ["pearson"],
        "categories": ["objective"],
        "n_bootstrap": 100,
        "n_permutations": 100,
        "anchors": ["control"],
    },
}


@dataclass
class Clone:
    """A git and DVC repository that holds the miniature study."""

    root: Path

    def run(
        self, *command: str, check: bool = True, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the repository, with this interpreter's programs first on the PATH."""
        done = subprocess.run(
            command,
            cwd=self.root,
            env=environment(**env),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        if check and done.returncode:
            raise AssertionError(f"{command} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        return done

    def dvc(self, *args: str, check: bool = True, **env: str) -> Done:
        """Run dvc."""
        return self.run("dvc", *args, check=check, **env)

    def commit(self, message: str = "state") -> None:
        """Commit everything that git does not ignore."""
        self.run("git", "add", "-A")
        self.run("git", "commit", "-qm", message, "--allow-empty")

    @property
    def params(self) -> dict[str, Any]:
        """The values of params.yaml."""
        return YAML(typ="safe").load((self.root / "params.yaml").read_text())

    @params.setter
    def params(self, values: dict[str, Any]) -> None:
        with (self.root / "params.yaml").open("w") as file:
            YAML(typ="safe").dump(values, file)

    def lock_hashes(self) -> dict[str, str]:
        """Hash of every output in dvc.lock, by path, without data sets of other studies."""
        lock = YAML(typ="safe").load((self.root / "dvc.lock").read_text())
        names = self.params["datasets"]
        outs = [
            out
            for stage, entry in lock["stages"].items()
            for out in entry.get("outs", [])
            if "@" not in stage or stage.startswith("zoo@") or stage.split("@")[1] in names
        ]
        return {out["path"]: out["md5"] for out in outs}

    def file_hashes(self, folder: str) -> dict[str, str]:
        """SHA-256 of every file below a folder."""
        base = self.root / folder
        files = sorted(p for p in base.rglob("*") if p.is_file())
        return {str(p.relative_to(base)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def environment(**extra: str) -> dict[str, str]:
    """This process's environment, with the virtual environment's programs and no user settings."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    identity = {
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "test"), ("EMAIL", "test@localhost"))
    }
    kept = {k: v for k, v in os.environ.items() if k != "SIMCONS_STORE"}
    return {**kept, **identity, "PATH": path, "DVC_NO_ANALYTICS": "1", **extra}


def make_clone(root: Path, params: dict[str, Any] = PARAMS) -> Clone:
    """Make a repository that holds the pipeline, the code and a miniature study."""
    for name in ("own", "src", "stages", "studies"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", ".dvcignore", ".gitignore"):
        shutil.copy(ROOT / name, root / name)
    for name in ("probes", "zoo"):
        (root / "data" / name).mkdir(parents=True)
        shutil.copy(ROOT / "data" / name / ".gitkeep", root / "data" / name / ".gitkeep")
    clone = Clone(root)
    clone.params = params
    clone.run("git", "init", "-q", "-b", "main")
    clone.dvc("init", "-q")
    shutil.copy(ROOT / ".dvc" / "config", root / ".dvc" / "config")
    clone.commit("miniature study")
    return clone
