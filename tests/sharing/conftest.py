"""Two real Unix users of one group, a Python that they may read, and small disks; all need root."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
SIMCONS = "-c 'from simcons.cli import main; main()'"
GROUP = 64_000  # nobody's: it needs no entry in /etc/group
Done = subprocess.CompletedProcess[str]
Mount = Callable[..., Path]


@dataclass
class Person:
    """A user of this machine: a number, a home and a group shared with the other."""

    uid: int
    home: Path
    programs: Path
    umask: int = 0o022

    def run(self, *command: str, cwd: Path | None = None, check: bool = True, **env: str) -> Done:
        """Run a command as this user alone: no right of root's is left."""
        path = f"{self.programs / 'bin'}{os.pathsep}{os.environ['PATH']}"
        identity = {
            f"GIT_{who}_{what}": value
            for who in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "test"), ("EMAIL", "test@localhost"))
        }
        done = subprocess.run(
            command,
            cwd=cwd or self.home,
            env={
                **identity,
                "PATH": path,
                "HOME": str(self.home),
                "USER": f"user{self.uid}",  # DVC asks for a name
                "PYTHONPATH": f"{self.programs / 'src'}{os.pathsep}{self.programs / 'site'}",
                "LD_LIBRARY_PATH": str(self.programs / "python" / "lib"),
                "PYTHONDONTWRITEBYTECODE": "1",
                "DVC_NO_ANALYTICS": "1",
                **env,
            },
            user=self.uid,
            group=self.uid,
            extra_groups=[GROUP],
            umask=self.umask,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert "Traceback" not in done.stderr, done.stderr[-3000:]
        if check and done.returncode:
            raise AssertionError(f"{command} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        return done

    def python(self, code: str, *args: object, check: bool = True, **env: str) -> Done:
        """Run a piece of Python as a stage's script is run: errors are for people."""
        wrapped = (
            f"from simcons.study import stage\ndef main():\n{_indented(code)}\nstage.run(main)"
        )
        return self.run("python", "-c", wrapped, *map(str, args), check=check, **env)


def _indented(code: str) -> str:
    return "\n".join(f"    {line}" for line in code.strip().splitlines())


@pytest.fixture(scope="session")
def mount() -> Iterator[Mount]:
    """Mount what `mount` takes at a folder that every user may enter; undone at the end."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to be two users and to mount small disks")
    folders: list[Path] = []

    def mounted(*options: str, at: Path | None = None) -> Path:
        folder = at or Path(tempfile.mkdtemp(prefix="simcons-sharing-"))
        done = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"cannot mount here: {done.stderr.strip()}")
        if at is None:
            folders.append(folder)
        return folder

    yield mounted
    for folder in folders:
        subprocess.run(["umount", "-l", str(folder)], check=True)
        folder.rmdir()


@pytest.fixture(scope="session")
def programs(mount: Mount) -> Iterator[Path]:
    """Python, its packages and simcons, wherever they lie, in a folder that every user may read."""
    folder = Path(tempfile.mkdtemp(prefix="simcons-programs-"))
    folder.chmod(0o755)
    places = {"python": sys.base_prefix, "site": sysconfig.get_path("purelib"), "src": SOURCE}
    for name, place in places.items():
        (folder / name).mkdir()
        mount("--bind", "-o", "ro", str(place), at=folder / name)
    binaries = folder / "bin"
    binaries.mkdir()
    python = folder / "python/bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    for name, module in (("python", ""), ("dvc", "-m dvc"), ("simcons", SIMCONS)):
        (binaries / name).write_text(f'#!/bin/sh\nexec "{python}" {module} "$@"\n')
        (binaries / name).chmod(0o755)
    yield folder
    for name in places:
        subprocess.run(["umount", "-l", str(folder / name)], check=True)
    shutil.rmtree(folder)


@pytest.fixture
def open_folder(mount: Mount) -> Iterator[Path]:
    """A folder that every user may enter: pytest's own are for one user alone."""
    folder = Path(tempfile.mkdtemp(prefix="simcons-sharing-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def people(programs: Path, open_folder: Path) -> tuple[Person, Person]:
    """Two users who share a group."""
    found = []
    for uid in (64_001, 64_002):
        home = open_folder / str(uid)
        home.mkdir(mode=0o755)
        os.chown(home, uid, uid)
        found.append(Person(uid, home, programs))
    return found[0], found[1]


@pytest.fixture
def shared(open_folder: Path) -> Path:
    """A folder of the group, as README says to make one: ``chgrp`` and ``chmod 2775``."""
    folder = open_folder / "shared"
    folder.mkdir()
    os.chown(folder, 0, GROUP)
    folder.chmod(0o2775)
    return folder
