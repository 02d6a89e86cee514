"""A user's own images: class folders, a CSV, a Python iterable, local shards."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from simcons.catalog import DatasetSpec, dataset_spec
from simcons.core.errors import UserError
from simcons.datasets import (
    build_dataset,
    iter_encoded,
    iter_samples,
    read_classnames,
    read_index,
    verify,
)
from simcons.datasets.own_images import sample_key


def pixels(seed: int) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    return Image.fromarray(values)


def own(source: str, **facts) -> DatasetSpec:
    return DatasetSpec(id="mine", name="Mine", domain="Own", source=source, **facts)


def save(path: Path, seed: int, **options) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels(seed).save(path, **options)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three classes; train has three files of each, test one."""
    root = tmp_path / "photos"
    for place, name in enumerate(["ant", "bee", "Ünten zoo"]):
        for number in range(3):
            suffix = ("png", "jpg", "webp")[number]
            save(root / "train" / name / f"a {number}.{suffix}", 10 * place + number)
        save(root / "val" / name / "deep" / "x.bmp", 10 * place + 5)
    (root / "train" / "ant" / "notes.txt").write_text("no image")
    return root


def test_a_folder_of_images_keeps_files_and_names(photos, tmp_path):
    build_dataset(own("image_folder", path=str(photos)), {}, tmp_path / "out")
    verify(tmp_path / "out")
    assert read_classnames(tmp_path / "out") == ["ant", "bee", "Ünten zoo"]
    train = list(iter_encoded(tmp_path / "out", "train"))
    assert [s.target for s in train] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert [s.key for s in train][:3] == [
        "ant-2Fa-200-2Epng",
        "ant-2Fa-201-2Ejpg",
        "ant-2Fa-202-2Ewebp",
    ]
    # PNG, JPEG and WebP byte by byte; BMP as PNG, its pixels unchanged.
    for sample, path in zip(train, sorted((photos / "train" / "ant").glob("a *")), strict=False):
        assert sample.image == path.read_bytes()
    test = list(iter_samples(tmp_path / "out", "test"))
    assert [s.target for s in test] == [0, 1, 2]
    assert np.array_equal(np.asarray(test[1].image), np.asarray(pixels(15)))


def test_a_folder_without_splits_is_split_by_option(photos, tmp_path):
    spec = own("image_folder", path=str(photos / "train"))
    build_dataset(spec, {"test_fraction": 0.34, "seed": 1}, tmp_path / "out")
    index = read_index(tmp_path / "out")
    counts = index.groupby(["split", "target"]).size()
    assert counts["train"].tolist() == [2, 2, 2]
    assert counts["test"].tolist() == [1, 1, 1]
    assert index["key"].is_unique
    with pytest.raises(UserError, match="must give test_fraction"):
        build_dataset(spec, {}, tmp_path / "other")
    with pytest.raises(UserError, match="unknown option 'test_fraction'"):
        build_dataset(
            own("image_folder", path=str(photos)), {"test_fraction": 0.5}, tmp_path / "other"
        )
    assert not (tmp_path / "other").exists()


