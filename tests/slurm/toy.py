"""A toy study: real DVC, real store, stages that take no time and can be told to fail.

Its `stages/features.py` honours SIMCONS_MODEL_GROUP as the real ones do. What happens to a model is
said by files in ``faults/``: ``hang``, ``exit`` and ``greedy`` (for memory) hold names of models,
``slow`` seconds; while there is a file ``hold``, every model waits.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ruamel.yaml import YAML

Done = subprocess.CompletedProcess[str]
MODELS = [f"m{i}" for i in range(8)]
FEATURES = '''\
"""Features of a toy data set: each model's are its name, many times."""
import os, pathlib, sys, time
from simcons.core.paths import Paths
from simcons.core.store import Store, copy_out

dataset = sys.argv[1]
models = [f"m{i}" for i in range(8)]
k, n = map(int, os.environ.get("SIMCONS_MODEL_GROUP", "1/1").split("/"))
faults, store = pathlib.Path("faults"), Store(Paths().store)

def said(name):
    file = faults / name
    return file.read_text().split() if file.is_file() else []

def note(line):
    with open("done.log", "a") as file:
        file.write(line + "\\n")

for model in models[k - 1 :: n]:
    parts = {"dataset": dataset, "model": model}
    if store.get("features", parts) is not None:
        continue
    start = time.time()
    print(f"computing {model}", flush=True)
    if model in said("hang"):
        (faults / "hanging").write_text(str(os.getpid()))
        time.sleep(600)
    if model in said("greedy"):
        memory = bytearray(400 << 20)
        time.sleep(60)
    if model in said("exit"):
        print(f"error: no {model}", file=sys.stderr)
        sys.exit(5)
    while said("hold"):
        time.sleep(0.05)
    time.sleep(float((said("slow") or ["0"])[0]))
    text = f"{dataset} {model}\\n" * 5000
    store.put("features", parts, f"{dataset}/{model}", lambda p: (p / "f.txt").write_text(text))
    note(f"{dataset}/{model} {start} {time.time()}")
if "SIMCONS_MODEL_GROUP" not in os.environ:
    for model in models:
        folder = store.get("features", {"dataset": dataset, "model": model})
        copy_out(folder / "f.txt", Paths().features(dataset) / f"{model}.txt")
'''
SIMILARITY = '''\
"""A lone job that writes its output slowly, a file at a time."""
import pathlib, sys, time

dataset = sys.argv[1]
out = pathlib.Path("data/similarity") / dataset
out.mkdir(parents=True, exist_ok=True)
slow = pathlib.Path("faults/slow_similarity")
for name in pathlib.Path("measures.txt").read_text().split():
    (out / f"{name}.txt").write_text(f"{dataset} {name}")
    if slow.is_file():
        time.sleep(float(slow.read_text()))
