"""The pipeline through real DVC: repeatable, incremental, safe against kills and experiments."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import networkx
import pytest
from miniature import PARAMS, ROOT, Clone, environment, make_clone

# All but figures and report, which take longest and follow from these.
RESULTS = ("consistency", "performance_gap", "learned")
N_STAGES = 5 * len(PARAMS["datasets"]) + len(PARAMS["zoo"]) + 5


TRAINED = PARAMS["zoo"]["trained"]


def reran(done: subprocess.CompletedProcess[str]) -> set[str]:
    """Names of the stages that a `dvc repro` ran."""
    lines = done.stdout.splitlines()
    return {line.split("'")[1] for line in lines if line.startswith("Running stage '")}


def test_the_committed_pipeline_has_no_cycle_and_every_stage_names_its_code():
    from dvc.repo import Repo

    with Repo(str(ROOT)) as repo:
        graph = repo.index.graph
        assert networkx.is_directed_acyclic_graph(graph)
        for stage in repo.index.stages:
            deps = {dep.def_path for dep in stage.deps}
            script = stage.cmd.split("stages/")[1].split(".py")[0]
            assert f"stages/{script}.py" in deps, stage.addressing
            assert any(d.startswith("src/simcons/") for d in deps), stage.addressing


def test_every_stage_is_done_and_status_says_so(finished):
    assert len(finished.lock_hashes()) >= N_STAGES
    status = finished.run("simcons", "status")
    assert f"{N_STAGES} done, 0 stale, 0 missing" in status.stdout
    assert "features shapes: 5 of 5 models" in status.stdout
    assert "up to date" in finished.dvc("status").stdout
    assert (finished.root / "metrics/report/index.html").stat().st_size > 10_000
    assert finished.run("git", "status", "--porcelain").stdout == ""


def test_with_nothing_changed_nothing_runs(study):
    assert reran(study.dvc("repro")) == set()


def test_a_changed_zoo_model_is_trained_again_and_the_others_are_not(study):
    before = study.file_hashes("data/zoo")
    study.params = {**PARAMS, "zoo": {**PARAMS["zoo"], "trained": {**TRAINED, "seed": 1}}}
    done = study.dvc("repro", "zoo@control", "zoo@trained")
    assert "zoo@trained" in reran(done)
    assert "zoo@control" not in reran(done)
    after = study.file_hashes("data/zoo")
    assert after["control/weights.safetensors"] == before["control/weights.safetensors"]
    assert after["trained/weights.safetensors"] != before["trained/weights.safetensors"]


@pytest.mark.slow
def test_a_model_and_a_data_set_changed_and_changed_back(study):
    before, files = study.lock_hashes(), study.file_hashes("data/features")
    values = study.params
    values["models"].remove("untrained_vit_tiny")
    values["models"].append("untrained_resnet10t")
    values["datasets"]["letters"] = {"options": {"train_per_class": 3, "test_per_class": 1}}
    values["similarity_datasets"].append("letters")
    values["probe_datasets"].append("letters")
    study.params = values
    study.dvc("repro", *RESULTS)
    assert (study.root / "data/similarity/letters/matrix.json").is_file()
    assert not (study.root / "data/features/shapes/untrained_vit_tiny").exists()
    kept = study.file_hashes("data/features")
    assert {k: v for k, v in kept.items() if k in files} == {
        k: v for k, v in files.items() if "vit_tiny" not in k
    }
    study.params = PARAMS
    stopped = study.run("python", "stages/consistency.py", check=False)
    assert stopped.returncode == 2
    assert "belongs to no data set or zoo model of study 'miniature'" in stopped.stderr
    stopped = study.dvc("repro", *RESULTS, check=False)
    assert stopped.returncode != 0
    assert "letters belongs to no data set or zoo model of study 'miniature'" in stopped.stderr
    assert "simcons study tidy" in stopped.stderr
    assert "moved data/features/letters" in study.run("simcons", "study", "tidy").stdout
    assert (study.root / ".simcons/leftovers/similarity/letters/matrix.json").is_file()
    study.dvc("repro", *RESULTS)
    assert study.lock_hashes() == before


def kill_once_something_is_stored(clone: Clone, kind: str, *command: str) -> set[str]:
    """Run dvc, SIGKILL it and its children at the first new result; return the new results."""
    store = clone.root / ".simcons/store" / kind

    def results() -> set[str]:
        return {str(path) for path in store.glob("*/*/record.json")}

    before = results()
    process = subprocess.Popen(
        ["dvc", *command],
        cwd=clone.root,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while results() == before and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert process.poll() is None, "it ended before it could be killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return results() - before


@pytest.fixture(scope="module")
def again(tmp_path_factory) -> Clone:
    """The miniature study once more, from nothing; its tests bring it forward in their order."""
    return make_clone(tmp_path_factory.mktemp("again") / "study")


@pytest.mark.parametrize("stage", ["zoo@trained", "features@shapes", "probe@textures"])
def test_a_stage_killed_in_the_middle_runs_again_to_the_same_hashes(finished, again, stage):
    kind, _, name = stage.partition("@")
    if kind == "probe":
        again.dvc("repro", "features@textures")
    kind = {"probe": "probes"}.get(kind, kind)
    assert kill_once_something_is_stored(again, kind, "repro", stage)
    again.dvc("repro", stage)
    out = f"data/{kind}/{name}"
    assert again.lock_hashes()[out] == finished.lock_hashes()[out]


def test_from_nothing_again_gives_the_same_hashes(finished, again):
    again.dvc("repro")
    assert again.lock_hashes() == finished.lock_hashes()
    assert again.file_hashes("metrics") == finished.file_hashes("metrics")


def test_an_experiment_on_the_probe_grid_killed_and_run_again(study):
    """It touches no features, and what was finished when it was killed is kept."""
    change = ["exp", "run", "-S", "probe.epochs=4", *RESULTS]
    kept = kill_once_something_is_stored(study, "probes", *change)
    assert kept
    done = study.dvc(*change)
    assert all(os.path.exists(path) for path in kept)
    assert reran(done) == {"probe@shapes", "probe@textures", "performance_gap", "learned"}
    assert study.params["probe"]["epochs"] == 4
    assert "up to date" in study.dvc("status", "performance_gap").stdout
    assert "probe.epochs" in study.dvc("exp", "show", "--csv").stdout


@pytest.mark.slow
def test_a_queued_experiment_shares_the_store(study):
    study.dvc("exp", "run", "--queue", "-S", "subset.max_samples=30", "similarity@shapes")
    study.dvc("queue", "start")
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline:
        status = study.dvc("queue", "status").stdout
        if "Success" in status or "Failed" in status:
            break
        time.sleep(1)
    task = status.splitlines()[1].split()[0]
    logs = study.dvc("queue", "logs", task, check=False)
    assert "Success" in status, status + logs.stdout + logs.stderr
    assert "image x model" not in logs.stdout  # features came from the store or the cache
    assert study.params["subset"]["max_samples"] == PARAMS["subset"]["max_samples"]


def test_push_fresh_clone_pull(study, tmp_path):
    remote = tmp_path / "remote"
    study.dvc("push", "-r", "local")
    assert (tmp_path / "simcons-remote").is_dir()  # the default remote lies beside the clone
    study.dvc("remote", "add", "-q", "other", str(remote))
    study.dvc("push", "-q", "-r", "other")
    study.run("git", "clone", "-q", str(study.root), str(tmp_path / "fresh"))
    fresh = Clone(tmp_path / "fresh")
    assert fresh.dvc("pull").returncode == 0
    assert "up to date" in fresh.dvc("status").stdout
    assert fresh.file_hashes("data") == study.file_hashes("data")
    assert reran(fresh.dvc("repro")) == set()


def test_check_needs_no_data_and_names_what_is_stale(study, tmp_path):
    study.run("git", "clone", "-q", str(study.root), str(tmp_path / "bare"))
    bare = Clone(tmp_path / "bare")
    assert f"{N_STAGES} stages, none differs" in bare.run("simcons", "study", "check").stdout
    script = bare.root / "stages" / "probe.py"
    script.write_text(script.read_text() + "\n# changed\n")
    values = bare.params
    values["similarity"]["n_blocks"] = 5
    bare.params = values
    stale = bare.run("simcons", "study", "check", check=False)
    assert stale.returncode == 2
    assert "probe@shapes" in stale.stderr
    assert "stages/probe.py" in stale.stderr
    assert "similarity@textures" in stale.stderr
    assert "similarity" in stale.stderr
    assert "features@" not in stale.stderr
    assert not (bare.root / "data" / "features").exists()


def test_check_finds_a_stage_that_was_run_on_another_input(study):
    lock = study.root / "dvc.lock"
    old = study.lock_hashes()["data/subsets/shapes.json"]
    head, _, tail = lock.read_text().partition("similarity@shapes:")
    lock.write_text(f"{head}similarity@shapes:{tail.replace(old, 'a' * 32, 1)}")
    stale = study.run("simcons", "study", "check", check=False)
    assert stale.returncode == 2
    assert "recorded with another hash than its own stage's output" in stale.stderr
    lock.write_text("schema: '2.0'\nstages: [broken]\n")
    broken = study.run("simcons", "study", "check", check=False)
    assert broken.returncode == 2
    assert "dvc.lock' validation failed" in broken.stderr
    assert "Traceback" not in broken.stderr


def test_a_typo_in_params_stops_every_stage_and_leaves_results(study):
    before = study.file_hashes("data")
    values = study.params
    values["subset"]["max_sample"] = 3
    study.params = values
    stopped = study.run("python", "stages/subset.py", "shapes", check=False)
    assert stopped.returncode == 2
    assert stopped.stderr.count("\n") == 1
    assert "did you mean 'max_samples'" in stopped.stderr
    assert study.file_hashes("data") == before
