"""Image-text contrast: an image and its caption attract, other captions and images repel.

Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021
(arXiv 2103.00020), figure 3: symmetric cross-entropy over the cosine similarities of a batch, times
a learned scale exp(t), t = log(1 / 0.07) at first, the scale at most 100.

Captions are made from class names by templates, so equal captions can meet in a batch; as in CLIP
they count as negatives of each other's images. Two data sets that share a class name share its
captions: unlike the supervised objective, this one is told that a 3 is a 3 in both.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from simcons.models.zoo import heads
from simcons.models.zoo.architectures import Encoder, TransformerBlock

OPTIONS: dict[str, float] = {"embedding_dim": 64, "text_width": 64, "max_scale": 100.0}
TEMPLATES = (
    "{}",
    "a picture of {}",
    "an image of the class {}",
    "this is {}",
    "one can see {} here",
    "a small picture that shows {}",
)
PADDING = 0


def captions(class_name: str) -> list[str]:
    """Return a class's captions, one per template; ``_`` in a name becomes a space."""
    return [template.format(class_name.replace("_", " ")) for template in TEMPLATES]


def tokenize(texts: list[str]) -> tuple[Tensor, int]:
    """Return the words of texts as numbers (n, longest), padded with 0, and the vocabulary's size.

    The case of letters is kept: ``a`` is an article and ``A`` the class of a letter.
    """
    words = [text.split() for text in texts]
    vocabulary = {word: i + 1 for i, word in enumerate(sorted({w for ws in words for w in ws}))}
    tokens = torch.full((len(texts), max(map(len, words))), PADDING)
    for row, ws in enumerate(words):
        tokens[row, : len(ws)] = torch.tensor([vocabulary[w] for w in ws])
    return tokens, len(vocabulary) + 1


def clip_logits(images: Tensor, texts: Tensor, scale: Tensor) -> Tensor:
    """Return the scaled cosine similarities (n, n) of image and text embeddings (n, p) each."""
    return scale * functional.normalize(images, dim=1) @ functional.normalize(texts, dim=1).T


def clip_loss(logits: Tensor) -> Tensor:
    """Return the mean of both directions' cross-entropy; row i belongs to column i."""
    labels = torch.arange(len(logits))
    return (
        functional.cross_entropy(logits, labels) + functional.cross_entropy(logits.T, labels)
    ) / 2


class TextEncoder(nn.Module):
    """Word and position embeddings, one transformer block, mean over the words, a projection."""

    def __init__(self, vocabulary: int, length: int, width: int, out: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, width)
        self.positions = nn.Parameter(0.02 * torch.randn(length, width))
        self.block = TransformerBlock(width, n_heads=max(1, width // 16), ratio=2)
        self.norm = nn.LayerNorm(width)
        self.projection = nn.Linear(width, out)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return embeddings (n, out) of tokens (n, at most ``length``)."""
        present = (tokens != PADDING).unsqueeze(2)
        hidden = self.words(tokens) + self.positions[: tokens.shape[1]]
        hidden = self.norm(self.block(hidden, present[:, None, None, :, 0]))
        return self.projection((hidden * present).sum(1) / present.sum(1))


class Heads(heads.Heads):
    """A linear image projection, a text encoder, and the learned scale."""

    tokens: Tensor

    def make(self, encoder: Encoder) -> None:
        """Make the modules."""
        out = int(self.options["embedding_dim"])
        tokens, vocabulary = tokenize([c for name in self.task.class_names for c in captions(name)])
        self.register_buffer("tokens", tokens.view(self.task.n_classes, len(TEMPLATES), -1))
        self.image_projection = nn.Linear(encoder.feature_dim, out)
        width = int(self.options["text_width"])
        self.text = TextEncoder(vocabulary, tokens.shape[1], width, out)
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def step(self, encoder: Encoder, batch: heads.Batch) -> heads.Step:
        """Return CLIP's loss of a batch, a template drawn for each image."""
        choice = torch.randint(len(TEMPLATES), batch.labels.shape, generator=batch.generator)
        texts = self.text(self.tokens[batch.labels, choice])
        images = self.image_projection(encoder(batch.view()))
        scale = self.log_scale.exp().clamp(max=self.options["max_scale"])
        return heads.Step(clip_loss(clip_logits(images, texts, scale)))
