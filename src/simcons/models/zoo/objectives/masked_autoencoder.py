"""Masked image modelling: predict the pixels of hidden patches from the visible ones.

He et al., "Masked Autoencoders Are Scalable Vision Learners", CVPR 2022 (arXiv 2111.06377): the
loss is the mean squared error over the masked patches alone, against targets normalised within each
patch (section 3, "Reconstruction target"). So that convnets can do the same task, the encoder sees
the whole image with its masked patches blanked and one linear layer per grid cell predicts the
pixels: Xie et al., "SimMIM", CVPR 2022 (arXiv 2111.09886).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from simcons.models.zoo import heads
from simcons.models.zoo.architectures import Encoder

OPTIONS: dict[str, float] = {"mask_fraction": 0.6}


def random_mask(n: int, cells: int, fraction: float, generator: torch.Generator) -> Tensor:
    """Return a mask (n, cells), True where hidden: round(fraction * cells) cells in every row."""
    order = torch.rand(n, cells, generator=generator).argsort(1).argsort(1)
    return order < round(fraction * cells)


def patches(images: Tensor, patch: int) -> Tensor:
    """Return the patches (n, cells, 3 * patch^2) of images (n, 3, s, s), cells row by row."""
    return functional.unfold(images, patch, stride=patch).transpose(1, 2)


def blank(images: Tensor, mask: Tensor, patch: int) -> Tensor:
    """Return images (n, 3, s, s) with masked cells (n, cells) at 0, mid-grey when normalised."""
    grid = images.shape[-1] // patch
    hidden = mask.view(-1, 1, grid, grid)
    hidden = hidden.repeat_interleave(patch, 2).repeat_interleave(patch, 3)
    return images.masked_fill(hidden, 0.0)


def masked_error(prediction: Tensor, images: Tensor, mask: Tensor) -> Tensor:
    """Return the mean squared error over masked patches, targets normalised within the patch.

    Parameters
    ----------
    prediction
        (n, cells, 3 * patch^2).
    images
        (n, 3, s, s).
    mask
        (n, cells), True where hidden.
    """
    patch = images.shape[-1] // round(mask.shape[1] ** 0.5)
    target = patches(images, patch)
    spread, mean = torch.var_mean(target, dim=2, keepdim=True)
    target = (target - mean) / torch.sqrt(spread + 1e-2)
    error = (prediction - target).square().mean(2)
    return (error * mask).sum() / mask.sum()


class Heads(heads.Heads):
    """A linear decoder on each cell of the encoder's feature map."""

    def make(self, encoder: Encoder) -> None:
        """Make the modules."""
        self.patch = self.task.image_size // encoder.grid
        self.decoder = nn.Linear(encoder.feature_dim, 3 * self.patch**2)

    def step(self, encoder: Encoder, batch: heads.Batch) -> heads.Step:
        """Return the error on the hidden patches of one view."""
        images = batch.view()
        fraction = self.options["mask_fraction"]
        mask = random_mask(len(images), encoder.grid**2, fraction, batch.generator)
        cells = encoder.feature_map(blank(images, mask, self.patch)).flatten(2).transpose(1, 2)
        return heads.Step(masked_error(self.decoder(cells), images, mask))
