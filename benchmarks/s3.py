"""Push and pull of 10,000 small files, and of the similarities alone, with a local S3 server.

    python benchmarks/s3.py

The files are made here; the similarities are those of the study in this clone (`make repro`), if
it has them. The server is SeaweedFS on loopback: figures are those of the software, not of a net.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tools")]

from s3_server import S3Server, dvc_commands, serving  # noqa: E402

N_FILES = 10_000
BUCKET = "benchmark"


def run(folder: Path, *command: str) -> float:
    """Run a command; return its seconds."""
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    seconds = time.perf_counter() - began
    if command[0] == "simcons":
        print(f"{' '.join(command)}: {seconds:.1f} s; {done.stdout.strip()}", flush=True)
    return seconds


def use(server: S3Server, folder: Path) -> None:
    for command in dvc_commands(server, BUCKET):
        run(folder, *command.split())


def contents(folder: Path) -> dict[Path, bytes]:
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def small_files(server: S3Server, base: Path) -> None:
    """Push and pull many small files and compare them."""
    study, stranger = base / "study", base / "stranger"
    (study / "files").mkdir(parents=True)
    draw = random.Random(0)
    for i in range(N_FILES):
        (study / "files" / f"{i:05}.bin").write_bytes(draw.randbytes(500))
    for command in ("git init -q", "dvc init -q", "dvc add -q files", "git add -A"):
        run(study, *command.split())
    run(study, "git", "-c", "user.name=x", "-c", "user.email=x@localhost", "commit", "-qm", "files")
    run(base, "git", "clone", "-q", str(study), str(stranger))
    for clone, action in ((study, "push"), (stranger, "pull")):
        use(server, clone)
        run(clone, "simcons", action)
    same = contents(study / "files") == contents(stranger / "files")
    print(f"{N_FILES:,} files of 500 bytes {'intact' if same else 'DIFFER'}")


def similarity(server: S3Server, base: Path) -> None:
    """Push this clone's similarities; pull them into a fresh clone."""
    if not (ROOT / "data" / "similarity").is_dir():
        print("no data/similarity in this clone: `make repro` makes it")
        return
    study, stranger = base / "this", base / "other"
    for clone in (study, stranger):
        run(base, "git", "clone", "-q", str(ROOT), str(clone))
        use(server, clone)
    cache = subprocess.check_output(["dvc", "cache", "dir"], cwd=ROOT, text=True).strip()
    run(study, "dvc", "cache", "dir", "--local", cache)
    for clone, action in ((study, "push"), (stranger, "pull")):
        run(clone, "simcons", action, "similarity")


def main() -> None:
    base = Path(tempfile.mkdtemp(prefix="simcons-s3-"))
    server = S3Server(base / "server")
    try:
        with serving(server):
            server.create_bucket(BUCKET)
            small_files(server, base)
            similarity(server, base)
            server.kill()
    finally:
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
