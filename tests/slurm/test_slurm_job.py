"""The batch script: run by the real bash, without SLURM."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from simcons.core.errors import UserError
from simcons.slurm.job import Job, plan, sbatch_arguments, script, slug
from simcons.slurm.settings import Settings
from simcons.slurm.tasks import exit_record

RESOURCES = {
    "partition": "long",
    "time": "1-00:00:00",
    "memory": "8G",
    "cpus": 3,
    "gres": "gpu:a100:1",
    "account": "lab",
    "qos": "low",
    "constraint": "ib&ssd",
    "sbatch": ["--nice=100"],
}
FEATURES = ["python", "stages/features.py", "digits"]
NASTY = [
    "it's",
    "a b",
    "$(touch hacked)",
    "`touch hacked`",
    "; touch hacked",
    "new\nline",
    "*",
    '"',
]
ECHO = ["python", "-c", "import sys, json; print(json.dumps(sys.argv[1:]))"]


def settings(**gpu) -> Settings:
    classes = {"light": {"memory": "1G"}, "cpu": {}, "gpu": {**RESOURCES, **gpu}}
    arrays = {"features": {"groups": 5, "throttle": 2}}
    return Settings.model_validate({"resources": classes, "arrays": arrays})


def run(text: str, folder: Path, task: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run a script as a node would."""
    folder.mkdir(parents=True, exist_ok=True)
    env = {**os.environ, "SLURM_JOB_ID": "7"}
    if task is not None:
        env["SLURM_ARRAY_TASK_ID"] = str(task)
    return subprocess.run(
        ["bash", "-c", text], capture_output=True, text=True, env=env, cwd=folder.parent, timeout=30
    )


def test_features_become_an_array_and_a_job_that_assembles():
    array, last = plan("gpu", FEATURES, settings())
    assert (array.parts, array.throttle, array.tasks) == (5, 2, [1, 2, 3, 4, 5])
    assert (last.parts, last.resources.memory) == (None, "1G")
    assert len(plan("gpu", ["python", "stages/similarity.py", "digits"], settings())) == 1
    assert len(plan("gpu", ["sh", "stages/features.py", "digits"], settings())) == 1


def test_the_script_asks_for_what_the_class_says():
    text = script(plan("gpu", FEATURES, settings())[0], Path("/folder"))
    options = [line[8:] for line in text.splitlines() if line.startswith("#SBATCH")]
    assert options == [
        "--partition=long", "--account=lab", "--qos=low", "--constraint=ib&ssd",
        "--gres=gpu:a100:1", "--mem=8G", "--time=1-00:00:00", "--cpus-per-task=3", "--requeue",
        "--nice=100",
    ]  # fmt: skip
    assert "--no-requeue" in script(plan("gpu", FEATURES, settings(requeue=False))[0], Path("/f"))
    # SLURM reads options up to the first command only.
    lines = text.splitlines()
    assert lines[0] == "#!/bin/bash"
    assert all(line.startswith("#SBATCH") for line in lines[1 : 1 + len(options)])


def test_arguments_reach_the_command_as_they_are(tmp_path):
    folder = tmp_path / "a b" / "it's $HOME"
    done = run(script(Job((*ECHO, *NASTY), settings().of("cpu")), folder), folder)
    assert json.loads(done.stdout) == NASTY
    assert exit_record(folder, 1) == (0, os.uname().nodename)
    assert list(tmp_path.rglob("hacked")) == []


def test_a_task_knows_its_group_and_records_its_code(tmp_path):
    code = (
        "import os, sys; print(os.environ['SIMCONS_MODEL_GROUP'], os.environ['SIMCONS_EXECUTOR'])"
    )
    job = Job(("python", "-c", f"{code}; sys.exit(9)"), settings().of("gpu"), parts=5)
    done = run(script(job, tmp_path / "f"), tmp_path / "f", task=3)
    assert done.stdout.split() == ["3/5", "local"]
    assert done.returncode == 9
    assert exit_record(tmp_path / "f", 3) == (9, os.uname().nodename)
    assert sorted(p.name for p in (tmp_path / "f").iterdir()) == ["3.exit"]


