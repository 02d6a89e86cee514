"""Training of many linear classifiers at once with AdamW, on tensors in memory.

All settings (learning rate, penalty) see the same batches, so their logits are one matrix product
with the stacked weights. Weights are (settings, classes, inputs) and logits (settings, classes,
batch): both products run on contiguous matrices, every elementwise step vectorises over a long
last axis, also where there are only two classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from simcons.core.errors import UserError
from simcons.probes import sweep
from simcons.probes.problem import Images, Problem, Solution, linear_solution
from simcons.probes.protocol import Protocol
from simcons.probes.splits import STREAM_INIT, STREAM_SHUFFLE, stream

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # the defaults of AdamW (Loshchilov and Hutter 2019)
FLOAT_BYTES = 4
BYTES_PER_GB = 1e9

Setting = tuple[float, float]  # learning rate, penalty


def solve(problem: Problem, protocol: Protocol, seed: int) -> Solution:
    """Choose learning rate and penalty on validation images and refit on all (solver ``adamw``)."""
    n_classes = problem.n_classes
    # The images of train are in memory twice: all of them, and split.
    n_images = 2 * len(problem.train) + len(problem.test)
    n_inputs = problem.test.shape[1]
    chunk = settings_per_chunk(n_classes, n_inputs, n_images, protocol)

    def score(settings: Sequence[Setting]) -> tuple[list[float], list[float]]:
        accuracies: list[float] = []
        losses: list[float] = []
        for first in range(0, len(settings), chunk):
            some = settings[first : first + chunk]
            weights = train(problem.fit, n_classes, some, protocol, seed)
            accuracy, loss = evaluate(weights, problem.validation, protocol.batch_size)
            accuracies += accuracy.tolist()
            losses += loss.tolist()
        return accuracies, losses

    trials = sweep.search(score, protocol.learning_rates, protocol.weight_decays.values())
    chosen = sweep.best(trials)
    setting = (chosen.learning_rate, chosen.penalty)
    weights = train(problem.train, n_classes, [setting], protocol, seed)[0]
    return linear_solution(problem, trials, chosen, weights)


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
    space = _Workspace(optimizer.weights, images.inputs, min(protocol.batch_size, len(images)))
    for step, batch in enumerate(rows):
        chosen = batch.to(device)
        x, y = space.gather(images.inputs, chosen), images.labels[chosen]
        p = space.probabilities(optimizer.weights, x)
        if losses is not None:
            own = p[:, y, torch.arange(len(y), device=device)]
            losses.append(-own.clamp_min(torch.finfo(own.dtype).tiny).log().mean(1))
        cross_entropy_gradient(p, x, y, out=optimizer.gradient)
        optimizer.step(0.5 * (1 + math.cos(math.pi * step / n_steps)))
    return optimizer.weights


class _Workspace:
    """Memory for a batch and its logits, taken once: fresh pages at every step cost time."""

    def __init__(self, weights: Tensor, inputs: Tensor, batch_size: int) -> None:
        n_settings, n_classes, n_inputs = weights.shape
        self.x = inputs.new_empty(batch_size, n_inputs)
        self.logits = inputs.new_empty(n_settings * n_classes * batch_size)
        self.p = torch.empty_like(self.logits)

    def gather(self, inputs: Tensor, rows: Tensor) -> Tensor:
        """Return some rows of the inputs, (n, inputs)."""
        return torch.index_select(inputs, 0, rows, out=self.x[: len(rows)])

    def probabilities(self, weights: Tensor, x: Tensor) -> Tensor:
        """Return softmax(W x) of every setting, (settings, classes, n)."""
        n_settings, n_classes, n_inputs = weights.shape
        size = n_settings * n_classes * len(x)
        logits = self.logits[:size].view(-1, len(x))
        torch.mm(weights.view(-1, n_inputs), x.T, out=logits)
        shape = (n_settings, n_classes, len(x))
        return torch.softmax(logits.view(shape), 1, out=self.p[:size].view(shape))


def cross_entropy_gradient(p: Tensor, x: Tensor, y: Tensor, *, out: Tensor) -> None:
    """Write the gradient of the mean cross-entropy of every setting into `out`.

    With probabilities P = softmax(W x), dL/dW = (P - onehot(y)) x' / n.

    Parameters
    ----------
    p
        Probabilities (settings, classes, n); changed.
    x
        (n, inputs).
    y
        (n,) class indices.
    out
        (settings, classes, inputs).
    """
    n = len(y)
    p[:, y, torch.arange(n, device=y.device)] -= 1
    flat = out.view(-1, x.shape[1])
    torch.addmm(flat, p.view(-1, n), x, beta=0, alpha=1 / n, out=flat)


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
        # mean / (sqrt(square) / c + epsilon) = c * mean / (sqrt(square) + c * epsilon): the factor
        # c joins the learning rate, which saves a pass over the weights.
        c = math.sqrt(1 - BETA_2**self.steps)
        torch.sqrt(self.square, out=self.buffer)
        torch.div(self.mean, self.buffer.add_(c * EPSILON), out=self.buffer)
        rates = self.rates * schedule
        if self.regularization == "weight_decay":
            self.weights.mul_(self._column(1 - rates * self.penalties))
        self.weights.addcmul_(self.buffer, self._column(-rates * c / (1 - BETA_1**self.steps)))

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
