"""``digits``: the 1,797 8×8 grey images of handwritten digits that come with scikit-learn.

Source: Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository
(1998). Pixels are whole numbers 0..16; they become ``(255 * value + 8) // 16``, which is 255·value/16 rounded
to the nearest whole number, halves up. 0 stays 0, 16 becomes 255, and all 17 values stay distinct.
"""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

from trials.data.dataset import SPLIT_SEED, Source, stratify

CLASSES = 10
TEST_FRACTION = 0.2
"""scikit-learn's copy has no test set: this share of each class is set apart, always the same images."""


def read(test: bool) -> Source:
    """The 1,438 training images and, if asked for, the 359 test images."""
    bunch = load_digits()
    images = ((255 * bunch.images.astype(np.int64) + 8) // 16).astype(np.uint8)[..., None]
    labels = bunch.target.astype(np.int64)
    train, held = stratify(labels, TEST_FRACTION, SPLIT_SEED + 2)
    if not test:
        return Source("digits", CLASSES, images[train], labels[train])
    return Source("digits", CLASSES, images[train], labels[train], images[held], labels[held])
