"""VICReg: views agree, every dimension keeps its variance, dimensions are uncorrelated.

Bardes, Ponce, LeCun, "VICReg: Variance-Invariance-Covariance Regularization for Self-Supervised
Learning", ICLR 2022 (arXiv 2105.04906), equations 1 to 6.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from simcons.models.zoo import heads
from simcons.models.zoo.architectures import Encoder

OPTIONS: dict[str, float] = {
    "invariance": 25.0,
    "variance": 25.0,
    "covariance": 1.0,
    "hidden_dim": 256,
    "embedding_dim": 256,
}
EPSILON = 1e-4


def variance_term(z: Tensor) -> Tensor:
    """Return the hinge on the standard deviation of each dimension of z (n, d) (equation 1).

    v(Z) = 1/d sum_j max(0, 1 - sqrt(Var(z^j) + eps)), with the unbiased variance.
    """
    return functional.relu(1 - torch.sqrt(z.var(dim=0) + EPSILON)).mean()


def covariance_term(z: Tensor) -> Tensor:
    """Return the sum of squared off-diagonal covariances over d (equations 3 and 4)."""
    n, d = z.shape
    centred = z - z.mean(dim=0)
    covariance = centred.T @ centred / (n - 1)
    return (covariance.square().sum() - covariance.diagonal().square().sum()) / d


def vicreg_loss(
    first: Tensor, second: Tensor, invariance: float, variance: float, covariance: float
) -> Tensor:
    """Return VICReg's loss (equation 6) of the embeddings (n, d) of two views.

    lambda s(Z, Z') + mu [v(Z) + v(Z')] + nu [c(Z) + c(Z')]. The authors' code, followed here,
    averages s over the d dimensions as well and halves the variance terms.
    """
    s = functional.mse_loss(first, second)
    v = (variance_term(first) + variance_term(second)) / 2
    c = covariance_term(first) + covariance_term(second)
    return invariance * s + variance * v + covariance * c


class Heads(heads.Heads):
    """The expander, three layers; VICReg on its output."""

    def make(self, encoder: Encoder) -> None:
        """Make the modules."""
        hidden, out = int(self.options["hidden_dim"]), int(self.options["embedding_dim"])
        self.expander = heads.mlp(encoder.feature_dim, hidden, hidden, out)

    def step(self, encoder: Encoder, batch: heads.Batch) -> heads.Step:
        """Return VICReg of two views."""
        features = encoder(torch.cat([batch.view(), batch.view()]))
        first, second = self.expander(features).chunk(2)
        weights = {k: self.options[k] for k in ("invariance", "variance", "covariance")}
        return heads.Step(vicreg_loss(first, second, **weights))