'''
PIPELINE = """\
stages:
  features:
    foreach: [digits, letters]
    do:
      cmd: simcons exec gpu -- python stages/features.py ${item}
      deps: [stages/features.py]
      outs: ["data/features/${item}"]
  similarity:
    foreach: [digits, letters]
    do:
      cmd: simcons exec cpu -- python stages/similarity.py ${item}
      deps: [stages/similarity.py, measures.txt, "data/features/${item}"]
      outs: ["data/similarity/${item}"]
"""
SETTINGS = {
    "resources": {"light": {}, "cpu": {}, "gpu": {"partition": "gpu", "memory": 50}},
    "arrays": {"features": {"groups": 4}},
    "poll": 1,
    "timeout": 10,
}


@dataclass
class Toy:
    """A git and DVC repository that holds the toy study."""

    root: Path
    slurm_conf: str
    env: dict[str, str] = field(default_factory=dict)

    def make(self, like: Toy | None = None) -> Toy:
        """Write it; a copy of another that nobody has used takes less time."""
        if like is not None:
            shutil.copytree(like.root, self.root)
            return self
        for name, text in (
            ("stages/features.py", FEATURES),
            ("stages/similarity.py", SIMILARITY),
            ("dvc.yaml", PIPELINE),
            ("measures.txt", "cka rsa"),
            (".gitignore", "/data\n.simcons\n"),
            ("faults/README", "what goes wrong"),
        ):
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.settings()
        self.run("git", "init", "-q")
        self.run("dvc", "init", "-q")
        return self

    def settings(self, **gpu: object) -> None:
        """Write slurm.yaml, with other settings of the class gpu."""
        values = {**SETTINGS, "resources": {**SETTINGS["resources"]}}
        arrays = {
            "groups": 4,
            **{k: gpu.pop(k) for k in ("groups", "throttle", "assemble") if k in gpu},
        }
        values["arrays"] = {"features": arrays}
        values["timeout"] = gpu.pop("timeout", 10)
        values["resources"]["gpu"] = {**SETTINGS["resources"]["gpu"], **gpu}
        with (self.root / "slurm.yaml").open("w") as file:
            YAML(typ="safe").dump(values, file)

    @property
    def environment(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        source = Path(__file__).parents[2] / "src"
        kept = {k: v for k, v in os.environ.items() if k[:4] != "DVC_" and k != "SIMCONS_STORE"}
        return {
            **kept,
            "PATH": path,
            "PYTHONPATH": str(source),
            "PYTHONDONTWRITEBYTECODE": "1",
            "DVC_NO_ANALYTICS": "1",
            "SIMCONS_EXECUTOR": "slurm",
            "SLURM_CONF": self.slurm_conf,
            **self.env,
        }

    def start(self, *command: str, **env: str) -> subprocess.Popen[str]:
        """Start a command in a group of its own."""
        return subprocess.Popen(
            command,
            cwd=self.root,
            env={**self.environment, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *command: str, check: bool = True, **env: str) -> Done:
        """Run a command to its end."""
        process = self.start(*command, **env)
        try:
            out, _ = process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, _ = process.communicate()
            raise AssertionError(f"{command} did not end:\n{out[-3000:]}") from None
        if check and process.returncode:
            raise AssertionError(f"{command} failed:\n{out[-4000:]}")
        return subprocess.CompletedProcess(command, process.returncode, out, "")

    def features(self, check: bool = True) -> Done:
        """Run the stage features@digits without DVC."""
        return self.run(*EXEC, check=check)

    def fault(self, **files: str | None) -> None:
        """Write files of faults/; None removes one."""
        for name, text in files.items():
            path = self.root / "faults" / name
            path.unlink(missing_ok=True)
            if text is not None:
                path.write_text(text)

    def hanging(self) -> int:
        """Wait for the task that was told to hang; return its process."""
        path = self.root / "faults" / "hanging"
        wait_for(lambda: path.is_file() and path.read_text().strip())
        return int(path.read_text())

    def logs(self) -> str:
        """What the tasks of the last submissions said."""
        files = sorted((self.root / ".simcons/slurm").glob("*/*/*.log"))
        return "".join(file.read_text() for file in files)

    def computed(self) -> list[str]:
        """What was computed, as ``digits/m0``, in order."""
        path = self.root / "done.log"
        return [line.split()[0] for line in path.read_text().splitlines()] if path.is_file() else []

    def lock(self) -> dict[str, str]:
        """Hash of every output in dvc.lock."""
        path = self.root / "dvc.lock"
        stages = YAML(typ="safe").load(path.read_text())["stages"] if path.is_file() else {}
        return {out["path"]: out["md5"] for s in stages.values() for out in s.get("outs", [])}


EXEC = ("simcons", "exec", "gpu", "--", "python", "stages/features.py", "digits")


def wait_for(ready: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def says(process: subprocess.Popen[str], text: str) -> str:
    """Wait until a process says something; return what it has said so far."""
    assert process.stdout is not None
    said = ""
    while text not in said:
        part = os.read(process.stdout.fileno(), 65536)  # unbuffered: the rest is for `end`
        assert part, f"it ended without saying {text!r}:\n{said}"
        said += part.decode()
    return said


def end(process: subprocess.Popen[str], seconds: float = 60) -> tuple[int, str]:
    """Wait for a process; return its exit code and what it said."""
    out, _ = process.communicate(timeout=seconds)
    return process.returncode, out
