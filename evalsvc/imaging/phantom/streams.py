"""Independent random streams, all from one seed: the same numbers in whatever order and process they are drawn."""

from enum import IntEnum
from typing import Final

import numpy as np
from numpy.random import Generator, SeedSequence

from evalsvc.domain.dataset import Split

_SPLITS: Final = {Split.TRAIN: 0, Split.PUBLIC: 1, Split.PRIVATE: 2}


class Stream(IntEnum):
    """What numbers are drawn for; a new purpose gets a new number, so that the others stay as they are."""

    LATENT = 0
    EXPERTS = 1
    ENDPOINTS = 2
    ANATOMY = 3
    PIXELS = 4
    DETECTOR = 5
    FOLDS = 6


def stream(seed: int, split: Split, purpose: Stream, index: int = 0) -> Generator:
    """The generator for one purpose, of one image where `index` counts images."""
    return np.random.default_rng(SeedSequence(seed, spawn_key=(_SPLITS[split], int(purpose), index)))
