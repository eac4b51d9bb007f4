"""The view label that a mammography system burns into an image.

The letters are drawn from strokes of our own: OpenCV's fonts differ between its versions.
"""

from typing import Final

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

_STROKES: Final = {
    "L": [[(0, 0), (0, 6), (3, 6)]],
    "R": [[(0, 6), (0, 0), (3, 0), (4, 1), (4, 2), (3, 3), (0, 3)], [(2, 3), (4, 6)]],
    "M": [[(0, 6), (0, 0), (2, 3), (4, 0), (4, 6)]],
    "O": [[(1, 0), (3, 0), (4, 1), (4, 5), (3, 6), (1, 6), (0, 5), (0, 1), (1, 0)]],
    " ": [],
}
"""Polylines on a grid 4 wide and 6 high."""
_WIDTH: Final = {" ": 0}
_GAP: Final = 1.2


def burn_in(shown: NDArray[np.float64], text: str, rng: Generator) -> None:
    """Write `text` at full brightness, in place, in the upper corner away from the chest wall.

    The chest wall is on the left unless the text starts with R.
    """
    scale = float(rng.uniform(2.2, 3.2))
    length = round(scale * sum(_WIDTH.get(letter, 4) + _GAP for letter in text))
    inset, top = int(rng.integers(6, 16)), int(rng.integers(10, 26))
    left = inset if text.startswith("R") else shown.shape[1] - inset - length
    ink = np.zeros(shown.shape, np.uint8)
    for letter in text:
        for stroke in _STROKES[letter]:
            points = np.rint(np.array(stroke) * scale).astype(np.int32) + np.array([left, top], np.int32)
            cv2.polylines(ink, [points], isClosed=False, color=1, thickness=2)
        left += round(scale * (_WIDTH.get(letter, 4) + _GAP))
    shown[ink > 0] = 1.0
