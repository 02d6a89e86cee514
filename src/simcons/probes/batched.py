"""Training of many linear classifiers at once with AdamW, on tensors in memory.

All settings (learning rate, penalty) see the same batches, so their logits are one matrix product
with the stacked weights. Weights are (settings, classes, inputs) and logits (settings, classes,
batch): both products run on contiguous matrices, every elementwise step vectorises over a long
last axis, also where there are only two classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from simcons.errors import UserError
from simcons.probes.protocol import Protocol
from simcons.probes.splits import STREAM_INIT, STREAM_SHUFFLE, stream

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # the defaults of AdamW (Loshchilov and Hutter 2019)
FLOAT_BYTES = 4
BYTES_PER_GB = 1e9

Setting = tuple[float, float]  # learning rate, penalty


@dataclass(frozen=True)
class Images:
    """Inputs of a linear classifier.

    Parameters
    ----------
    inputs
        (n, d + 1) float32; the last column is 1, so that biases are weights of it.
    labels
        (n,) int64 class indices.
    """

    inputs: Tensor
    labels: Tensor

    def rows(self, rows: np.ndarray) -> Images:
        """Return some images."""
        index = torch.from_numpy(rows).to(self.labels.device)
        return Images(self.inputs[index], self.labels[index])

    def __len__(self) -> int:
        return len(self.labels)


def initial_weights(n_classes: int, n_inputs: int, seed: int) -> Tensor:
    """Return the weights before training, (classes, inputs), from the seed alone.

    Uniform in +-1/sqrt(d) for weights and biases, as `torch.nn.Linear` draws them; d counts the
    inputs without the column of ones.
    """
    bound = 1 / math.sqrt(n_inputs - 1)
    draw = stream(seed, STREAM_INIT).uniform(-bound, bound, size=(n_classes, n_inputs))
    return torch.from_numpy(draw.astype(np.float32))


def batches(n: int, batch_size: int, epochs: int, seed: int) -> Iterator[Tensor]:
    """Yield the row numbers of every batch of every epoch, shuffled by the seed alone."""
    rng = stream(seed, STREAM_SHUFFLE)
    for _ in range(epochs):
        yield from torch.from_numpy(rng.permutation(n)).split(batch_size)


def settings_per_chunk(n_classes: int, n_inputs: int, n_images: int, protocol: Protocol) -> int:
    """Return how many settings fit into ``protocol.memory_gb`` beside the images.

    Raises
    ------
    UserError
        If not even one fits.
    """
    batch = min(protocol.batch_size, n_images)
    # weights, gradient, two moments and one buffer; logits, probabilities and one temporary
    each = FLOAT_BYTES * n_classes * (5 * n_inputs + 3 * batch)
    images = FLOAT_BYTES * n_inputs * (n_images + batch)
    fit = int((protocol.memory_gb * BYTES_PER_GB - images) // each)
    if fit < 1:
        raise UserError(
            f"probe.memory_gb: got {protocol.memory_gb}; {n_images} images x {n_inputs} features "
            f"x {n_classes} classes need at least {(images + each) / BYTES_PER_GB:.2g}"
        )
    return fit


def train(
    images: Images,
    n_classes: int,
    settings: Sequence[Setting],
    protocol: Protocol,
    seed: int,
    losses: list[Tensor] | None = None,
) -> Tensor:
    """Train one linear classifier per setting, all on the same batches.

    Parameters
    ----------
    images
        The training images.
    n_classes
        The number of classes.
    settings
        Learning rate and penalty of each classifier; all are trained together (the caller chunks).
    protocol
        Epochs, batch size and the kind of penalty.
    seed
        Decides initial weights and batches.
    losses
        If given, the mean cross-entropy of each step's batch before the step, (settings,), is
        appended to it.

    Returns
    -------
    Tensor
        Weights (settings, classes, inputs).
    """
    device, n_inputs = images.inputs.device, images.inputs.shape[1]
    start = initial_weights(n_classes, n_inputs, seed).to(device)
    optimizer = _AdamW(start.repeat(len(settings), 1, 1), settings, protocol.regularization)
    n_steps = protocol.epochs * math.ceil(len(images) / protocol.batch_size)
    rows = batches(len(images), protocol.batch_size, protocol.epochs, seed)
    for step, batch in enumerate(rows):
        chosen = batch.to(device)
        x, y = images.inputs[chosen], images.labels[chosen]
        loss = cross_entropy_gradient(
            optimizer.weights, x, y, optimizer.gradient, losses is not None
        )
        if losses is not None and loss is not None:
            losses.append(loss)
        optimizer.step(0.5 * (1 + math.cos(math.pi * step / n_steps)))
    return optimizer.weights


def cross_entropy_gradient(
    weights: Tensor, x: Tensor, y: Tensor, gradient: Tensor, want_loss: bool = False
) -> Tensor | None:
    """Write the gradient of the mean cross-entropy of every setting into `gradient`.

    With probabilities P = softmax(W x), dL/dW = (P - onehot(y)) x' / n.

    Parameters
    ----------
    weights, gradient
        (settings, classes, inputs).
    x
        (n, inputs).
    y
        (n,) class indices.
    want_loss
        Also compute the loss.

    Returns
    -------
    Tensor or None
        The loss of each setting (settings,), if wanted.
    """
    n_settings, n_classes, n_inputs = weights.shape
    flat = weights.view(-1, n_inputs)
    logits = torch.mm(flat, x.T).view(n_settings, n_classes, len(y))
    columns = torch.arange(len(y), device=y.device)
    loss = None
    if want_loss:
        loss = -torch.log_softmax(logits, 1)[:, y, columns].mean(1)
    p = torch.softmax(logits, 1)
    p[:, y, columns] -= 1
    out = gradient.view(-1, n_inputs)
    torch.addmm(out, p.view(-1, len(y)), x, beta=0, alpha=1 / len(y), out=out)
    return loss


class _AdamW:
    """AdamW for a stack of weights, each with its own learning rate and penalty.

    The update is that of `torch.optim.AdamW` (Loshchilov and Hutter, ICLR 2019, algorithm 2).
    """

    def __init__(self, weights: Tensor, settings: Sequence[Setting], regularization: str) -> None:
        self.weights = weights
        self.gradient = torch.empty_like(weights)
        self.mean = torch.zeros_like(weights)
        self.square = torch.zeros_like(weights)
        self.buffer = torch.empty_like(weights)
        self.regularization = regularization
        # Float64 on the CPU: products with the schedule are rounded once, as in a single run.
        self.rates = torch.tensor([s[0] for s in settings], dtype=torch.float64)
        self.penalties = torch.tensor([s[1] for s in settings], dtype=torch.float64)
        self.steps = 0

    def step(self, schedule: float) -> None:
        """Update the weights with learning rates scaled by the schedule (1 to 0)."""
        self.steps += 1
        self._add_penalty_gradient()
        torch.lerp(self.mean, self.gradient, 1 - BETA_1, out=self.mean)
        self.square.mul_(BETA_2).addcmul_(self.gradient, self.gradient, value=1 - BETA_2)
        torch.sqrt(self.square, out=self.buffer)
        self.buffer.div_(math.sqrt(1 - BETA_2**self.steps)).add_(EPSILON)
        torch.div(self.mean, self.buffer, out=self.buffer)
        rates = self.rates * schedule
        if self.regularization == "weight_decay":
            self.weights.mul_(self._column(1 - rates * self.penalties))
        self.weights.addcmul_(self.buffer, self._column(-rates / (1 - BETA_1**self.steps)))

    def _add_penalty_gradient(self) -> None:
        weights = self.weights[:, :, :-1]  # not the biases
        if self.regularization == "l1":
            self.gradient[:, :, :-1].addcmul_(torch.sign(weights), self._column(self.penalties))
        elif self.regularization == "l2":
            self.gradient[:, :, :-1].addcmul_(weights, self._column(2 * self.penalties))

    def _column(self, values: Tensor) -> Tensor:
        return values.to(self.weights)[:, None, None]


def evaluate(weights: Tensor, images: Images, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return accuracy and mean cross-entropy of every classifier.

    Parameters
    ----------
    weights
        (settings, classes, inputs).
    images
        The images to classify.
    batch_size
        Images at a time.

    Returns
    -------
    tuple of arrays
        Accuracy and loss, each (settings,) float64.
    """
    n_settings, n_classes, n_inputs = weights.shape
    correct = torch.zeros(n_settings, dtype=torch.float64, device=weights.device)
    loss = torch.zeros_like(correct)
    for x, y in zip(images.inputs.split(batch_size), images.labels.split(batch_size), strict=True):
        logits = torch.mm(weights.view(-1, n_inputs), x.T).view(n_settings, n_classes, len(y))
        columns = torch.arange(len(y), device=y.device)
        correct += (logits.argmax(1) == y).sum(1)
        loss -= torch.log_softmax(logits, 1)[:, y, columns].sum(1, dtype=torch.float64)
    return (correct / len(images)).cpu().numpy(), (loss / len(images)).cpu().numpy()
