"""scikit-learn's handwritten digits: 1,797 images of 8 x 8 pixels with 17 grey levels."""

from __future__ import annotations

import numpy as np

from simcons.datasets.builders._common import SplitOptions, split_images
from simcons.datasets.shard_writer import LabelledImages

OPTIONS = SplitOptions


def build(options: SplitOptions) -> LabelledImages:
    """Return the digits, grey levels 0 to 16 spread over 0 to 255."""
    from sklearn.datasets import load_digits

    data = load_digits()
    images = np.rint(data.images * (255 / 16)).astype(np.uint8)
    return split_images(images, data.target.astype(np.int64), options)
