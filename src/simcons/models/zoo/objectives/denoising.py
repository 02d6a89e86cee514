"""Denoising autoencoder: rebuild the whole image from the features of a corrupted copy.

Vincent, Larochelle, Bengio, Manzagol, "Extracting and Composing Robust Features with Denoising
Autoencoders", ICML 2008, section 2.3: corrupt x by setting a fixed number of its components, chosen
at random, to 0 (here whole patches: single pixels of an image are too easily interpolated), encode,
decode, minimise the squared error to the clean x (standardised, as the encoder sees it).
"""

from __future__ import annotations

import torch
from torch.nn import functional

from simcons.models.zoo import heads
from simcons.models.zoo.architectures import Encoder, standardize
from simcons.models.zoo.objectives.masked_autoencoder import blank, random_mask

OPTIONS: dict[str, float] = {"mask_fraction": 0.4, "patch": 4, "noise": 0.1, "hidden_dim": 256}


class Heads(heads.Heads):
    """A two-layer decoder from the pooled features to all pixels; mean squared error."""

    def make(self, encoder: Encoder) -> None:
        """Make the modules."""
        hidden, pixels = int(self.options["hidden_dim"]), 3 * self.task.image_size**2
        self.decoder = heads.mlp(encoder.feature_dim, hidden, pixels)

    def step(self, encoder: Encoder, batch: heads.Batch) -> heads.Step:
        """Return the mean squared error of the rebuilt view."""
        images = batch.view()
        patch = int(self.options["patch"])
        cells = (self.task.image_size // patch) ** 2
        mask = random_mask(len(images), cells, self.options["mask_fraction"], batch.generator)
        noise = torch.randn(images.shape, generator=batch.generator) * self.options["noise"]
        rebuilt = self.decoder(encoder(blank(images + noise, mask, patch)))
        return heads.Step(functional.mse_loss(rebuilt, standardize(images).flatten(1)))
