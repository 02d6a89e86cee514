"""No credential can be committed: where they are put is ignored, and what git tracks holds none."""

from __future__ import annotations

import configparser
import subprocess

import pytest
from remote_study import ROOT

from s3_server import S3Server, dvc_commands
from simcons.remote.objects import SECRETS


def git(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *args], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "path", [".dvc/config.local", ".simcons/s3/identities.json", ".simcons/s3/data/x"]
)
def test_where_credentials_are_put_git_ignores(path):
    assert git("check-ignore", "--quiet", path).returncode == 0
    assert git("ls-files", path).stdout == ""


def test_the_committed_config_holds_no_credential():
    config = configparser.ConfigParser()
    config.read_string(git("show", "HEAD:.dvc/config").stdout)
    names = {name for section in config.sections() for name in config[section]}
    assert "url" in names
    assert not names & SECRETS


def test_no_access_key_is_in_any_tracked_file():
    found = git("grep", "-I", "-l", "-E", r"\bA(KI|SI)A[0-9A-Z]{16}\b")
    assert found.stdout == ""


def test_the_key_of_a_trial_is_random_private_and_kept(tmp_path):
    first = S3Server(tmp_path / "a")
    assert (first.folder / "identities.json").stat().st_mode & 0o077 == 0
    assert S3Server(tmp_path / "a").secret == first.secret != S3Server(tmp_path / "b").secret


def test_the_commands_of_a_trial_change_no_tracked_file(study_without_server):
    clone = study_without_server
    server = S3Server(clone.root.parent / "s3")
    for command in dvc_commands(server, "bucket"):
        clone.run(*command.split())
    assert clone.run("git", "status", "--porcelain").stdout == ""
    clone.run("git", "add", "-A")
    assert clone.run("git", "grep", "--cached", server.secret, check=False).returncode == 1
    assert server.secret in (clone.root / ".dvc/config.local").read_text()
