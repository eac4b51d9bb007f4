"""Step 1 of the preprocessing: from an original's stored pixels to the 16-bit raw image that steps 2 to 7 take."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from evalsvc.domain.dataset import IMAGE_COLUMNS, IMAGE_ROWS

RAW_SHAPES: Final = {(4096, 3328): (IMAGE_ROWS, IMAGE_COLUMNS), (3328, 2560): (514, 394)}
"""(rows, columns) of the two published originals -> of their raw images: one scale, about 0.45 mm a pixel."""


def raw_shape(rows: int, columns: int) -> tuple[int, int]:
    """The (rows, columns) of the raw image.

    An original of another size is fitted into 632 x 512 with its aspect kept; one that fits already stays as it is
    (so a raw PNG is its own raw image).
    """
    if (rows, columns) in RAW_SHAPES:
        return RAW_SHAPES[rows, columns]
    scale = min(1.0, IMAGE_ROWS / rows, IMAGE_COLUMNS / columns)
    return max(1, round(rows * scale)), max(1, round(columns * scale))


def resize_to_raw(stored: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Bilinear interpolation, without smoothing first, as published."""
    rows, columns = raw_shape(*stored.shape)
    if stored.shape == (rows, columns):
        return stored
    return cv2.resize(stored, (columns, rows), interpolation=cv2.INTER_LINEAR).astype(np.uint16, copy=False)
