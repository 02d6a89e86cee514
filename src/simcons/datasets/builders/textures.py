"""Procedural textures in two colours; the class is the process.

Orientation, period, phase, colours, contrast and noise vary within a class.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
from PIL import Image, ImageDraw

from simcons.datasets.builders import _draw as draw
from simcons.datasets.builders._common import SampledOptions, sampled
from simcons.datasets.builders._draw import Array
from simcons.datasets.shard_writer import LabelledImages

OPTIONS = SampledOptions
Process = Callable[[np.random.Generator, int], Array]


def _grid(rng: np.random.Generator, size: int) -> tuple[Array, Array]:
    """Return coordinates (size, size) in pixels, turned and shifted at random."""
    angle = rng.uniform(0, 2 * math.pi)
    across, down = np.meshgrid(np.arange(size, dtype=float), np.arange(size, dtype=float))
    u = math.cos(angle) * across + math.sin(angle) * down + rng.uniform(0, size)
    v = math.cos(angle) * down - math.sin(angle) * across + rng.uniform(0, size)
    return u, v


def _polar(rng: np.random.Generator, size: int) -> tuple[Array, Array]:
    """Return radius (pixels) and angle (radians), each (size, size), about a random centre."""
    x0, y0 = rng.uniform(0.2 * size, 0.8 * size, 2)
    across, down = np.meshgrid(np.arange(size) - x0, np.arange(size) - y0)
    return np.hypot(across, down), np.arctan2(down, across)


def _period(rng: np.random.Generator, low: float = 6.0, high: float = 16.0) -> float:
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def _wave(x: Array, period: float) -> Array:
    return np.sin(2 * math.pi * x / period)


def _grating(rng: np.random.Generator, size: int) -> Array:
    return _wave(_grid(rng, size)[0], _period(rng))


def _plaid(rng: np.random.Generator, size: int) -> Array:
    u, v = _grid(rng, size)
    return _wave(u, _period(rng)) + _wave(v, _period(rng))


def _checker(rng: np.random.Generator, size: int) -> Array:
    u, v = _grid(rng, size)
    period = _period(rng, 8.0, 24.0)
    return np.sign(_wave(u, period) * _wave(v, period))


def _waves(rng: np.random.Generator, size: int) -> Array:
    u, v = _grid(rng, size)
    period = _period(rng)
    bend = rng.uniform(0.4, 0.9) * period * _wave(v, _period(rng, 16.0, 40.0))
    return _wave(u + bend, period)


def _rings(rng: np.random.Generator, size: int) -> Array:
    radius, _ = _polar(rng, size)
    return _wave(radius + rng.uniform(0, size), _period(rng))


def _spokes(rng: np.random.Generator, size: int) -> Array:
    _, angle = _polar(rng, size)
    return np.sin(int(rng.integers(5, 16)) * angle + rng.uniform(0, 2 * math.pi))


def _spiral(rng: np.random.Generator, size: int) -> Array:
    radius, angle = _polar(rng, size)
    arms = int(rng.integers(1, 5)) * (1 if rng.random() < 0.5 else -1)
    return np.sin(2 * math.pi * radius / _period(rng, 8.0, 18.0) + arms * angle)


def _lattice(rng: np.random.Generator, size: int) -> Array:
    u, v = _grid(rng, size)
    period = _period(rng, 8.0, 18.0)
    u, v = (np.mod(x, period) - period / 2 for x in (u, v))
    return np.clip(rng.uniform(0.22, 0.38) * period - np.hypot(u, v), -0.5, 0.5)


def _scattered_dots(rng: np.random.Generator, size: int) -> Array:
    count = int(rng.integers(30, 110))
    places = rng.uniform(-4, size + 4, (count, 2))
    radii = rng.uniform(1.5, 4.0, count)
    across, down = np.meshgrid(np.arange(size), np.arange(size))
    inside = [r - np.hypot(across - x, down - y) for (x, y), r in zip(places, radii, strict=True)]
    return np.clip(np.max(inside, axis=0), -0.5, 0.5)


def _bricks(rng: np.random.Generator, size: int) -> Array:
    u, v = _grid(rng, size)
    height = _period(rng, 7.0, 14.0)
    width = height * rng.uniform(1.8, 2.6)
    row = np.floor(v / height)
    shifted = u + 0.5 * width * np.mod(row, 2)
    joint = rng.uniform(0.8, 1.6)
    across, down = np.mod(shifted, width), np.mod(v, height)
    edge = np.minimum(np.minimum(across, width - across), np.minimum(down, height - down))
    return np.clip(edge - joint, -0.5, 0.5)


def _cells(rng: np.random.Generator, size: int) -> Array:
    """Voronoi cells: dark where the nearest two seeds are equally far."""
    seeds = rng.uniform(-8, size + 8, (int(rng.integers(20, 70)), 2))
    across, down = np.meshgrid(np.arange(size), np.arange(size))
    far = np.hypot(across[..., None] - seeds[:, 0], down[..., None] - seeds[:, 1])
    nearest = np.partition(far, 1, axis=2)
    return np.clip(nearest[..., 1] - nearest[..., 0] - 1.5, -1.0, 1.0)


def _scratches(rng: np.random.Generator, size: int) -> Array:
    fine = 3 * size
    sheet = Image.new("L", (fine, fine))
    pen = ImageDraw.Draw(sheet)
    for _ in range(int(rng.integers(20, 70))):
        x, y = rng.uniform(0, fine, 2)
        angle, length = rng.uniform(0, math.pi), rng.uniform(0.15, 0.6) * fine
        dx, dy = 0.5 * length * math.cos(angle), 0.5 * length * math.sin(angle)
        pen.line([(x - dx, y - dy), (x + dx, y + dy)], fill=255, width=int(rng.integers(2, 6)))
    return np.asarray(sheet.reduce(3), dtype=float)


def _blobs(rng: np.random.Generator, size: int) -> Array:
    top = 1 / _period(rng, 10.0, 22.0)
    return np.clip(4 * draw.spectral_noise(rng, size, 0.0, (0.0, top)), -1.0, 1.0)


def _band_noise(rng: np.random.Generator, size: int) -> Array:
    middle = 1 / _period(rng, 4.0, 10.0)
    return draw.spectral_noise(rng, size, 0.0, (0.85 * middle, 1.15 * middle))


PROCESSES: dict[str, Process] = {
    "band noise": _band_noise,
    "blobs": _blobs,
    "bricks": _bricks,
    "brown noise": partial(draw.spectral_noise, exponent=2.0),
    "cells": _cells,
    "checker": _checker,
    "grating": _grating,
    "lattice": _lattice,
    "pink noise": partial(draw.spectral_noise, exponent=1.0),
    "plaid": _plaid,
    "rings": _rings,
    "scattered dots": _scattered_dots,
    "scratches": _scratches,
    "spiral": _spiral,
    "spokes": _spokes,
    "waves": _waves,
    "white noise": partial(draw.spectral_noise, exponent=0.0),
}


def build(options: SampledOptions) -> LabelledImages:
    """Return the textures, each between two random colours, with blur and noise."""
    processes = list(PROCESSES.values())

    def texture(label: int, split: str, rng: np.random.Generator) -> Image.Image:
        pattern = processes[label](rng, options.size)
        low, high = np.percentile(pattern, [1, 99])
        level = np.clip((pattern - low) / (high - low), 0.0, 1.0)
        first, second = draw.contrasting_colours(rng, 0.25)
        sheet = draw.background(rng, options.size, first, 0.08)
        return draw.finish(draw.blend(sheet, level, second), rng, noise=0.15, blur=1.0)

    return sampled("textures", list(PROCESSES), options, texture)
