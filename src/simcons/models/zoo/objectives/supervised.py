"""Supervised classification: cross-entropy of a linear classifier on the pooled features.

The classes are those of the mixture: a pair (data set, class) each.
"""

from __future__ import annotations

from torch import nn
from torch.nn import functional

from simcons.models.zoo import heads
from simcons.models.zoo.architectures import Encoder

OPTIONS: dict[str, float] = {"label_smoothing": 0.0}


class Heads(heads.Heads):
    """A linear classifier; the loss is -log softmax(W f(x) + b)[label], averaged over the batch."""

    def make(self, encoder: Encoder) -> None:
        """Make the modules."""
        self.classifier = nn.Linear(encoder.feature_dim, self.task.n_classes)

    def step(self, encoder: Encoder, batch: heads.Batch) -> heads.Step:
        """Return the cross-entropy of a batch and the training accuracy."""
        logits = self.classifier(encoder(batch.view()))
        smoothing = self.options["label_smoothing"]
        loss = functional.cross_entropy(logits, batch.labels, label_smoothing=smoothing)
        return heads.Step(loss, heads.accuracy(logits, batch.labels))
