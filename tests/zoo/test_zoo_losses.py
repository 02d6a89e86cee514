"""Each objective's loss against values worked out by hand, or by a loop as the paper writes it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from simcons.models.zoo.architectures import make_encoder, standardize
from simcons.models.zoo.heads import Batch, Heads, Task
from simcons.models.zoo.objectives import default_options
from simcons.models.zoo.objectives.image_text import (
    TEMPLATES,
    captions,
    clip_logits,
    clip_loss,
    tokenize,
)
from simcons.models.zoo.objectives.masked_autoencoder import (
    blank,
    masked_error,
    patches,
    random_mask,
)
from simcons.models.zoo.objectives.rotation import turn
from simcons.models.zoo.objectives.simclr import similarity_logits
from simcons.models.zoo.objectives.vicreg import covariance_term, variance_term, vicreg_loss
from simcons.models.zoo.training import heads_class


def nt_xent(*args):
    return functional.cross_entropy(*similarity_logits(*args))


def test_nt_xent_of_two_orthogonal_pairs() -> None:
    z = torch.eye(2)
    # Each row: the positive at cosine 1, two negatives at 0: -log(e / (e + 2)).
    assert nt_xent(z, 3 * z, 1.0).item() == pytest.approx(math.log(1 + 2 / math.e), abs=1e-6)


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_nt_xent_is_equation_1(temperature: float) -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 5, 3))
    z = np.concatenate([first, second])
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    total = 0.0
    for i in range(10):
        j = (i + 5) % 10
        terms = [math.exp(z[i] @ z[k] / temperature) for k in range(10) if k != i]
        total += -math.log(math.exp(z[i] @ z[j] / temperature) / sum(terms))
    got = nt_xent(torch.tensor(first), torch.tensor(second), temperature)
    assert got.item() == pytest.approx(total / 10, abs=1e-9)


def test_vicreg_terms_by_hand() -> None:
    # Dimension 1 has variance 2 (no loss), dimension 2 none: (0 + 1 - sqrt(1e-4)) / 2.
    assert variance_term(torch.tensor([[0.0, 5], [2, 5]])).item() == pytest.approx(0.495, abs=1e-6)
    # Covariance matrix [[2, 2], [2, 2]]: off the diagonal 4 + 4, over d = 2.
    z = torch.tensor([[0.0, 0], [2, 2]])
    assert covariance_term(z).item() == pytest.approx(4)
    # Against itself: no invariance loss, no variance loss, two covariance terms.
    assert vicreg_loss(z, z, 25, 25, 1).item() == pytest.approx(8)
    # Shifted by 1: invariance 1 in every entry, weighted with 25.
    assert vicreg_loss(z, z + 1, 25, 25, 1).item() == pytest.approx(33)


def test_clip_loss_by_hand() -> None:
    logits = clip_logits(2 * torch.eye(2), torch.eye(2), torch.tensor(3.0))
    torch.testing.assert_close(logits, 3 * torch.eye(2))
    # Each row and column: -log(e^3 / (e^3 + 1)).
    assert clip_loss(logits).item() == pytest.approx(math.log(1 + math.exp(-3)), abs=1e-6)
    # Rows and columns differ here: both directions count.
    lopsided = torch.tensor([[1.0, 0], [1, 0]])
    rows = (math.log(1 + math.exp(-1)) + math.log(1 + math.e)) / 2
    columns = math.log(2)
    assert clip_loss(lopsided).item() == pytest.approx((rows + columns) / 2, abs=1e-6)


def test_captions_and_tokens() -> None:
    assert captions("polka_dots")[1] == "a picture of polka dots"
    tokens, vocabulary = tokenize(["a cat", "A", "a small cat"])
    # Words sorted: A 1, a 2, cat 3, small 4; 0 pads.
    assert tokens.tolist() == [[2, 3, 0], [1, 0, 0], [2, 4, 3]]
    assert vocabulary == 5


def test_masks_hide_the_same_number_of_cells_in_every_row() -> None:
    mask = random_mask(50, 16, 0.6, torch.Generator().manual_seed(0))
    assert (mask.sum(1) == 10).all()
    assert len(torch.unique(mask, dim=0)) > 40
    again = random_mask(50, 16, 0.6, torch.Generator().manual_seed(0))
    assert torch.equal(mask, again)


def test_blank_hides_the_masked_cell_alone() -> None:
    images = torch.ones(1, 3, 4, 4)
    mask = torch.tensor([[False, True, False, False]])  # row 0, column 1
    hidden = blank(images, mask, 2)[0, 0]
    assert hidden.tolist() == [[1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1]]
    # Cells are numbered as `patches` numbers them.
    assert (patches(blank(images, mask, 2), 2)[0, 1] == 0).all()


def test_masked_error_by_hand() -> None:
    images = torch.zeros(1, 3, 4, 4)
    images[:, :, :2, 2:] = torch.tensor([[0.0, 1], [1, 0]])  # cell 1; variance 12 * .25 / 11
    mask = torch.tensor([[False, True, False, False]])
    prediction = torch.full((1, 4, 12), 7.0)
    prediction[0, 1] = 0  # only the hidden cell counts
    expected = 0.25 / (3 / 11 + 1e-2)
    assert masked_error(prediction, images, mask).item() == pytest.approx(expected, rel=1e-5)


def test_turn_is_a_rotation_by_quarters() -> None:
    images = torch.rand(4, 3, 5, 5)
    turned = turn(images, torch.arange(4))
    for k in range(4):
        expected = np.rot90(images[k].numpy(), k, (1, 2))
        np.testing.assert_array_equal(turned[k].numpy(), expected)


def _zeroed(name: str, views: torch.Tensor, labels: torch.Tensor) -> tuple[Heads, float]:
    """Return an objective whose heads give 0 everywhere, and its loss on a batch."""
    torch.manual_seed(0)
    encoder = make_encoder("conv_small", 32, 16)
    heads = heads_class(name)(encoder, Task(("a", "b", "c"), 32), default_options(name))
    for parameter in heads.parameters():
        torch.nn.init.zeros_(parameter)
    batch = Batch(lambda: views, labels, torch.Generator().manual_seed(0))
    return heads, heads.step(encoder, batch).loss.item()


def test_losses_of_a_head_that_knows_nothing() -> None:
    views, labels = torch.rand(8, 3, 32, 32) * 2 - 1, torch.arange(8) % 3
    assert _zeroed("supervised", views, labels)[1] == pytest.approx(math.log(3), abs=1e-6)
    assert _zeroed("rotation", views, labels)[1] == pytest.approx(math.log(4), abs=1e-6)
    # All 2 n projections are equal: the positive is one of 2 n - 1.
    assert _zeroed("simclr", views, labels)[1] == pytest.approx(math.log(15), abs=1e-6)
    assert _zeroed("image_text", views, labels)[1] == pytest.approx(math.log(8), abs=1e-6)
    # Embeddings are all 0: only the variance hinge, 25 * (1 - sqrt(1e-4)).
    assert _zeroed("vicreg", views, labels)[1] == pytest.approx(25 * 0.99, abs=1e-4)
    expected = standardize(views).square().mean().item()
    assert _zeroed("denoising", views, labels)[1] == pytest.approx(expected, abs=1e-6)
    assert 0.9 < _zeroed("masked_autoencoder", views, labels)[1] < 1


def test_text_encoder_ignores_padding() -> None:
    encoder = make_encoder("conv_small", 32, 16)
    heads = heads_class("image_text")(
        encoder, Task(("a_b_c", "d"), 32), default_options("image_text")
    )
    tokens = heads.tokens[1]  # the shorter class name: padded
    assert (tokens[:, -2:] == 0).all()
    alone = heads.text(tokens[:, :-2])
    torch.testing.assert_close(heads.text(tokens), alone)
    assert alone.shape[0] == len(TEMPLATES)
