"""Rotation prediction: by which multiple of 90 degrees was the image turned?

Gidaris, Singh, Komodakis, "Unsupervised Representation Learning by Predicting Image Rotations",
ICLR 2018 (arXiv 1803.07728), equations 2 and 3: cross-entropy over the K = 4 rotations. The paper
shows all four rotations of each image of a batch; here each view is turned once, at random, which
is the same expectation at a quarter of the cost.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from simcons.models.zoo import heads
from simcons.models.zoo.architectures import Encoder

OPTIONS: dict[str, float] = {}


def turn(images: Tensor, quarters: Tensor) -> Tensor:
    """Return images (n, 3, s, s), each turned anticlockwise by ``quarters`` (n,) * 90 degrees."""
    turned = images.clone()
    for k in (1, 2, 3):
        rows = quarters == k
        turned[rows] = torch.rot90(images[rows], k, (2, 3))
    return turned


class Heads(heads.Heads):
    """A linear classifier of the four rotations."""

    def make(self, encoder: Encoder) -> None:
        """Make the modules."""
        self.classifier = nn.Linear(encoder.feature_dim, 4)

    def step(self, encoder: Encoder, batch: heads.Batch) -> heads.Step:
        """Return the cross-entropy over rotations and the accuracy."""
        images = batch.view()
        quarters = torch.randint(4, (len(images),), generator=batch.generator)
        logits = self.classifier(encoder(turn(images, quarters)))
        return heads.Step(
            functional.cross_entropy(logits, quarters), heads.accuracy(logits, quarters)
        )