def test_a_lone_job_has_no_group_even_if_the_submitter_has(tmp_path, monkeypatch):
    monkeypatch.setenv("SIMCONS_MODEL_GROUP", "1/2")
    code = "import os; print('SIMCONS_MODEL_GROUP' in os.environ)"
    job = Job(("python", "-c", code), settings().of("gpu"))
    assert run(script(job, tmp_path / "f"), tmp_path / "f").stdout.strip() == "False"


def test_environment_lines_modules_and_containers(tmp_path):
    (tmp_path / "wrap.sh").write_text('echo "wrapped: $*"; exec "$@"\n')
    resources = settings(
        environment=["export SITE='a b'", 'module() { echo "loaded $*"; }', "module load late"],
        container=["sh", "wrap.sh"],
    ).of("gpu")
    command = ("printenv", "SITE")
    done = run(script(Job(command, resources), tmp_path / "f"), tmp_path / "f")
    assert done.stdout.splitlines() == ["loaded load late", "wrapped: printenv SITE", "a b"]
    with_modules = resources.model_copy(update={"modules": ["cuda/12.4", "gcc"]})
    text = script(Job(command, with_modules), tmp_path / "f")
    assert "module load cuda/12.4 gcc" in text
    assert text.index("module load cuda") < text.index("export SITE")
    # A command of the container need not be here, but one that runs here must.
    script(Job(("only-in-there",), resources), tmp_path)
    with pytest.raises(UserError, match="no program 'only-in-there'"):
        script(Job(("only-in-there",), settings().of("cpu")), tmp_path)


def test_a_failing_environment_line_is_the_tasks_exit_code(tmp_path):
    resources = settings(environment=["sh -c 'exit 4'"]).of("gpu")
    done = run(script(Job(("echo", "ran"), resources), tmp_path / "f"), tmp_path / "f")
    assert (done.returncode, done.stdout) == (4, "")
    assert exit_record(tmp_path / "f", 1) == (4, os.uname().nodename)


def test_a_code_of_an_earlier_start_is_removed_first(tmp_path):
    """A task that SLURM starts again must not be taken for one that is over."""
    folder = tmp_path / "f"
    folder.mkdir()
    (folder / "1.exit").write_text("143 old\n")
    code = "import os, sys; sys.exit(os.path.exists('f/1.exit'))"
    assert (
        run(script(Job(("python", "-c", code), settings().of("cpu")), folder), folder).returncode
        == 0
    )


def test_sigterm_ends_the_command_and_is_recorded(tmp_path):
    folder = tmp_path / "f"
    folder.mkdir()
    code = "import time, pathlib; pathlib.Path('up').touch(); time.sleep(60)"
    text = script(Job((sys.executable, "-c", code), settings().of("cpu")), folder)
    process = subprocess.Popen(["bash", "-c", text], cwd=tmp_path, start_new_session=True)
    deadline = time.monotonic() + 20
    while not (tmp_path / "up").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGTERM)  # SLURM signals every process of the job
    assert process.wait(20) == 143
    assert exit_record(folder, 1) == (143, os.uname().nodename)


def test_arguments_of_sbatch():
    job = Job(tuple(FEATURES), settings().of("gpu"), parts=9, throttle=4)
    root = Path("/clone 100%")
    found = sbatch_arguments(job, "name", root / ".simcons/slurm/x/t", root, [1, 2, 3, 7, 9])
    assert "--array=1-3,7,9%4" in found
    assert "--chdir=/clone 100%" in found
    assert "--output=.simcons/slurm/x/t/%a.log" in found  # the folder's own % is no pattern
    assert found[-1] == "/clone 100%/.simcons/slurm/x/t/script.sh"


def test_slugs_are_safe_and_differ_where_commands_do():
    assert slug(FEATURES).startswith("features-digits-")
    assert slug(FEATURES) != slug([*FEATURES[:2], "letters"])
    nasty = slug(["python", "../x y/*.py", "$(a)", "/etc/passwd"])
    assert not set(nasty) & set("/ *$()\n")
    assert slug(["sh", "a b"]) != slug(["sh", "a", "b"])