def test_a_damaged_image_and_an_empty_class_are_named(photos, tmp_path):
    bad = photos / "train" / "bee" / "a 1.jpg"
    bad.write_bytes(bad.read_bytes()[:-40])
    with pytest.raises(UserError, match=r"'mine': .*bee/a 1\.jpg is no whole image"):
        build_dataset(own("image_folder", path=str(photos)), {}, tmp_path / "out")
    (photos / "train" / "cat").mkdir()
    with pytest.raises(UserError, match=r"train/cat holds no image"):
        build_dataset(own("image_folder", path=str(photos)), {}, tmp_path / "out")
    with pytest.raises(UserError, match=r"nowhere is no folder"):
        build_dataset(own("image_folder", path=str(photos / "nowhere")), {}, tmp_path / "out")
    (photos / "test").mkdir()
    with pytest.raises(UserError, match=r"has test and val; which is the test split"):
        build_dataset(own("image_folder", path=str(photos)), {}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def table(photos: Path, *rows: str) -> Path:
    path = photos / "table.csv"
    path.write_text("\n".join(["split,path,label,note", *rows]) + "\n", encoding="utf-8")
    return path


def test_a_csv_names_paths_and_labels(photos, tmp_path):
    path = table(
        photos,
        "train,train/ant/a 0.png,10,x",
        "validation,val/bee/deep/x.bmp,9,",
        "train,train/bee/a 0.png,9,",
    )
    build_dataset(own("csv", path=str(path)), {}, tmp_path / "out")
    assert read_classnames(tmp_path / "out") == ["9", "10"]  # by number, not by letter
    assert [(s.key, s.target) for s in iter_encoded(tmp_path / "out", "train")] == [
        ("train-2Fant-2Fa-200-2Epng", 1),
        ("train-2Fbee-2Fa-200-2Epng", 0),
    ]
    assert len(list(iter_samples(tmp_path / "out", "test"))) == 1


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("train,train/ant/none.png,1,", "line 2: no file .*none.png"),
        ("train,,1,", "line 2: no file"),
        ("tran,train/ant/a 0.png,1,", "line 2: split 'tran': did you mean 'train'"),
        ("train,train/ant/a 0.png,,", "line 2: no label"),
    ],
)
def test_a_bad_line_of_a_csv_is_named(photos, tmp_path, row, problem):
    with pytest.raises(UserError, match=problem):
        build_dataset(own("csv", path=str(table(photos, row))), {}, tmp_path / "out")


def test_a_csv_without_a_column_or_with_a_file_twice(photos, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("split,file,label\n")
    with pytest.raises(UserError, match="lacks the column 'path'"):
        build_dataset(own("csv", path=str(path)), {}, tmp_path / "out")
    row = "train,train/ant/a 0.png,1,"
    with pytest.raises(UserError, match="comes twice"):
        build_dataset(own("csv", path=str(table(photos, row, row))), {}, tmp_path / "out")
    with pytest.raises(UserError, match=r"none\.csv: no such file"):
        build_dataset(own("csv", path="none.csv"), {}, tmp_path / "out")


MODULE = '''
import numpy as np
from PIL import Image


class Photos:
    """As torchvision's data sets: a length, items, names of classes."""

    classes = ["no", "yes"]

    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        if i >= self.n:
            raise IndexError(i)
        return Image.fromarray(np.full((4, 4, 3), i, np.uint8)), i % 2


def photos(split, n):
    return Photos(n if split == "train" else 2)


def generator(split):
    return ((np.full((4, 4), i, np.uint8), i) for i in range(3))


def captions(split):
    return [(Image.new("RGB", (4, 4)), ["a cat", "a dog"])]


def tensors(split):
    return [("no image", 0)]


def broken(split):
    raise RuntimeError("no disk")
'''


@pytest.fixture
def module(tmp_path, monkeypatch) -> str:
    (tmp_path / "own_photos_module.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "own_photos_module"


def test_an_iterable_of_pairs(module, tmp_path):
    build_dataset(own("python", function=f"{module}:photos"), {"n": 5}, tmp_path / "a")
    assert read_classnames(tmp_path / "a") == ["no", "yes"]
    samples = list(iter_samples(tmp_path / "a", "train"))
    assert [s.target for s in samples] == [0, 1, 0, 1, 0]
    assert [s.image.getpixel((0, 0))[0] for s in samples] == [0, 1, 2, 3, 4]
    build_dataset(own("python", function=f"{module}:generator"), {}, tmp_path / "b")
    assert read_classnames(tmp_path / "b") == ["0", "1", "2"]
    assert len(list(iter_samples(tmp_path / "b", "test"))) == 3


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        ("captions", r"item 0 of train must be \(image, label\).*captions are refused"),
        ("tensors", "item 0 of train must have a PIL image"),
        ("broken", r"broken\('train', ...\) failed with RuntimeError: no disk"),
        ("nothing", "cannot be imported"),
    ],
)
def test_what_is_no_labelled_image_is_named(module, tmp_path, function, problem):
    with pytest.raises(UserError, match=problem):
        build_dataset(own("python", function=f"{module}:{function}"), {}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=120), unique=True))
