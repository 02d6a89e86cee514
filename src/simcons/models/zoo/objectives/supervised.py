"""Supervised classification: cross-entropy of a linear classifier on the pooled features.

The classes are those of the mixture: a pair (data set, class) each.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn
from torch.nn import functional

from simcons.models.zoo.architectures import Encoder
from simcons.models.zoo.objectives import base

OPTIONS: dict[str, float] = {"label_smoothing": 0.0}


class Heads(base.Heads):
    """A linear classifier; the loss is -log softmax(W f(x) + b)[label], averaged over the batch."""

    def __init__(self, encoder: Encoder, task: base.Task, options: Mapping[str, float]) -> None:
        super().__init__(encoder, task, options)
        self.classifier = nn.Linear(encoder.feature_dim, task.n_classes)

    def step(self, encoder: Encoder, batch: base.Batch) -> base.Step:
        """Return the cross-entropy of a batch and the training accuracy."""
        logits = self.classifier(encoder(batch.view()))
        smoothing = self.options["label_smoothing"]
        loss = functional.cross_entropy(logits, batch.labels, label_smoothing=smoothing)
        return base.Step(loss, base.accuracy(logits, batch.labels))
