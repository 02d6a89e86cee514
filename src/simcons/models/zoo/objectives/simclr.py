"""SimCLR: two views of an image attract, views of other images repel.

Chen, Kornblith, Norouzi, Hinton, "A Simple Framework for Contrastive Learning of Visual
Representations", ICML 2020 (arXiv 2002.05709), equation 1 and algorithm 1.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from simcons.models.zoo import heads
from simcons.models.zoo.architectures import Encoder

OPTIONS: dict[str, float] = {"temperature": 0.2, "hidden_dim": 128, "projection_dim": 64}


def similarity_logits(first: Tensor, second: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Return NT-Xent's logits and the column of each row's positive.

    Their cross-entropy, the mean over 2 n views, is the loss of equation 1:
    l(i, j) = -log exp(sim(z_i, z_j) / tau) / sum_{k != i} exp(sim(z_i, z_k) / tau)

    Parameters
    ----------
    first, second
        Projections (n, p) of two views of the same n images.
    temperature
        tau of equation 1.

    Returns
    -------
    logits
        (2 n, 2 n): cosine similarities over tau; the diagonal is -inf, since k != i in the sum.
    positives
        (2 n,): the other view of the same image.
    """
    n = len(first)
    z = functional.normalize(torch.cat([first, second]), dim=1)
    logits = (z @ z.T / temperature).fill_diagonal_(-torch.inf)
    return logits, torch.arange(2 * n).roll(n)


class Heads(heads.Heads):
    """The projection head g, two layers; NT-Xent on its output."""

    def make(self, encoder: Encoder) -> None:
        """Make the modules."""
        hidden, out = int(self.options["hidden_dim"]), int(self.options["projection_dim"])
        self.projection = heads.mlp(encoder.feature_dim, hidden, out)

    def step(self, encoder: Encoder, batch: heads.Batch) -> heads.Step:
        """Return NT-Xent of two views, and how often the positive is the nearest."""
        features = encoder(torch.cat([batch.view(), batch.view()]))
        first, second = self.projection(features).chunk(2)
        logits, positives = similarity_logits(first, second, self.options["temperature"])
        return heads.Step(
            functional.cross_entropy(logits, positives), heads.accuracy(logits, positives)
        )