def test_keys_differ_where_names_do_and_a_shard_takes_them(names):
    keys = [sample_key(name) for name in names]
    assert len(set(keys)) == len(keys)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]*", key) and len(key) <= 80 for key in keys)


def test_local_shards_are_read_where_they_are(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("SIMCONS_DATASETS", str(tmp_path / "shards"))
    spec = own("shards", path=str(folder))
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    build_dataset(spec, {}, tmp_path / "out")
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "classnames.txt",
        "index.parquet",
        "manifest.json",
    }
    assert read_index(tmp_path / "out").equals(read_index(folder))
    ours = [(s.key, s.target, s.image.tobytes()) for s in iter_samples(folder, "train")]
    monkeypatch.setattr("simcons.datasets.external.dataset_spec", lambda name: spec)
    assert [
        (s.key, s.target, s.image.tobytes()) for s in iter_samples(tmp_path / "out", "train")
    ] == ours
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


def test_shards_of_captions_or_of_several_labels_are_refused(folder, spoil, tmp_path, monkeypatch):
    monkeypatch.setenv("SIMCONS_DATASETS", str(tmp_path / "shards"))
    spoil(lambda members: [(n.replace(".cls", ".txt"), d) for n, d in members])
    with pytest.raises(UserError, match=r"key '004' has no label \(004\.cls\).*captions"):
        build_dataset(own("shards", path=str(folder)), {}, tmp_path / "out")
    buffer = io.BytesIO()
    np.save(buffer, np.array([1, 0]))
    spoil(lambda members: [(n.replace(".txt", ".npy"), buffer.getvalue()) for n, d in members])
    with pytest.raises(UserError, match="has no label"):
        build_dataset(own("shards", path=str(folder)), {}, tmp_path / "out")


# simcons datasets add


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Path:
    root = tmp_path / "repository"
    (root / "own").mkdir(parents=True)
    (root / "own" / "datasets.yaml").write_text("# Mine.\n")
    monkeypatch.chdir(root)
    return root


def run(*arguments: str) -> str:
    from typer.testing import CliRunner

    from simcons.cli.app import app

    done = CliRunner().invoke(app, ["datasets", "add", *arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def test_a_data_set_is_added_and_can_be_built(repository, photos, tmp_path):
    said = run("birds", "--source", "image_folder", "--path", str(photos), "--license", "CC0")
    assert "classes: 3" in said
    assert "train: 9 images" in said
    assert "birds: {}" in said
    text = (repository / "own" / "datasets.yaml").read_text()
    assert text.startswith("# Mine.\n")
    spec = dataset_spec("birds")
    assert (spec.license, spec.domain, spec.external) == ("CC0", "Own", False)
    build_dataset(spec, spec.options, tmp_path / "out")
    verify(tmp_path / "out")
    options = ["--option", "test_fraction=0.34", "--option", "seed=3", "--external"]
    run("more", "--source", "image_folder", "--path", str(photos / "train"), *options)
    assert dataset_spec("more").options == {"test_fraction": 0.34, "seed": 3}
    assert dataset_spec("more").external
    assert dataset_spec("birds") == spec


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["Birds", "--source", "csv", "--path", "x"], "call it 'birds'"),
        (["digits", "--source", "csv", "--path", "x"], "a data set 'digits' already"),
        (["birds", "--source", "csv", "--path", "x"], "x: no such file"),
        (["birds", "--source", "zip", "--path", "x"], "source: got 'zip'; Allowed: .*image_folder"),
        (["birds", "--source", "csv"], "source 'csv' need 'path'"),
        (["birds", "--source", "hub", "--repository", "clip-benchmark/wds_flickr8k"], "retrieval"),
        (["a", "--source", "derived", "--parent", "b", "--rule", "per_class"], "no data set 'b'"),
        (["a", "--source", "csv", "--path", "x", "--option", "seed"], "expected KEY=VALUE"),
    ],
)
def test_what_cannot_be_added_is_named_and_nothing_is_written(repository, arguments, problem):
    with pytest.raises(UserError, match=problem):
        run(*arguments)
    assert (repository / "own" / "datasets.yaml").read_text() == "# Mine.\n"
