"""Blocks of images and the subsets of blocks on which values are wanted.

The images are dealt into blocks at random; values on any union of blocks are arithmetic on sums
that the engine keeps per block pair.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simcons.core.arrays import Array
from simcons.core.errors import UserError

MIN_IMAGES = 4  # the U-statistic of HSIC divides by n - 3


@dataclass(frozen=True)
class Blocks:
    """A division of n images into B blocks.

    Parameters
    ----------
    order
        (n,) row indices of the features, block after block.
    edges
        (B + 1,) block b is ``order[edges[b]:edges[b + 1]]``.
    """

    order: Array
    edges: Array

    @property
    def n_images(self) -> int:
        """Number of images."""
        return len(self.order)

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return len(self.edges) - 1

    @property
    def sizes(self) -> Array:
        """(B,) images per block."""
        return np.diff(self.edges)

    @property
    def of_position(self) -> Array:
        """(n,) the block of each position in ``order``."""
        return np.repeat(np.arange(self.n_blocks), self.sizes)

    def pairs(self) -> list[tuple[int, int]]:
        """Return the block pairs (p, q), p <= q, in the engine's order."""
        return [(p, q) for p in range(self.n_blocks) for q in range(p, self.n_blocks)]


def make_blocks(n: int, n_blocks: int, seed: int, labels: Array | None = None) -> Blocks:
    """Deal n images into blocks at random; within classes where labels are given.

    With labels, images are dealt class after class, so that every block holds nearly the same
    number of each class: standard errors over blocks then hold the classes fixed. Block sizes
    differ by one at most. With fewer than 2 images a block would be useless for halves, so there
    are at most n // 2 blocks, and only one (no uncertainty) below 8 images.

    Parameters
    ----------
    n
        Number of images.
    n_blocks
        Number of blocks wanted.
    seed
        Decides the order.
    labels
        (n,) class of each image, or None.

    Raises
    ------
    UserError
        If there are fewer than 4 images, ``n_blocks`` < 2, or labels of another length.
    """
    if n < MIN_IMAGES:
        raise UserError(f"{n} images: similarity needs at least {MIN_IMAGES} (unbiased HSIC)")
    if n_blocks < 2:
        raise UserError(f"n_blocks must be at least 2, got {n_blocks}")
    count = min(n_blocks, n // 2) if n >= 2 * MIN_IMAGES else 1
    rng = np.random.default_rng([seed, 0])
    dealt = rng.permutation(n)
    if labels is not None:
        dealt = _by_class(dealt, np.asarray(labels), rng)
    block = np.arange(n) % count
    order = dealt[np.argsort(block, kind="stable")]
    edges = np.concatenate([[0], np.cumsum(np.bincount(block, minlength=count))])
    return Blocks(order, edges)


def _by_class(dealt: Array, labels: Array, rng: np.random.Generator) -> Array:
    """Order shuffled images by class, the classes in random order."""
    if labels.shape != dealt.shape:
        raise UserError(f"labels have shape {labels.shape}, {len(dealt)} images need one each")
    classes, index = np.unique(labels, return_inverse=True)
    rank = rng.permutation(len(classes))
    return dealt[np.argsort(rank[index[dealt]], kind="stable")]


@dataclass(frozen=True)
class Subsets:
    """Unions of blocks on which values are computed: all, delete-one-block, random halves.

    Parameters
    ----------
    members
        (S, B) bool; row 0 is all blocks.
    kinds
        Per row ``"all"``, ``"jackknife"`` or ``"half"``.
    replicates
        Per row the number of the replicate within its kind.
    """

    members: Array
    kinds: list[str]
    replicates: list[int]

    def rows(self, kind: str) -> Array:
        """Return the row numbers of one kind."""
        return np.flatnonzero(np.array(self.kinds) == kind)


def make_subsets(blocks: Blocks, n_halves: int, seed: int) -> Subsets:
    """Return the subsets of blocks: all, each block left out, random complementary halves.

    Parameters
    ----------
    blocks
        The blocks; with a single one, the only subset is all images.
    n_halves
        Number of random splits; each gives two complementary halves.
    seed
        Decides the splits.
    """
    count = blocks.n_blocks
    if count == 1:
        return Subsets(np.ones((1, 1), dtype=bool), ["all"], [0])
    rng = np.random.default_rng([seed, 1])
    halves = np.zeros((2 * n_halves, count), dtype=bool)
    for k in range(n_halves):
        halves[2 * k, rng.permutation(count)[: count // 2]] = True
        halves[2 * k + 1] = ~halves[2 * k]
    members = np.concatenate([np.ones((1, count), dtype=bool), ~np.eye(count, dtype=bool), halves])
    kinds = ["all"] + ["jackknife"] * count + ["half"] * (2 * n_halves)
    return Subsets(members, kinds, [0, *range(count), *range(2 * n_halves)])
