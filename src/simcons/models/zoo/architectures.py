"""Small encoders for 32 x 32 images: two residual convnets, a plain one, two vision transformers.

Each standardises the image (its brightness and contrast are no part of what it shows), reduces it
by 8 to a grid of features and averages the grid. What belongs here: network definitions and their
initialisation; nothing about objectives or training.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from simcons.models.zoo.sizes import ARCHITECTURES, STRIDE


class Encoder(nn.Module):
    """An image encoder whose representation is the mean over its feature map.

    Parameters
    ----------
    body
        Images (n, 3, s, s) to a feature map (n, feature_dim, grid, grid).
    feature_dim
        Channels of the feature map.
    grid
        Cells of the feature map a side.
    """

    def __init__(self, body: nn.Module, feature_dim: int, grid: int) -> None:
        super().__init__()
        self.body = body
        self.feature_dim = feature_dim
        self.grid = grid

    def feature_map(self, images: Tensor) -> Tensor:
        """Return the feature map (n, feature_dim, grid, grid)."""
        return self.body(standardize(images))

    def forward(self, images: Tensor) -> Tensor:
        """Return pooled features (n, feature_dim)."""
        return self.feature_map(images).mean((2, 3))


def standardize(images: Tensor) -> Tensor:
    """Return images (n, 3, s, s) with mean 0 and variance 1 each, over all pixels and channels.

    As the contrast normalisation of Coates, Ng, Lee (AISTATS 2011), section 3.1, for whole images;
    the constant in the root keeps the noise of a flat image small.
    """
    return functional.group_norm(images, 1, eps=1e-3)


def conv_norm(fan_in: int, fan_out: int, stride: int = 1) -> nn.Sequential:
    """Return a 3 x 3 convolution with batch normalisation."""
    conv = nn.Conv2d(fan_in, fan_out, 3, stride, 1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(fan_out))


class Residual(nn.Module):
    """Two 3 x 3 convolutions around a skip connection (He et al. 2016, arXiv 1512.03385)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = conv_norm(width, width)
        self.second = conv_norm(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return relu(x + f(x)) of a map (n, width, h, w)."""
        return functional.relu(x + self.second(functional.relu(self.first(x))))


def residual_convnet(width: int) -> tuple[nn.Module, int]:
    """Return three stride-2 convolutions (the first is the stem) and a residual block."""
    wide = 4 * width
    layers = [conv_norm(3, width, 2), nn.ReLU(), conv_norm(width, 2 * width, 2), nn.ReLU()]
    layers += [conv_norm(2 * width, wide, 2), nn.ReLU(), Residual(wide)]
    return nn.Sequential(*layers), wide


def plain_convnet(width: int) -> tuple[nn.Module, int]:
    """Return a stack of convolutions with neither skips nor a wide end."""
    widths = [3, width, 2 * width, 3 * width, 3 * width, 3 * width]
    layers: list[nn.Module] = []
    pairs = pairwise(widths)
    for (fan_in, fan_out), stride in zip(pairs, (2, 2, 2, 1, 1), strict=True):
        layers += [conv_norm(fan_in, fan_out, stride), nn.ReLU()]
    return nn.Sequential(*layers), 3 * width


class TransformerBlock(nn.Module):
    """Pre-norm self-attention and MLP (Dosovitskiy et al. 2021, arXiv 2010.11929, eq. 2 and 3)."""

    def __init__(self, width: int, n_heads: int, ratio: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, ratio * width), nn.Linear(ratio * width, width)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return tokens (n, t, width); ``mask`` (n, 1, 1, t) is True where a token is there."""
        n, t, width = x.shape
        heads = self.qkv(self.norm_1(x)).view(n, t, 3, self.n_heads, width // self.n_heads)
        q, k, v = heads.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = x + self.out(mixed.transpose(1, 2).reshape(n, t, width))
        return x + self.down(functional.gelu(self.up(self.norm_2(x))))


class VisionTransformer(nn.Module):
    """A transformer on the cells of a convolutional stem; its output is a map of tokens.

    Three stride-2 convolutions cut the image into cells instead of one 8 x 8 patch embedding (Xiao
    et al. 2021, "Early Convolutions Help Transformers See Better", arXiv 2106.14881; Hassani et al.
    2021, arXiv 2104.05704): with patches nothing was learned in the few epochs that there are. No
    class token: the map is pooled like a convnet's.
    """

    def __init__(self, width: int, depth: int, grid: int) -> None:
        super().__init__()
        stem = [conv_norm(3, width // 4, 2), nn.ReLU(), conv_norm(width // 4, width // 2, 2)]
        stem += [nn.ReLU(), conv_norm(width // 2, width, 2), nn.ReLU()]
        self.stem = nn.Sequential(*stem)
        # The tokens are of scale 1: positions of the usual scale 0.02 went unnoticed for epochs.
        self.positions = nn.Parameter(0.5 * torch.randn(1, grid * grid, width))
        blocks = [TransformerBlock(width, max(1, width // 32), ratio=2) for _ in range(depth)]
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.LayerNorm(width)

    def forward(self, images: Tensor) -> Tensor:
        """Return the map of tokens (n, width, grid, grid) of images (n, 3, s, s)."""
        cells = self.stem(images)
        tokens = cells.flatten(2).transpose(1, 2) + self.positions
        return self.norm(self.blocks(tokens)).transpose(1, 2).reshape(cells.shape)


def _vit(width: int, depth: int, grid: int) -> tuple[nn.Module, int]:
    return VisionTransformer(width, depth, grid), width


# Name -> builder of (body, feature_dim) from width and grid.
_BUILDERS: dict[str, Callable[[int, int], tuple[nn.Module, int]]] = {
    "conv_plain": lambda width, grid: plain_convnet(width),
    "conv_small": lambda width, grid: residual_convnet(width),
    "conv_wide": lambda width, grid: residual_convnet(width),
    "vit_small": lambda width, grid: _vit(width, 2, grid),
    "vit_wide": lambda width, grid: _vit(width, 2, grid),
}
assert _BUILDERS.keys() == ARCHITECTURES.keys()


def make_encoder(architecture: str, image_size: int, width: int | None = None) -> Encoder:
    """Return an encoder, initialised from torch's current random state.

    Convolutions start with He et al. (2015, arXiv 1502.01852), equation 10, so that an untrained
    net keeps the scale of its input; linear layers with Xavier's uniform and no bias, as ViTs do.
    """
    grid = image_size // STRIDE
    body, feature_dim = _BUILDERS[architecture](width or ARCHITECTURES[architecture].width, grid)
    for module in body.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    return Encoder(body, feature_dim, grid)
