"""The reader gives back what was written, and refuses damage by name."""

from __future__ import annotations

import gzip
import io
import re
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simcons.core.errors import UserError
from simcons.datasets import (
    index_shards,
    iter_encoded,
    iter_samples,
    read_classnames,
    read_index,
    write_split,
)
from simcons.datasets.shard_writer import encode_png
from simcons.datasets.shards import shard_paths


def read_all(folder: Path, split: str = "train") -> list:
    return list(iter_samples(folder, split))


def replaced(members, name, data):
    return [(n, data if n == name else d) for n, d in members]


def test_samples_come_back_in_order_with_pixels_and_labels(folder, images):
    samples = read_all(folder)
    assert [sample.key for sample in samples] == [f"{k:03d}" for k in range(10)]
    assert [sample.target for sample in samples] == [k % 2 for k in range(10)]
    for sample, image in zip(samples, images, strict=True):
        assert sample.image.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(sample.image), image)


def test_one_shard_alone(folder):
    assert [sample.key for sample in iter_samples(folder, "train", 1)] == [
        "004",
        "005",
        "006",
        "007",
    ]
    assert [sample.shard for sample in iter_encoded(folder, "train", 2)] == [2, 2]
    with pytest.raises(UserError, match="train has shards 0 to 2, not 3"):
        list(iter_samples(folder, "train", 3))


def test_index_equals_the_archives_content(folder):
    """Read the archives with plain tarfile, as an independent reference."""
    rows = []
    for split in ("train", "test"):
        for shard, path in enumerate(shard_paths(folder, split)):
            with tarfile.open(path) as archive:
                names = archive.getnames()
                for name in names:
                    if name.endswith(".cls"):
                        assert name.replace(".cls", ".png") in names
                        target = int(archive.extractfile(name).read())
                        rows.append((split, shard, name.removesuffix(".cls"), target))
    index = read_index(folder)
    assert list(index.itertuples(index=False, name=None)) == rows
    assert str(index["target"].dtype) == str(index["shard"].dtype) == "int64"


def test_tar_entries_have_no_times_or_owners(folder):
    with tarfile.open(folder / "train" / "0.tar") as archive:
        for member in archive:
            assert (member.mtime, member.uid, member.gid) == (0, 0, 0)
            assert (member.uname, member.gname, member.mode) == ("", "", 0o644)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_other_formats_and_grey_images_are_read(folder, kind, spec):
    buffer = io.BytesIO()
    Image.new("L", (8, 8), 200).save(buffer, kind)
    suffix = {"JPEG": "jpg", "WEBP": "webp"}[kind]
    with tarfile.open(folder / "test" / "0.tar", "w") as archive:
        for name, data in ((f"a.{suffix}", buffer.getvalue()), ("a.cls", b" 1\n")):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    [sample] = read_all(folder, "test")
    assert (sample.key, sample.target, sample.image.mode) == ("a", 1, "RGB")
    assert abs(int(np.asarray(sample.image)[0, 0, 0]) - 200) <= 2


def test_a_members_name_never_becomes_a_path(folder, spoil, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    spoil(lambda members: [(f"../../{name}", data) for name, data in members])
    keys = [sample.key for sample in read_all(folder)]
    assert "../../004" in keys
    assert sorted(tmp_path.rglob("*")) == before


def test_corrupt_image_is_named(spoil):
    folder = spoil(lambda m: replaced(m, "005.png", b"not an image"))
    with pytest.raises(UserError, match=r"tiny/train/1\.tar: the image of key '005' is corrupt"):
        read_all(folder)


def test_image_cut_short_is_named(spoil):
    folder = spoil(lambda m: [(n, d[:-40] if n == "006.png" else d) for n, d in m])
    with pytest.raises(UserError, match="key '006' is corrupt"):
        read_all(folder)


def test_flipped_bit_in_an_image_is_found(spoil):
    def flip(data):
        middle = len(data) // 2
        return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]

    folder = spoil(lambda m: [(n, flip(d) if n == "006.png" else d) for n, d in m])
    with pytest.raises(UserError, match="key '006' is corrupt"):
        read_all(folder)


def test_sample_without_label_is_named(spoil):
    folder = spoil(lambda m: [(n, d) for n, d in m if n != "005.cls"])
    with pytest.raises(UserError, match=r"train/1\.tar: key '005' has no label \(005\.cls\)"):
        read_all(folder)


def test_sample_without_image_is_named(spoil):
    folder = spoil(lambda m: [(n, d) for n, d in m if n != "005.png"])
    with pytest.raises(UserError, match=r"train/1\.tar: key '005' has 0 images"):
        read_all(folder)


def test_sample_with_two_images_is_named(spoil, images):
    folder = spoil(lambda m: [*m, ("007.jpg", m[0][1])])
    with pytest.raises(UserError, match="key '007' has 2 images"):
        read_all(folder)


@pytest.mark.parametrize("label", [b"", b"cat", b"1.0", b"-1", b"1_0", b"0x1", b"1 1", b"\xff"])
def test_label_that_is_no_integer_is_named(spoil, label):
    folder = spoil(lambda m: replaced(m, "004.cls", label))
    with pytest.raises(UserError, match=r"label of key '004' is .*expected an integer"):
        read_all(folder)


def test_label_beyond_the_classes_is_named(spoil):
    folder = spoil(lambda m: replaced(m, "004.cls", b"2"))
    with pytest.raises(UserError, match=r"label of key '004' is 2, .* 2 classes \(0 to 1\)"):
        read_all(folder)


