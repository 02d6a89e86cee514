"""`simcons run` in this process: failures, refusals, Ctrl-C, and what is said of a run."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import threading
import time

import pytest
from click.testing import Result
from rich.console import Console
from small_pipeline import Pipeline, wait_for
from typer.testing import CliRunner

from simcons.cli.app import app
from simcons.core.errors import UserError
from simcons.core.paths import Paths
from simcons.run.display import display, table
from simcons.run.runner import current_run


@pytest.fixture
def run(pipeline, monkeypatch):
    """Run `simcons run ARGS` here, on the pipeline; a UserError is raised."""
    monkeypatch.chdir(pipeline.root)
    for name in [n for n in os.environ if n.startswith(("DVC_", "SIMCONS_"))]:
        monkeypatch.delenv(name)
    for name, value in pipeline.environment.items():
        monkeypatch.setenv(name, value)
    (pipeline.root / "slow").write_text("0")

    def call(*args: str) -> Result:
        result = CliRunner().invoke(app, ["run", *args])
        if isinstance(result.exception, UserError):
            raise result.exception
        return result

    return call


def test_the_audit_follows_and_what_is_done_is_not_done_again(run, pipeline, capfd):
    first = run("left")
    assert first.exit_code == 0
    assert "base: running" in first.stderr
    assert first.stderr.endswith("2 done\n")
    assert capfd.readouterr().out.count("didn't change, skipping") == 2
    before = pipeline.trace()
    again = run("left")
    assert (again.exit_code, again.stderr) == (0, "2 done\n")
    assert pipeline.trace() == before


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--jobs", "0"], "Invalid value for '--jobs'"),
        (["--jobs", "-3"], "Invalid value for '--jobs'"),
        (["--jobs", "many"], "Invalid value for '--jobs'"),
        (["--job", "2"], "No such option: --job"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_runs(run, pipeline, args, message):
    result = run(*args)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.replace("│", " ").split())
    assert pipeline.trace() == []


def test_an_unknown_stage_is_named_with_the_nearest(run, pipeline):
    with pytest.raises(UserError, match="no stage 'alon': did you mean 'alone'"):
        run("base", "alon")
    assert pipeline.trace() == []


def test_params_are_checked_first(run, pipeline):
    (pipeline.root / "params.yaml").write_text("studi: x")
    with pytest.raises(UserError, match=r"params\.yaml"):
        run()
    assert pipeline.trace() == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "holds no stages"),
        ("stages: {a: {cmd: [}", "DVC cannot read"),
        ("stages: {a: {cmd: ls, oust: [x]}}", "DVC cannot read"),
    ],
)
def test_a_pipeline_that_dvc_cannot_read_is_named(run, pipeline, text, message):
    (pipeline.root / "dvc.yaml").unlink()
    if text is not None:
        (pipeline.root / "dvc.yaml").write_text(text)
    with pytest.raises(UserError, match=message):
        run()


def test_outside_a_dvc_repository_it_says_so(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="is not a DVC repository; run this in a clone"):
        run()


def test_a_failure_stops_what_has_not_started(run, pipeline):
    pipeline.flag("fail_base")
    result = run("top", "--jobs", "1")
    assert result.exit_code == 1
    assert "base: failed" in result.stderr
    assert "error: stage 'base' failed; the end of" in result.stderr
    assert "  | no base today" in result.stderr
    assert "exited with 7" in result.stderr
    assert "1 failed, 3 blocked" in result.stderr
    assert (pipeline.trace(), pipeline.made()) == (["start base"], set())


def test_with_keep_going_what_can_be_run_is_run(run, pipeline):
    pipeline.flag("fail_left")
    pipeline.flag("fail_alone")
    result = run("--keep-going", "--jobs", "3")
    assert result.exit_code == 1
    assert "2 done, 2 failed, 1 blocked" in result.stderr
    for name in ("alone", "left"):
        assert f"error: stage '{name}' failed" in result.stderr
    assert "top: blocked" in result.stderr
    assert pipeline.made() == {"base", "right"}
    (pipeline.root / "fail_left").unlink()
    (pipeline.root / "fail_alone").unlink()
    assert run().exit_code == 0
    assert pipeline.trace().count("start base") == 1


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_passed_on_and_is_the_exit_code(run, pipeline, signum):
    pipeline.flag("hang_alone")
    with when("start alone", pipeline, signum):
        result = run("alone")
    assert result.exit_code == 128 + signum
    assert pipeline.made() == set()
    (pipeline.root / "hang_alone").unlink()
    assert run("alone").exit_code == 0  # no lock is left behind


def test_a_second_ctrl_c_kills_what_does_not_listen(run, pipeline):
    pipeline.flag("hang_alone")
    pipeline.flag("deaf_alone")
    with when("start alone", pipeline, signal.SIGINT, signal.SIGINT):
        result = run("alone")
    assert result.exit_code == 130
    assert pipeline.made() == set()


class when:  # noqa: N801 (reads as a word)
    """Send this process signals, half a second apart, once a stage has said something."""

    def __init__(self, said: str, pipeline: Pipeline, *signals: int) -> None:
        def send() -> None:
            wait_for(lambda: said in pipeline.trace())
            for signum in signals:
                time.sleep(0.5)  # DVC has to wait for its stage by then
                os.kill(os.getpid(), signum)

        self.thread = threading.Thread(target=send)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *error: object) -> None:
        self.thread.join()


def test_a_run_that_is_going_on_is_shown_and_a_second_one_is_refused(run, pipeline, monkeypatch):
    assert current_run() is None  # nobody ever ran anything here
    folder = Paths().run
    folder.mkdir(parents=True)
    with (folder / "lock").open("w") as file:
        assert current_run() is None
        fcntl.flock(file, fcntl.LOCK_EX)
        assert current_run() == ([], "starting")
        (folder / "state.json").write_text(
            '{"stages": [["base", "running", "half"]], "counts": "1 running"}'
        )
        assert current_run() == ([("base", "running", "half")], "1 running")
        said = CliRunner().invoke(app, ["status"]).output
        words = "stage state progress base running half simcons run is going on: 1 running"
        assert " ".join(said.split()) == words
        with pytest.raises(UserError, match="another `simcons run` is going on here"):
            run()
    assert pipeline.trace() == []


def test_status_watch_looks_again_until_ctrl_c(run, pipeline, monkeypatch):
    folder = Paths().run
    folder.mkdir(parents=True)
    (folder / "state.json").write_text('{"stages": [], "counts": "1 running"}')
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        timer = threading.Timer(1.3, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        result = CliRunner().invoke(app, ["status", "--watch", "--every", "0.5"])
        timer.join()
    assert result.output.count("simcons run is going on: 1 running") >= 2
    assert result.exit_code != 0


ROWS = [
    ("a", "done", "1 s"),
    ("b", "waiting", ""),
    ("c", "running", "3 of 8"),
    ("d", "failed", "see d.log"),
    ("e", "queued", ""),
]


def shown(rows, height: int) -> str:
    console = Console(width=80, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(table(rows, "the counts", height))
    return console.export_text()


def test_the_table_shows_the_most_urgent_stages_that_fit():
    text = shown(ROWS, 20)
    assert [line.split()[0] for line in text.splitlines()] == ["stage", *"abcde", "the"]
    assert "3 of 8" in text
    text = shown(ROWS, 3)
    assert [line.split()[0] for line in text.splitlines()] == ["stage", *"cde", "the"]
    assert "the counts (2 not shown)" in text


def test_lines_in_a_log_tell_each_change_once(capsys):
    with display() as show:
        show(ROWS, "5 stages")
        show(ROWS, "5 stages")
        show([("b", "blocked", ""), ("e", "done", "2 s")], "5 stages")
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "a: done (1 s)", "c: running (3 of 8)", "d: failed (see d.log)", "b: blocked",
        "e: done (2 s)",
    ]  # fmt: skip


def test_now_and_then_a_log_tells_what_runs(capsys, monkeypatch):
    monkeypatch.setattr("simcons.run.display.LOG_EVERY_SECONDS", 0.0)
    with display() as show:
        show([("c", "running", "3 of 8")], "1 running")
        show([("c", "running", "4 of 8")], "1 running")
    lines = capsys.readouterr().err.splitlines()
    assert lines[-2:] == ["c: 4 of 8", "1 running"]
    assert lines.count("c: running (3 of 8)") == 1


def test_without_dvc_the_command_says_so(pipeline):
    """DVC is a dependency; if it is broken, its stages fail with its own words."""
    broken = pipeline.root / "broken" / "dvc"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('no DVC today')")
    environment = pipeline.environment
    environment["PYTHONPATH"] = f"{broken.parent}{os.pathsep}{environment['PYTHONPATH']}"
    done = subprocess.run(
        ["simcons", "run"], cwd=pipeline.root, env=environment, capture_output=True, text=True
    )
    assert done.returncode != 0
    assert "no DVC today" in done.stderr
    assert pipeline.trace() == []
