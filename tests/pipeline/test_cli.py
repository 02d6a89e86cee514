"""The command line on a finished miniature study, in this process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from miniature import ROOT
from typer.main import get_command
from typer.testing import CliRunner

from simcons.cli import execute
from simcons.cli.app import app
from simcons.core.errors import UserError
from simcons.study import stage


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


def test_study_check_and_compare_name_what_differs(study, cli, monkeypatch, capsys):
    monkeypatch.chdir(study.root)
    values = study.params
    values["probe"]["epochs"] += 1
    study.params = values
    # Both probes, and what reads them by their params alone.
    with pytest.raises(UserError, match=r"3 of 17 stages differ from dvc\.lock; run `dvc repro`"):
        cli("study", "check")
    (study.root / "tolerances.yaml").write_text(
        "- {metrics: consistency.json, keys: '*.median', tolerance: 0.05, reason: rounding}\n"
    )
    assert "metrics agree with HEAD within their tolerances" in cli("study", "compare")
    path = study.root / "metrics" / "performance_gap.json"
    path.write_text(path.read_text().replace("0.", "0.1"))
    with pytest.raises(UserError, match="metrics differ from HEAD by more than their tolerance"):
        cli("study", "compare")
    with pytest.raises(UserError, match="no-such-revision"):
        cli("study", "compare", "no-such-revision")
    (study.root / "tolerances.yaml").write_text("- {metrics: consistency.json}\n")
    with pytest.raises(UserError, match="expected a list of rules"):
        cli("study", "compare")


def test_study_cost_takes_measured_rates(cli):
    assumed = cli("study", "cost", "demo")
    assert "10 TFLOP/s achieved (--tflops)" in assumed
    assert "passes" in assumed
    assert "GPU hours" in assumed
    assert "(from --rate)" in cli("study", "cost", "demo", "--rate", "efficientnet_lite0=50")
    for rate in ("efficientnet_lite0", "efficientnet_lite0=fast"):
        with pytest.raises(UserError, match=f"--rate: got '{rate}'; allowed: MODEL=IMAGES"):
            cli("study", "cost", "demo", "--rate", rate)
    with pytest.raises(UserError, match="did you mean 'efficientnet_lite0'"):
        cli("study", "cost", "demo", "--rate", "efficientnet_lit0=50")


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
    (study.root / "data/zoo/old").mkdir()
    assert "moved data/zoo/old" in cli("study", "tidy")
    lock = study.root / "dvc.lock"
    before = lock.read_text()
    lock.write_text(before.replace("stages:\n", "stages:\n  zoo@old:\n    cmd: x\n", 1))
    assert cli("study", "tidy") == "took zoo@old out of dvc.lock\n"
    assert lock.read_text() == before
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


def commands(group: click.Command, *names: str) -> Iterator[list[str]]:
    """Every command of the command line, groups of commands too."""
    yield list(names)
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, *names, name)


@pytest.mark.parametrize("command", commands(get_command(app)), ids=" ".join)
def test_help_fits_one_screen(command):
    text = CliRunner().invoke(app, [*command, "--help"]).output
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


def test_exec_runs_its_own_python_without_an_activated_environment():
    program = "from simcons.cli import main; main()"
    code = "import sys; print(sys.prefix)"
    done = subprocess.run(
        [sys.executable, "-c", program, "exec", "cpu", "--", "python", "-c", code],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == sys.prefix


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
        "from simcons.study import stage; study = stage.start(); import os, numpy, threadpoolctl;"
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


@pytest.mark.parametrize(
    ("jobs", "threads", "sleep"), [(1, 999, False), (2, 999, True), (2, 0, False)]
)
def test_threads_sleep_where_stages_share_cores(jobs, threads, sleep):
    environ: dict[str, str] = {}
    stage.share_cores(jobs, threads, environ)
    assert environ == ({"OMP_WAIT_POLICY": "PASSIVE"} if sleep else {})


def test_limit_threads_sets_every_variable():
    environ = dict(os.environ)
    stage.limit_threads(3, environ)
    assert {environ[name] for name in stage.THREAD_VARIABLES} == {"3"}


def test_a_finished_study_reads_back(finished, monkeypatch):
    from simcons.core.paths import Paths
    from simcons.figures.from_study import figure_inputs
    from simcons.report.from_study import input_digests, library_versions
    from simcons.report.notices import zoo_warnings
    from simcons.study.params import load_study
    from simcons.study.subset import subset_features

    monkeypatch.chdir(finished.root)
    study, paths = load_study(), Paths()
    inputs = figure_inputs(study, paths)
    assert list(inputs.similarities) == study.similarity.measures
    assert sorted(inputs.probes["model"].unique()) == sorted(study.model_specs())
    features, labels = subset_features(study, paths, "shapes")
    assert {len(x) for x in features.values()} == {len(labels)}
    digests = input_digests(study, paths)
    assert "data/probes/shapes/results.parquet" in digests
    assert all(len(digest) == 64 for digest in digests.values())
    assert "torch" in library_versions()
    (line,) = zoo_warnings(paths) or [""]
    assert ("trained" in line) == ("trained" in finished_zoo(finished)["not_learned"])


def finished_zoo(finished):
    return json.loads((finished.root / "metrics/zoo_models.json").read_text())


def test_results_of_another_study_are_refused_by_name(study, monkeypatch):
    from simcons.core.paths import Paths
    from simcons.study import results
    from simcons.study.params import load_study
    from simcons.study.subset import subset_features

    monkeypatch.chdir(study.root)
    values = study.params
    values["models"].append("untrained_resnet10t")
    study.params = values
    with pytest.raises(UserError, match=r"similarity/shapes: its models .*untrained_resnet10t"):
        results.read_similarities(load_study(), Paths())
    with pytest.raises(UserError, match="no probe of model 'untrained_resnet10t', seed 0"):
        results.read_probes(load_study(), Paths())
    values["models"].remove("untrained_resnet10t")
    values["subset"]["max_samples"] = 30
    study.params = values
    subset = study.root / "data/subsets/shapes.json"
    subset.write_text((study.root / "data/subsets/textures.json").read_text())
    with pytest.raises(UserError, match="was drawn from other images"):
        subset_features(load_study(), Paths(), "shapes")


def test_probe_warnings_count_settings_on_the_edge():
    import pandas as pd

    from simcons.report.notices import probe_warnings

    probes = pd.DataFrame(
        {
            "dataset": ["a", "a", "b"],
            "learning_rate_on_edge": [True, True, False],
            "weight_decay_on_edge": [False, False, False],
        }
    )
    (line,) = probe_warnings(probes)
    assert "2 of 3 probes chose a learning rate on the edge" in line
    assert "(a 2)" in line


def test_similarity_of_a_folder_of_features(cli, tmp_path):
    from simcons.similarity import read_similarity

    out = tmp_path / "similarities"
    said = cli(
        "similarity",
        "data/features/shapes",
        "--out",
        str(out),
        "--measures",
        "cka_linear,mutual_knn_3",
    )
    assert "cka_linear.parquet (5 models)" in said
    matrices = read_similarity(out)
    assert sorted(matrices) == ["cka_linear", "mutual_knn_3"]
    assert "pixels" in matrices["cka_linear"].models
    with pytest.raises(UserError, match="did you mean 'cka_linear'"):
        cli("similarity", "data/features/shapes", "--out", str(out), "--measures", "cka_liner")


def test_layer_map_of_a_folder(cli, tmp_path):
    shown = cli("layers", "data/features/shapes", "--out", str(tmp_path / "map.csv"))
    assert "1.000" in shown
    header = (tmp_path / "map.csv").read_text().splitlines()[0]
    assert header.startswith("layer,control,pixels,trained,")
    assert "1.000" in cli("layers", "data/features/shapes", "data/features/shapes")


def test_probe_of_models_together(cli):
    shown = cli("probe", "shapes", "--models", "pixels,trained", "--combine", "ensemble")
    assert "ensemble of pixels, trained on shapes" in shown
    with pytest.raises(UserError, match="did you mean 'pixels'"):
        cli("probe", "shapes", "--models", "pixles,trained")
    with pytest.raises(UserError, match="two models or more"):
        cli("probe", "shapes", "--models", "pixels")
    with pytest.raises(UserError, match="concat"):
        cli("probe", "shapes", "--models", "pixels,trained", "--combine", "sum")


def test_consistency_of_model_sets_by_rule(cli):
    from simcons.consistency import consistency
    from simcons.core.paths import Paths
    from simcons.study.params import load_study
    from simcons.study.results import read_similarities

    rules = ["--first", "objective=Untrained,-pixels", "--second", "pixels,trained"]
    shown = cli("consistency", *rules, "--table")
    assert "3 x 2 models" in shown
    (by_dataset,) = read_similarities(load_study(), Paths()).values()
    first = ["control", "untrained_mobilenetv3_small", "untrained_vit_tiny"]
    (r,) = consistency(by_dataset, first, ["pixels", "trained"])["r"]
    assert f"{r:.3f}" in shown
    with pytest.raises(UserError, match="no model has objective='Untraind'"):
        cli("consistency", "--first", "objective=Untraind")


def test_placing_a_model_of_the_study_is_that_of_the_library(cli, tmp_path):
    import pandas as pd

    from simcons.core.paths import Paths
    from simcons.study.params import load_study
    from simcons.study.results import read_similarities

    shown = cli("place", "trained", "--out", str(tmp_path))
    assert "trained among 4 models on 2 data sets" in shown
    assert "no intervals: 2 data set(s), fewer than 8" in shown
    (by_dataset,) = read_similarities(load_study(), Paths()).values()
    table = pd.read_csv(tmp_path / "nearest.csv").set_index("model")
    assert "trained" not in table.index
    for other, row in table.iterrows():
        values = [m.values[m.index("trained"), m.index(other)] for m in by_dataset.values()]
        assert row["similarity"] == pytest.approx(sum(values) / 2, abs=1e-5)
    assert table["similarity"].is_monotonic_decreasing
    assert set(pd.read_csv(tmp_path / "groups.csv")["value"]) == {"Untrained"}


def test_placing_features_of_a_known_model_finds_it_at_distance_zero(study, cli, monkeypatch):
    """A copy of a model's features is placed on that model; everything else as that model is."""
    import numpy as np
    import pandas as pd

    from simcons.features import FeatureFile

    monkeypatch.chdir(study.root)
    for dataset in ("shapes", "textures"):
        source = study.root / "data/features" / dataset / "control/train.safetensors"
        folder = study.root / "mine" / dataset
        folder.mkdir(parents=True)
        np.save(folder / "copy.npy", FeatureFile.read(source).features)
    shown = cli("place", "copy", "--features", "mine", "--out", "copy")
    assert "copy among 5 models" in shown
    cli("place", "control", "--out", "control")
    copy, control = (
        pd.read_csv(f"{name}/nearest.csv").set_index("model") for name in ("copy", "control")
    )
    assert copy.index[0] == "control"
    assert copy.loc["control", ["similarity", "worst_rank"]].tolist() == pytest.approx([1, 1])
    others = copy.drop(index="control").loc[control.index, "similarity"]
    assert others.tolist() == pytest.approx(control["similarity"].tolist(), abs=1e-4)
    with pytest.raises(UserError, match="no features of 'other' on 'shapes'"):
        cli("place", "other", "--features", "mine")
    with pytest.raises(UserError, match="is a model of the study"):
        cli("place", "control", "--features", "mine")
    np.save(folder / "copy.npy", np.zeros((3, 2)))
    with pytest.raises(UserError, match=r"copy.npy: got an array of shape \(3, 2\)"):
        cli("place", "copy", "--features", "mine")


def test_placing_a_catalogue_model_extracts_it(study, cli, monkeypatch):
    monkeypatch.chdir(study.root)
    shown = cli("place", "untrained_resnet10t")
    assert "untrained_resnet10t among 5 models" in shown
    assert "shapes/untrained_resnet10t/train" in cli("store", "list")
    assert not (study.root / "data/features/shapes/untrained_resnet10t").exists()
    again = cli("place", "untrained_resnet10t")
    assert "features shapes" in shown
    assert "features shapes" not in again  # from the store
    assert again[again.index(" among ") :] == shown[shown.index(" among ") :]
    with pytest.raises(UserError, match="did you mean 'untrained_resnet10t'"):
        cli("place", "untrained_resnet10")
    with pytest.raises(UserError, match="did you mean 'rsa_correlation_spearman'"):
        cli("place", "trained", "--measure", "rsa_corelation_spearman")
