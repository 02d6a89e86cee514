"""`make s3`: the commands that it prints, Ctrl-C, and a folder that is served already."""

from __future__ import annotations

import fcntl
import signal
import subprocess
import sys

import pytest
from remote_study import ROOT, Done, assert_same_results, simcons

SERVER = [sys.executable, str(ROOT / "tools/s3_server.py"), "--folder"]

pytestmark = pytest.mark.s3


def commands(process: subprocess.Popen[str]) -> list[list[str]]:
    """Wait until the server is up; return the commands that it says to run first."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        if "Ctrl-C stops the server" in line:
            return [line.split() for line in lines if line.startswith("dvc remote ")][:4]
        lines.append(line)
    raise AssertionError("".join(lines))


def test_the_commands_of_a_trial_work_and_ctrl_c_stops_it(server, study_without_server, tmp_path):
    study = study_without_server
    folder = str(tmp_path / "s3")
    process = subprocess.Popen([*SERVER, folder], stdout=subprocess.PIPE, text=True)
    try:
        printed = commands(process)
        for command in printed:
            study.run(*command)
        assert "all 41 are there" in simcons(study, "push").stdout
        stranger = type(study)(tmp_path / "stranger")
        study.run("git", "clone", "-q", str(study.root), str(stranger.root))
        for command in printed:
            stranger.run(*command)
        simcons(stranger, "pull")
        assert_same_results(stranger, study)

        second: Done = subprocess.run([*SERVER, folder], capture_output=True, text=True)
        assert second.returncode == 1
        assert f"serves {folder} already; stop it, or take another folder" in second.stderr

        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        assert "stopping, which takes" in process.stdout.readline() + process.stdout.readline()
        process.send_signal(signal.SIGINT)  # nobody's data: it need not be gentle
        assert process.wait(10) == 0
        assert process.stdout.read().strip() == "stopped"
        with (tmp_path / "s3/lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # held while the server lives
    finally:
        process.kill()
        process.wait()


def test_a_port_in_use_is_named(server, tmp_path):
    port = server.ports[3]
    command = [*SERVER, str(tmp_path / "s3"), "--port", str(port)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (
        1,
        f"error: port {port} or {port + 10_000} is in use; try another\n",
    )
