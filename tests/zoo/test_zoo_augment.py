"""Augmentations: seeded, in range, each doing what its name says."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simcons.models.zoo.augment import augment, colour_matrices, crop_boxes
from simcons.models.zoo.spec import Augmentations

ALL: dict[str, Any] = {
    "crop_min_area": 0.3,
    "rotation_degrees": 20,
    "flip_sets": ("a",),
    "brightness": 0.8,
    "contrast": 0.8,
    "saturation": 0.8,
    "hue_degrees": 90,
    "grayscale": 0.5,
    "tint": 0.5,
    "invert": 0.5,
    "blur": 0.5,
    "noise": 0.1,
}


def _images(n: int = 12) -> torch.Tensor:
    return torch.rand(n, 3, 16, 16, generator=torch.Generator().manual_seed(5))


def _run(how: dict[str, Any], seed: int = 0, flip: bool = False) -> torch.Tensor:
    images = _images()
    flippable = torch.full((len(images),), flip)
    generator = torch.Generator().manual_seed(seed)
    return augment(images, flippable, Augmentations(**how), generator)


@pytest.mark.parametrize("name", [*ALL, "all"])
def test_every_augmentation_keeps_shape_and_range_is_seeded_and_does_something(name: str) -> None:
    how = ALL if name == "all" else {name: ALL[name]}
    images = _images()
    changed = _run(how, seed=1, flip=True)
    assert changed.shape == images.shape
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert torch.equal(changed, _run(how, seed=1, flip=True))
    assert not torch.equal(changed, images)
    assert not torch.equal(changed, _run(how, seed=2, flip=True))


def test_defaults_change_nothing() -> None:
    assert torch.equal(_run({}), _images())


def test_images_that_may_not_be_mirrored_are_not() -> None:
    images = _images()
    flippable = torch.arange(len(images)) < 6
    generator = torch.Generator().manual_seed(0)
    changed = augment(images, flippable, Augmentations(), generator)
    assert torch.equal(changed[6:], images[6:])
    same = [torch.equal(a, b) for a, b in zip(changed[:6], images[:6], strict=True)]
    mirrored = [torch.equal(a, b.flip(2)) for a, b in zip(changed[:6], images[:6], strict=True)]
    assert all(s != m for s, m in zip(same, mirrored, strict=True))
    assert any(mirrored)


@given(st.floats(0.05, 1), st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_crops_lie_inside_the_image(min_area: float, seed: int) -> None:
    w, h, x, y = crop_boxes(64, min_area, torch.Generator().manual_seed(seed))
    for side, centre in ((w, x), (h, y)):
        assert (side > 0).all()
        assert (centre - side / 2 >= -0.5 - 1e-6).all()
        assert (centre + side / 2 <= 0.5 + 1e-6).all()
    assert (w * h <= 1 + 1e-6).all()


def test_a_crop_shows_the_part_of_the_image_that_it_names() -> None:
    ramp = torch.linspace(0, 1, 64).expand(20, 3, 64, 64).contiguous()  # brightness is x
    how = Augmentations(crop_min_area=0.2)
    width, _, x, _ = crop_boxes(20, 0.2, _after_mirror_draw(20))
    shown = augment(ramp, torch.zeros(20, dtype=torch.bool), how, torch.Generator().manual_seed(3))
    torch.testing.assert_close(shown.mean((1, 2, 3)), 0.5 + x, atol=0.02, rtol=0)
    # From the first to the last pixel's centre is 63/64 of the width shown.
    torch.testing.assert_close(shown[:, 0, 0, -1] - shown[:, 0, 0, 0], width, atol=0.03, rtol=0)


def _after_mirror_draw(n: int) -> torch.Generator:
    generator = torch.Generator().manual_seed(3)
    torch.rand(n, generator=generator)  # whether to mirror is drawn first
    return generator


def test_colour_matrices() -> None:
    one, zero = torch.ones(1), torch.zeros(1)
    torch.testing.assert_close(colour_matrices(one, zero)[0], torch.eye(3))
    red, grey = torch.tensor([1.0, 0, 0]), torch.full((3,), 0.299)
    torch.testing.assert_close(colour_matrices(zero, zero)[0] @ red, grey)
    # Brightness survives any hue and saturation, and grey stays grey.
    matrix = colour_matrices(torch.tensor([1.3]), torch.tensor([2.0]))[0]
    luma = torch.tensor([0.299, 0.587, 0.114])
    colour = torch.tensor([0.2, 0.7, 0.4])
    assert (luma @ matrix @ colour).item() == pytest.approx((luma @ colour).item(), abs=1e-6)
    torch.testing.assert_close(matrix @ torch.ones(3), torch.ones(3))


def test_grayscale_makes_channels_equal() -> None:
    changed = _run({"grayscale": 1.0})
    torch.testing.assert_close(changed[:, 0], changed[:, 1])
    torch.testing.assert_close(changed[:, 0], changed[:, 2])


def test_invert_inverts_each_channel_on_its_own() -> None:
    images = _images()
    changed = _run({"invert": 0.5})
    inverted = [[torch.allclose(c, 1 - o) for c, o in zip(cs, os, strict=True)]
                for cs, os in zip(changed, images, strict=True)]  # fmt: skip
    kept = [[torch.allclose(c, o) for c, o in zip(cs, os, strict=True)]
            for cs, os in zip(changed, images, strict=True)]  # fmt: skip
    assert (torch.tensor(inverted) ^ torch.tensor(kept)).all()
    assert any(0 < sum(row) < 3 for row in inverted)


def test_tint_colours_a_grey_image_without_clipping() -> None:
    grey = torch.linspace(0, 1, 64).view(1, 1, 8, 8).expand(10, 3, 8, 8)
    none = torch.zeros(10, dtype=torch.bool)
    how = Augmentations(tint=0.5)
    tinted = augment(grey, none, how, torch.Generator().manual_seed(0))
    low, high = tinted.amin((2, 3)), tinted.amax((2, 3))
    assert ((high - low) >= 0.5 - 1e-6).all()
    assert (low.std(1) > 0).all()
    slope = tinted[..., 0, 1] - tinted[..., 0, 0]
    torch.testing.assert_close(slope * 63, high - low)  # still a line: nothing clipped


def test_blur_keeps_a_flat_image_and_smooths_another() -> None:
    flat = torch.full((4, 3, 8, 8), 0.3)
    how, none = Augmentations(blur=1.0), torch.zeros(4, dtype=torch.bool)
    blurred = augment(flat, none, how, torch.Generator().manual_seed(0))
    torch.testing.assert_close(blurred, flat)
    assert _run({"blur": 1.0}).var() < 0.5 * _images().var()
