"""Published results: what is taken, what is left and why, and nothing that could run code."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from published import (  # fmt: skip
    DATASETS,
    MEASURES,
    MODELS,
    OURS,
    similarities,
    write_matrix,
    write_probe,
    write_published,
)
from typer.testing import CliRunner

from simcons.cli.app import app
from simcons.core.errors import UserError
from simcons.imports.choose import choose
from simcons.imports.collect import read_published
from simcons.imports.matrices import checked
from simcons.imports.published_files import dataset_name, measure_name
from simcons.imports.published_probes import probe_table, read_result
from simcons.imports.torch_files import load_array
from simcons.similarity import lookup
from simcons.study.params import load_study


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    return write_published(tmp_path_factory.mktemp("published"))


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        *zip(MEASURES, OURS, strict=True),
        ("cka_kernel_linear_biased", "cka_linear_biased"),
        ("cka_kernel_rbf_unbiased_sigma_0.20", "cka_rbf_0.2"),
        ("rsa_method_correlation_corr_method_pearson", "rsa_correlation_pearson"),
        ("CKA linear", "cka_linear"),
        ("CKA RBF 0.4", "cka_rbf_0.4"),
        ("cka_rbf_0.4", "cka_rbf_0.4"),
    ],
)
def test_measures_have_our_names(theirs, ours):
    assert measure_name(theirs) == ours
    assert lookup(ours).name == ours


@pytest.mark.parametrize(
    "name", ["cka", "cka_kernel_poly_unbiased", "rsa", "svcca", "cka_kernel_linear_0.4", "rsa_corr"]
)
def test_other_measures_are_refused(name):
    with pytest.raises(UserError, match=f"unknown measure '{name}'"):
        measure_name(name)


def test_data_sets_by_folder_id_or_title():
    assert dataset_name("imagenet-subset-10k") == "imagenet_subset_10k"
    assert dataset_name("wds/vtab/cifar10") == "wds_vtab_cifar10"
    assert dataset_name("EuroSAT") == "wds_vtab_eurosat"
    with pytest.raises(UserError, match="did you mean 'entity30'"):
        dataset_name("entity3")
    with pytest.raises(UserError, match="title of imagenet_subset_10k and of wds_imagenet1k"):
        dataset_name("ImageNet-1k")


@pytest.mark.parametrize("kind", ["numpy64", "numpy32", "tensor", "bfloat16", "gradient"])
def test_arrays_and_tensors_are_read(tmp_path, kind):
    values = similarities(3)
    torch.save(
        {
            "numpy64": values,
            "numpy32": values.astype("f4"),
            "tensor": torch.tensor(values),
            "bfloat16": torch.tensor(values, dtype=torch.bfloat16),
            "gradient": torch.tensor(values, requires_grad=True),
        }[kind],
        tmp_path / "a.pt",
    )
    tolerance = 0.01 if kind == "bfloat16" else 1e-6
    np.testing.assert_allclose(load_array(tmp_path / "a.pt"), values, atol=tolerance)


def test_numpy_1_files_are_read(tmp_path):
    """NumPy 1 named its function otherwise; the file says the name."""
    path = tmp_path / "a.pt"
    values = np.arange(4.0).reshape(2, 2)
    torch.save(values, path, _use_new_zipfile_serialization=False)
    data = path.read_bytes()
    assert b"numpy._core.multiarray" in data
    path.write_bytes(data.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"))
    np.testing.assert_array_equal(load_array(path), values)


class Evil:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_would_run_code_is_refused_by_name(tmp_path, zipped):
    trap = tmp_path / "trap"
    path = tmp_path / "a.pt"
    torch.save(Evil(trap), path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match=r"a\.pt: refused: it holds '(posix|os)\.mkdir'"):
        load_array(path)
    assert not trap.exists()
    objects = np.array([Evil(trap), 1.0], dtype=object)
    torch.save(objects, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match="refused"):
        load_array(path)
    assert not trap.exists()


def test_anything_but_one_array_is_refused_by_name(tmp_path):
    path = tmp_path / "a.pt"
    for value, named in (
        ({"a": torch.zeros(2)}, "a dict"),
        ([1.0], "a list"),
        (torch.zeros(2, 2).to_sparse(), "sparse"),
        (np.array([True]), "BoolDType"),
        (np.zeros(2, complex), "refused"),
        (pd.DataFrame({"a": [1]}), "pandas"),
    ):
        torch.save(value, path)
        with pytest.raises(UserError, match=named):
            load_array(path)
    for damage in (b"", b"no file of torch", path.read_bytes()[:100]):
        path.write_bytes(damage)
        with pytest.raises(UserError, match=r"a\.pt"):
            load_array(path)
    with pytest.raises(UserError, match="no such file"):
        load_array(tmp_path / "b.pt")


def spoilt(change) -> np.ndarray:
    values = similarities(0)
    change(values)
    return values


def put(i, j, value):
    def change(values):
        values[i, j] = value

    return change


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (put(1, 2, 0.9), "not symmetric"),
        (put(3, 3, 0.0), "should be 1, on the diagonal"),
        (put(1, 2, np.nan), "is no finite number"),
        (put(1, 2, 1.2), r"is not within \[-1, 1\]"),
    ],
)
def test_a_matrix_that_is_none_is_refused(change, why):
    with pytest.raises(UserError, match=why) as error:
        checked("here", spoilt(change), MODELS)
    assert MODELS[1] in str(error.value) or MODELS[3] in str(error.value)


def test_rounding_of_float32_is_no_asymmetry():
    noise = 1e-6 * np.random.default_rng(0).normal(size=(len(MODELS),) * 2)
    matrix = checked("here", similarities(0) + noise, MODELS)
    assert 0 < matrix.asymmetry < 1e-5
    assert (matrix.values == matrix.values.T).all()
    assert (np.diag(matrix.values) == 1).all()


def test_models_are_matched_by_id_whatever_their_order():
    order = np.random.default_rng(2).permutation(len(MODELS))
    values = similarities(0)
    mixed = checked("here", values[np.ix_(order, order)], [MODELS[k] for k in order])
    straight = checked("here", values, MODELS)
    assert mixed.models == straight.models == sorted(MODELS)
    np.testing.assert_array_equal(mixed.values, straight.values)
    i, j = (mixed.models.index(m) for m in (MODELS[2], MODELS[7]))
    assert mixed.values[i, j] == values[2, 7]


def test_an_unknown_model_is_cut_out_and_named():
    names = [*MODELS[:-1], "vit_large_patch16_225"]
    matrix = checked("here", similarities(0), names)
    assert matrix.unknown == [
        "unknown model 'vit_large_patch16_225': did you mean 'vit_large_patch16_224'?"
    ]
    assert len(matrix.models) == len(MODELS) - 1


def test_everything_is_taken_from_a_good_folder(published):
    found = read_published(published)
    assert set(found.matrices) == {(dataset_name(d), m) for d in DATASETS for m in OURS}
    assert {d: len(rows) for d, rows in found.probes.items()} == {
        "wds_vtab_cifar10": 2 * len(MODELS),
        "wds_imagenet1k": len(MODELS),
        "entity30": len(MODELS),
    }
    assert found.left == []
    assert len(found.features) == 2
    choice = choose(found)
    assert choice.models == sorted(MODELS)
    assert choice.measures == sorted(OURS)
    assert choice.similarity == sorted(map(dataset_name, DATASETS))
    assert choice.seeds == [0, 1]


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Run `simcons import-results ARGS` here, in a new repository; a UserError is raised."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    (tmp_path / "studies").mkdir()
    shutil.copy(Path(__file__).parents[2] / "studies/paper.yaml", tmp_path / "studies")
    for program in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(program, cwd=tmp_path, check=True)

    def call(*args: str) -> str:
        result = CliRunner().invoke(app, ["import-results", *args])
        if result.exception:
            raise result.exception
        return result.output

    return call


def test_the_command_says_what_it_took_and_left_and_what_to_do_next(published, command, tmp_path):
    said = command(str(published), "--dry-run")
    assert "taken: 3 data sets with similarities, 3 with accuracies, 12 models" in said
    assert "left features: 2 files: large; --features FOLDER converts" in said
    assert said.endswith("nothing was written (--dry-run)\n")
    assert not (tmp_path / "imports").exists()
    taken = command(str(published), "--name", "theirs", "--features", "converted")
    assert "left features" not in taken
    assert "wrote 2 feature files to converted" in taken
    assert "run: simcons study use theirs && dvc repro" in taken
    assert len(list((tmp_path / "converted").rglob("*.safetensors"))) == 2
    report = (tmp_path / "imports/theirs/report.txt").read_text()
    assert taken.startswith(report)
    assert (tmp_path / "imports/theirs.dvc").is_file()
    assert load_study(tmp_path / "studies/theirs.yaml").imported.name == "theirs"


def test_the_command_refuses_before_it_writes(published, command, tmp_path):
    with pytest.raises(UserError, match="paper"):
        command(str(published), "--name", "paper")
    with pytest.raises(UserError, match="absent"):
        command(str(tmp_path / "absent"))
    (tmp_path / ".dvc/config").write_text("[no such section")
    with pytest.raises(UserError, match="imports/theirs: DVC cannot track it"):
        command(str(published), "--name", "theirs")


def test_what_is_left_is_named_with_the_reason(tmp_path):
    root = write_published(tmp_path / "p")
    write_matrix(root, "wds_vtab_cifar100", MEASURES[0], spoilt(put(1, 2, 0.9)))
    write_matrix(root, "entity31", MEASURES[0], similarities(1))
    write_matrix(root, "living17", "svcca", similarities(1))
    write_matrix(root, "living17", MEASURES[0], similarities(1)[:4, :4], MODELS[:4])
    trap = write_matrix(root, "nonliving26", MEASURES[0], Evil(tmp_path / "trap"))
    write_probe(root, "entity30", "resnet51", 0, 0.5)
    write_probe(root, "entity30", "resnet50", 3, 50.0)
    write_probe(root, "entity30", "vgg16", 0, 0.5, "fewshot/fewshot_epochs_20/l1/batch_size_64")
    (root / "checkpoints").mkdir()
    for k in range(3):
        (root / "checkpoints" / f"{k}.ckpt").write_text("x")
    found = read_published(root)
    said = {item.what: item.why for item in found.left}
    where = "model_similarities"
    assert "not symmetric" in said[f"{where}/wds_vtab_cifar100/{MEASURES[0]}/similarity_matrix.pt"]
    assert "did you mean 'entity30'" in said[f"{where}/entity31/{MEASURES[0]}/similarity_matrix.pt"]
    assert "unknown measure" in said[f"{where}/living17/svcca/similarity_matrix.pt"]
    assert "refused" in said[trap.relative_to(root).as_posix()]
    assert not (tmp_path / "trap").exists()
    assert said["checkpoints: 3 files"] == "not part of the published layout"
    reasons = " ".join(said.values())
    assert "did you mean 'resnet50'" in reasons
    assert "top1 is 50; allowed: a share between 0 and 1" in reasons
    assert "another setting than the main results'" in reasons
    left = {item.what: item.why for item in choose(found).left}
    assert "cka_linear on living17" in left


def test_a_model_that_some_data_set_lacks_is_left_out_by_name(tmp_path):
    root = write_published(tmp_path / "p")
    fewer = MODELS[:-1]
    write_matrix(root, "entity30", MEASURES[1], similarities(4, fewer), fewer)
    choice = choose(read_published(root))
    assert choice.models == sorted(fewer)
    (left,) = choice.left
    assert left.what == f"model {MODELS[-1]}"
    assert left.why == "no value of cka_rbf_0.4 on entity30"


def test_the_table_of_all_pairs_fills_gaps_and_is_compared(tmp_path):
    root = write_published(tmp_path / "p")
    values = similarities(0)  # what wds_vtab_cifar10's first matrix holds
    rows = [
        (metric, dataset, a, b, values[i, j] + (offset if a == "vgg16" else 0))
        for metric, dataset, offset in (
            (MEASURES[0], "wds_vtab_cifar10", 0.01),
            (MEASURES[0], "living17", 0.0),
            (MEASURES[1], "living17", 0.0),
        )
        for i, a in enumerate(MODELS)
        for j, b in enumerate(MODELS)
        if i < j and not (metric == MEASURES[1] and (i, j) == (0, 1))
    ]
    columns = ["Similarity metric", "DS", "Model 1", "Model 2", "Similarity value"]
    path = root / "results/aggregated/model_sims/all_metric_ds_model_pair_similarity.csv"
    path.parent.mkdir(parents=True)
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False)
    found = read_published(root)
    matrix = found.matrices["living17", "cka_linear"]
    i, j = (matrix.models.index(m) for m in (MODELS[2], MODELS[7]))
    assert matrix.values[i, j] == pytest.approx(values[2, 7])
    said = [(item.what, item.why) for item in found.left]
    assert any("differs from similarity_matrix.pt by up to 0.01" in why for _, why in said)
    assert any("(1 pairs are missing)" in why for _, why in said)


def test_what_was_not_published_is_missing_not_zero():
    table = probe_table([{"model": "b", "top1": 0.5}, {"model": "a", "seed": 1, "top1": 0.25}])
    assert table["model"].tolist() == ["a", "b"]
    assert table["top1"].tolist() == [0.25, 0.5]
    assert table["seed"].isna().tolist() == [False, True]
    known = ("model", "seed", "top1", "solver")
    assert table.drop(columns=list(known)).isna().all().all()


def test_a_result_of_any_orientation_is_read(tmp_path):
    frame = pd.DataFrame([{"test_lp_acc1": 0.5, "reg_lambda": 1e-3}])
    for orient in ("columns", "records", "list", "row"):
        path = tmp_path / "results.json"
        value = {
            "columns": json.loads(frame.to_json()),
            "records": json.loads(frame.to_json(orient="records")),
            "list": frame.to_dict("list"),
            "row": frame.iloc[0].to_dict(),
        }[orient]
        path.write_text(json.dumps(value))
        assert read_result(path) == {"top1": 0.5, "weight_decay": 1e-3}
    for bad in ([], {}, {"a": {"0": 1, "1": 2}}, {"test_lp_acc1": {"0": "high"}}):
        path.write_text(json.dumps(bad))
        with pytest.raises(UserError, match="results.json"):
            read_result(path)


def test_nothing_to_import_is_an_error(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        read_published(tmp_path / "none")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(UserError, match="nothing in it could be imported"):
        read_published(tmp_path)
    write_matrix(tmp_path, "entity30", MEASURES[0], similarities(0))
    with pytest.raises(UserError, match="two data sets with the same measures"):
        choose(read_published(tmp_path))


def test_features_become_a_folder_that_the_similarity_command_reads(published, tmp_path):
    from simcons.imports.conversion import convert_features, convert_subset
    from simcons.similarity.folder import read_features, rows_of

    found = read_published(published)
    for file in found.features:
        convert_features(file, tmp_path)
    features = read_features(tmp_path / "entity30")
    assert {name: array.shape for name, array in features.items()} == {
        "dino-rn50": (40, 2048),
        "resnet50": (40, 2048),
    }
    (subset,) = found.subsets
    assert convert_subset(subset, tmp_path / "subset.json") == 8
    some = rows_of(features, tmp_path / "subset.json")
    np.testing.assert_array_equal(some["resnet50"][0], features["resnet50"][2])
    torch.save(torch.zeros(40, 7), found.features[0].path.with_name("features_test.pt"))
    wrong = [f for f in read_published(published).features if f.says["split"] == "test"]
    with pytest.raises(UserError, match=r"shape \(40, 7\); 'dino-rn50' needs \(n, 2048\)"):
        convert_features(wrong[0], tmp_path)
    wrong[0].path.unlink()