def test_key_twice_in_one_shard_is_named(spoil):
    folder = spoil(lambda m: [*m, *m[:2]])
    with pytest.raises(UserError, match=r"1\.tar: key '004' comes twice in split 'train'"):
        read_all(folder)


def test_key_twice_in_two_shards_is_named(folder):
    shutil.copy(folder / "train" / "0.tar", folder / "train" / "2.tar")
    with pytest.raises(UserError, match=r"2\.tar: key '000' comes twice in split 'train'"):
        read_all(folder)


def test_file_twice_in_a_row_is_named(spoil):
    folder = spoil(lambda m: [m[0], *m])
    with pytest.raises(UserError, match=r"train/1\.tar: .*004\.png: duplicate"):
        read_all(folder)


def test_missing_nshards(folder, spec):
    (folder / "train" / "nshards.txt").unlink()
    with pytest.raises(UserError, match=r"tiny: train/nshards\.txt is missing"):
        read_all(folder)
    with pytest.raises(UserError, match=r"train/nshards\.txt is missing"):
        index_shards(folder, spec())


@pytest.mark.parametrize("text", ["", "three", "0", "-1", "3.0", "3 4"])
def test_nshards_that_is_no_number(folder, text):
    (folder / "train" / "nshards.txt").write_text(text)
    with pytest.raises(UserError, match=r"nshards\.txt: expected a positive number"):
        read_all(folder)


def test_missing_and_surplus_shards(folder):
    shutil.copy(folder / "train" / "0.tar", folder / "train" / "3.tar")
    with pytest.raises(UserError, match=r"train/3\.tar is one more than nshards\.txt says"):
        read_all(folder)
    (folder / "train" / "3.tar").unlink()
    (folder / "train" / "1.tar").unlink()
    with pytest.raises(UserError, match=r"tiny: train/1\.tar is missing \(of 3\)"):
        read_all(folder)


def test_archive_cut_anywhere_is_refused(folder):
    """At every multiple of 256 bytes: within members, at their edges, before the end blocks."""
    path = folder / "train" / "1.tar"
    whole = path.read_bytes()
    with tarfile.open(path) as archive:
        archive.getmembers()
        content = archive.offset  # type: ignore[attr-defined]
    for length in range(0, content + 1, 256):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=re.escape(str(path))):
            read_all(folder)


def test_damaged_header_in_the_middle_is_refused(folder):
    """Python's tarfile takes it for the end of the archive and would drop the rest."""
    path = folder / "train" / "1.tar"
    with tarfile.open(path) as archive:
        third = archive.getmembers()[2].offset
    data = bytearray(path.read_bytes())
    data[third + 3] ^= 0xFF
    path.write_bytes(bytes(data))
    with tarfile.open(path) as archive:
        assert len(archive.getmembers()) == 2  # the silent loss
    with pytest.raises(UserError, match=rf"1\.tar: damaged or truncated tar archive .*{third}"):
        read_all(folder)


def test_what_is_no_tar_archive_is_refused(folder):
    path = folder / "train" / "1.tar"
    for data in (b"", b"x" * 5000, gzip.compress(path.read_bytes())):
        path.write_bytes(data)
        with pytest.raises(UserError, match=r"train/1\.tar: damaged"):
            read_all(folder)


def test_classnames_missing_or_empty(folder):
    (folder / "classnames.txt").write_text("even\n\n")
    with pytest.raises(UserError, match="one class name a line"):
        read_classnames(folder)
    (folder / "classnames.txt").unlink()
    with pytest.raises(UserError, match=r"tiny: classnames\.txt is missing"):
        read_all(folder)


def test_unknown_split_and_missing_folder(folder, spec, tmp_path):
    with pytest.raises(UserError, match=r"unknown split 'val'\. Allowed: train, test"):
        read_all(folder, "val")
    with pytest.raises(UserError, match="no such folder"):
        index_shards(tmp_path / "nowhere", spec())


def test_writer_refuses_bad_samples(tmp_path):
    image = Image.new("L", (4, 4))
    with pytest.raises(UserError, match="key 'a' comes twice"):
        write_split(tmp_path / "train", [("a", image, 0), ("a", image, 0)])
    for key in ("", "a.b", "../a", "a b", "ä"):
        with pytest.raises(UserError, match="may hold only letters"):
            write_split(tmp_path / "train", [(key, image, 0)])
    with pytest.raises(UserError, match="negative label -1"):
        write_split(tmp_path / "train", [("b", image, -1)])
    write_split(tmp_path / "train", [("a", image, 0)])
    assert (tmp_path / "train" / "nshards.txt").read_text() == "1\n"


def test_writer_that_fails_leaves_no_count(tmp_path):
    """A folder without nshards.txt is refused by the reader, so half a split is never taken."""

    def samples():
        yield "a", Image.new("L", (4, 4)), 0
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_split(tmp_path / "train", samples())
    assert (tmp_path / "train" / "0.tar").exists()
    assert not (tmp_path / "train" / "nshards.txt").exists()


def test_png_bytes_do_not_depend_on_metadata():
    image = Image.new("RGB", (5, 5), "blue")
    tagged = image.copy()
    tagged.info["dpi"] = (300, 300)
    assert encode_png(image) == encode_png(tagged)
    assert tagged.info == {"dpi": (300, 300)}
