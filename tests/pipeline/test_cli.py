"""The command line on a finished miniature study, in this process."""

from __future__ import annotations

import os
import sys

import pytest
from typer.testing import CliRunner

from simcons import execute, stage
from simcons.cli.app import app
from simcons.errors import UserError


@pytest.fixture
def cli(finished, monkeypatch):
    """Run `simcons ARGS` in the finished study; a UserError is raised."""
    monkeypatch.chdir(finished.root)
    monkeypatch.delenv("SIMCONS_STORE", raising=False)

    def call(*args: str) -> str:
        result = CliRunner().invoke(app, list(args), catch_exceptions=True)
        if isinstance(result.exception, UserError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output

    return call


def test_study_list_and_show(cli):
    assert "demo" in cli("study", "list")
    assert "* params.yaml (changed by hand)" in cli("study", "list")
    shown = cli("study", "show")
    assert "study miniature: 2 data sets, 5 models, 10 model pairs, 1 data set pairs" in shown
    assert "untrained_vit_tiny" in shown
    assert "8 data sets" in cli("study", "show", "studies/demo.yaml")


def test_study_check_and_status(cli):
    assert "17 stages, none differs" in cli("study", "check")
    status = cli("status")
    assert "17 done, 0 stale, 0 missing" in status
    assert "features textures: 5 of 5 models" in status


def test_status_names_what_is_missing_and_stale(study, cli, monkeypatch):
    monkeypatch.chdir(study.root)
    (study.root / "data/features/shapes/pixels/test.safetensors").unlink()
    (study.root / "data/subsets/shapes.json").unlink()
    status = cli("status")
    assert "features shapes: 4 of 5 models; missing: pixels" in status
    line = next(line for line in status.splitlines() if line.lstrip().startswith("subset@shapes"))
    assert "missing" in line
    line = next(line for line in status.splitlines() if line.lstrip().startswith("features@shapes"))
    assert "stale" in line


def test_study_use_and_tidy(study, cli, monkeypatch):
    monkeypatch.chdir(study.root)
    with pytest.raises(UserError, match="unknown study 'dmo': did you mean 'demo'"):
        cli("study", "use", "dmo")
    (study.root / "data/features/old").mkdir()
    assert "moved data/features/old" in cli("study", "use", "demo")
    assert "* demo" in cli("study", "list")
    (study.root / "data/features/old").mkdir()
    assert "moved data/features/old" in cli("study", "tidy")
    assert cli("study", "tidy") == ""


def test_store_list_and_prune_keep_what_the_study_uses(study, cli, monkeypatch):
    monkeypatch.chdir(study.root)
    assert "shapes/pixels/train" in cli("store", "list")
    assert "32 entries" in cli(
        "store", "list"
    )  # 2 data sets x 5 models x 3 (splits, probe) + 2 zoo
    assert cli("store", "prune").startswith("0 entries")
    values = study.params
    values["models"].remove("pixels")
    study.params = values
    assert "would remove features shapes/pixels/test" in cli("store", "prune", "--dry-run")
    assert "6 entries" in cli("store", "prune")
    assert "26 entries" in cli("store", "list")
    assert "26 entries" in cli("store", "prune", "--all")
    assert "0 entries" in cli("store", "list")


def test_catalogue_commands(cli):
    assert "efficientnet_lite0" in cli("models", "list")
    assert "feature_dim: 1280" in cli("models", "show", "efficientnet_lite0")
    assert "photo_patches" in cli("datasets", "list")
    assert "domain: Photographs" in cli("datasets", "show", "photo_patches")
    with pytest.raises(UserError, match="did you mean 'pixels'"):
        cli("models", "show", "pixles")
    with pytest.raises(UserError, match="did you mean 'digits'"):
        cli("datasets", "show", "digit")


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["study"],
        ["study", "use"],
        ["study", "show"],
        ["study", "list"],
        ["study", "tidy"],
        ["study", "check"],
        ["study", "compare"],
        ["store"],
        ["store", "list"],
        ["store", "prune"],
        ["models", "show"],
        ["datasets", "show"],
        ["exec"],
        ["status"],
    ],
)
def test_help_fits_one_screen(cli, command):
    text = cli(*command, "--help")
    assert "Usage" in text
    assert len(text.splitlines()) <= 40


def test_version(cli):
    import simcons

    assert cli("--version").strip() == simcons.__version__


def test_a_user_error_is_one_line_with_exit_code_2(finished):
    done = finished.run("simcons", "models", "show", "pixles", check=False)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: unknown model 'pixles': did you mean 'pixels'")


def test_outside_a_repository_the_commands_say_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["study", "show"])
    assert isinstance(result.exception, UserError)
    assert "params.yaml: no such file" in str(result.exception)


def test_exec_runs_in_place_and_keeps_the_exit_code(finished):
    code = "import sys, os; print(sys.executable, os.environ.get('X')); sys.exit(7)"
    done = finished.run("simcons", "exec", "cpu", "--", "python", "-c", code, check=False, X="1")
    assert done.returncode == 7
    assert done.stdout.split() == [sys.executable, "1"]


@pytest.mark.parametrize(
    ("resource", "command", "executor", "message"),
    [
        ("cpus", ["true"], "local", "unknown resource 'cpus': did you mean 'cpu'"),
        ("cpu", ["true"], "loacl", "SIMCONS_EXECUTOR is 'loacl': did you mean 'local'"),
        ("cpu", [], "local", "nothing to run"),
        ("cpu", ["no-such-program-here"], "local", "no program 'no-such-program-here'"),
    ],
)
def test_exec_refusals(monkeypatch, resource, command, executor, message):
    monkeypatch.setenv("SIMCONS_EXECUTOR", executor)
    with pytest.raises(UserError, match=message):
        execute.execute(resource, command)


def test_stages_fix_the_threads_before_numpy_is_loaded(finished):
    code = (
        "from simcons import stage; study = stage.start(); import os, numpy, threadpoolctl;"
        "pools = {p['num_threads'] for p in threadpoolctl.threadpool_info()};"
        "print(study.numerics.threads, os.environ['OMP_NUM_THREADS'], *pools)"
    )
    done = finished.run("python", "-c", code, OMP_NUM_THREADS="7")
    assert done.stdout.split() == ["1", "1", "1"]


def test_a_full_disk_is_one_line(capsys):
    def full() -> None:
        raise OSError(28, "No space left on device", "data/x")

    with pytest.raises(SystemExit) as left:
        stage.run(full)
    assert left.value.code == 1
    assert capsys.readouterr().err.startswith("error: No space left on device: data/x; free space")


def test_other_failures_are_not_hidden():
    def broken() -> None:
        raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        stage.run(broken)


def test_limit_threads_sets_every_variable():
    environ = dict(os.environ)
    stage.limit_threads(3, environ)
    assert {environ[name] for name in stage.THREAD_VARIABLES} == {"3"}
