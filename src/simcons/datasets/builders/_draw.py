"""Placing ink on backgrounds: colours, affine maps, noise. Images are float64 in [0, 1] inside."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Array = NDArray[np.float64]
_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
_SUPERSAMPLE = 3


def luma(colour: Array) -> float:
    """Return the brightness of an RGB colour (3,), from 0 to 1."""
    return float(_LUMA @ colour)


def contrasting_colours(rng: np.random.Generator, difference: float = 0.3) -> tuple[Array, Array]:
    """Draw two RGB colours (3,) whose brightness differs by at least ``difference``.

    A difference of hue alone would leave images that no one can read.
    """
    while True:
        first, second = rng.uniform(0.0, 1.0, (2, 3))
        if abs(luma(first) - luma(second)) >= difference:
            return first, second


def random_affine(
    ink: Image.Image,
    size: int,
    rng: np.random.Generator,
    *,
    scale: tuple[float, float],
    rotation: float,
    shear: float = 0.15,
    stretch: float = 0.15,
    margin: int = 1,
) -> Array:
    """Put ink on a square canvas by a random affine map, never clipped.

    Parameters
    ----------
    ink
        8-bit grey, 255 is ink, cropped to what is drawn.
    size
        Width and height of the canvas, in pixels.
    rng
        Generator.
    scale
        The longer side of the mapped ink's bounding box, as a range of shares of the canvas.
    rotation
        At most so many degrees to either side.
    shear, stretch
        At most such a shear, and such a relative change of width, to either side.
    margin
        Pixels to stay away from the canvas's edge.

    Returns
    -------
    ndarray
        (size, size), 0 to 1: how much of each pixel is ink.
    """
    angle = math.radians(rng.uniform(-rotation, rotation))
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    lean = np.array([[1.0 + rng.uniform(-stretch, stretch), rng.uniform(-shear, shear)], [0, 1.0]])
    matrix = turn @ lean
    half = np.array(ink.size) / 2
    corners = matrix @ (half[:, None] * np.array([[1, 1, -1, -1], [1, -1, 1, -1]]))
    extent = 2 * np.abs(corners).max(axis=1)
    target = min(rng.uniform(*scale) * size, size - 2 * margin)
    zoom = target / extent.max()
    free = (size - zoom * extent) / 2 - margin
    centre = size / 2 + rng.uniform(-1.0, 1.0, 2) * free
    return _warp(ink, size, zoom * matrix, centre)


def _warp(ink: Image.Image, size: int, matrix: Array, centre: Array) -> Array:
    """Map ink by ``matrix`` about its middle to ``centre``; drawn finer, then reduced."""
    fine = size * _SUPERSAMPLE
    inverse = np.linalg.inv(matrix * _SUPERSAMPLE)
    offset = np.array(ink.size) / 2 - inverse @ (centre * _SUPERSAMPLE)
    coefficients = (*inverse[0], offset[0], *inverse[1], offset[1])
    mapped = ink.transform(
        (fine, fine),
        Image.Transform.AFFINE,
        tuple(float(value) for value in coefficients),
        resample=Image.Resampling.BILINEAR,
    )
    return np.asarray(mapped.reduce(_SUPERSAMPLE), dtype=np.float64) / 255.0


def blend(background: Array, ink: Array, colour: Array) -> Array:
    """Paint a colour (3,) on a background (h, w, 3) where there is ink (h, w)."""
    return background + ink[..., None] * (colour - background)


def spectral_noise(
    rng: np.random.Generator, size: int, exponent: float, band: tuple[float, float] | None = None
) -> Array:
    """Return Gaussian noise (size, size) with mean 0 and standard deviation 1.

    Parameters
    ----------
    rng
        Generator.
    size
        Width and height, in pixels.
    exponent
        Amplitudes fall as 1 / frequency ** exponent: 0 white, 1 pink, 2 brown.
    band
        Only frequencies between these (cycles a pixel); all by default.
    """
    down = np.fft.fftfreq(size)[:, None]
    across = np.fft.rfftfreq(size)[None, :]
    frequency = np.hypot(down, across)
    frequency[0, 0] = 1.0  # the mean, which is removed below
    gain = frequency**-exponent
    if band is not None:
        gain = gain * ((frequency >= band[0]) & (frequency <= band[1]))
    gain[0, 0] = 0.0
    noise = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((size, size))) * gain, s=(size, size))
    return noise / noise.std()


def background(
    rng: np.random.Generator, size: int, colour: Array, variation: float = 0.12
) -> Array:
    """Return a background (size, size, 3) near a colour (3,): even, shaded, or cloudy."""
    kind = rng.integers(3)
    if kind == 0:
        shade = np.zeros((size, size))
    elif kind == 1:
        angle = rng.uniform(0, 2 * math.pi)
        ramp = np.linspace(-1.0, 1.0, size)
        shade = math.cos(angle) * ramp[None, :] + math.sin(angle) * ramp[:, None]
    else:
        shade = 0.5 * spectral_noise(rng, size, 2.0)
    tint = rng.uniform(0.5, 1.0, 3)
    return colour + variation * shade[..., None] * tint


def finish(
    image: Array, rng: np.random.Generator, *, noise: float = 0.0, blur: float = 0.0
) -> Image.Image:
    """Blur, add noise and round to an 8-bit image.

    Parameters
    ----------
    image
        (h, w) grey or (h, w, 3) RGB, 0 to 1; values outside are cut off.
    rng
        Generator.
    noise
        Standard deviation of Gaussian noise is drawn from 0 to this.
    blur
        The radius of a Gaussian blur is drawn from 0 to this, in pixels.
    """
    radius, sigma = rng.uniform(0.0, blur), rng.uniform(0.0, noise)
    soft = Image.fromarray(_to_bytes(image)).filter(ImageFilter.GaussianBlur(radius))
    noisy = np.asarray(soft, dtype=np.float64) / 255.0 + sigma * rng.standard_normal(image.shape)
    return Image.fromarray(_to_bytes(noisy))


def _to_bytes(image: Array) -> NDArray[np.uint8]:
    return np.rint(np.clip(image, 0.0, 1.0) * 255.0).astype(np.uint8)
