"""The protocol written plainly: one setting at a time, torch.nn, torch.optim.AdamW, autograd."""

from __future__ import annotations

import math

import numpy as np
import torch

from simcons.probes.batched import batches, initial_weights
from simcons.probes.protocol import Protocol


def train_single(
    x: np.ndarray,
    y: np.ndarray,
    n_classes: int,
    learning_rate: float,
    penalty: float,
    protocol: Protocol,
    seed: int,
) -> tuple[torch.nn.Linear, list[float]]:
    """Train one linear classifier; return it and the loss of every step's batch."""
    inputs, labels = torch.from_numpy(x), torch.from_numpy(y)
    model = torch.nn.Linear(x.shape[1], n_classes)
    start = initial_weights(n_classes, x.shape[1] + 1, seed)
    with torch.no_grad():
        model.weight.copy_(start[:, :-1])
        model.bias.copy_(start[:, -1])
    decay = penalty if protocol.regularization == "weight_decay" else 0.0
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=decay)
    n_steps = protocol.epochs * math.ceil(len(y) / protocol.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=n_steps)
    losses = []
    for batch in batches(len(y), protocol.batch_size, protocol.epochs, seed):
        loss = torch.nn.functional.cross_entropy(model(inputs[batch]), labels[batch])
        losses.append(loss.item())
        if protocol.regularization == "l1":
            loss = loss + penalty * model.weight.abs().sum()
        elif protocol.regularization == "l2":
            loss = loss + penalty * model.weight.square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return model, losses


def sweep_single(
    x: np.ndarray,
    y: np.ndarray,
    rows: np.ndarray,
    held_out: np.ndarray,
    n_classes: int,
    protocol: Protocol,
    seed: int,
) -> tuple[float, float, float]:
    """Run the search one setting after another; return the best rate, penalty, accuracy."""
    grid = protocol.weight_decays.values()
    best_of_all: tuple[float, float, float, float] | None = None
    for rate in protocol.learning_rates:
        scores: dict[int, tuple[float, float]] = {}

        def visit(i: int, rate: float = rate, scores: dict = scores) -> None:
            if 0 <= i < len(grid) and i not in scores:
                model, _ = train_single(x[rows], y[rows], n_classes, rate, grid[i], protocol, seed)
                with torch.no_grad():
                    logits = model(torch.from_numpy(x[held_out]))
                target = torch.from_numpy(y[held_out])
                accuracy = (logits.argmax(1) == target).double().mean().item()
                loss = torch.nn.functional.cross_entropy(logits, target).item()
                scores[i] = (-accuracy, loss)

        for i in range(0, len(grid), 9):
            visit(i)
        for step in (4, 2, 1):
            centre = min(scores, key=lambda i: scores[i])
            visit(centre - step)
            visit(centre + step)
        index = min(scores, key=lambda i: scores[i])
        candidate = (*scores[index], rate, grid[index])
        if best_of_all is None or candidate < best_of_all:
            best_of_all = candidate
    assert best_of_all is not None
    return best_of_all[2], best_of_all[3], -best_of_all[0]
