"""Percent density and dense area of a preprocessed image: a simple estimator, to compare models with.

It finds the breast, leaves out the pectoral muscle, and calls dense what is clearly brighter than the breast's own
fat.  It is no replacement for a calibrated reader: it knows nothing of the compressed thickness or the dose.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

PIXEL_CM2: Final = (0.007 * 4096 / 632) ** 2
"""Area of a pixel: 0.07 mm detector pixels (assumed: no label file gives the spacing), 4096 rows made 632.

The smaller published originals, 3328 rows to 514, have the same scale within 0.2%.
"""

_STEP: Final = 4
"""The muscle's edge is sought on every fourth pixel."""
_SMALLEST: Final = 10
"""Points of that grid; a smaller breast has no muscle that could be found."""
_FAT_QUANTILE: Final = 0.25
_DENSE_RATIO: Final = 1.6


@dataclass(frozen=True)
class Density:
    """Areas in cm2; `percent` is dense area per breast area, 0 to 100.  The muscle belongs to neither."""

    percent: float
    dense_area: float
    breast_area: float


def measure_density(image: NDArray[np.uint8]) -> Density:
    """Density of one preprocessed 8-bit image (rows, columns), chest wall on the left; zeros if it shows nothing.

    Dense is what is at least 1.6 times as bright as the fat, which is taken to be the 25th percentile of the
    breast's smoothed brightness: a ratio to the breast's own fat does not change with the exposure.
    """
    breast = breast_mask(image)
    breast &= ~pectoral_mask(image, breast)
    area = int(breast.sum())
    if area == 0:
        return Density(0.0, 0.0, 0.0)
    smooth = cv2.GaussianBlur(image, (5, 5), 0)
    fat = float(np.quantile(smooth[breast], _FAT_QUANTILE))
    dense = int((smooth[breast] >= _DENSE_RATIO * fat).sum())
    return Density(100 * dense / area, dense * PIXEL_CM2, area * PIXEL_CM2)


def breast_mask(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The largest connected area above 0, without holes."""
    contours, _ = cv2.findContours((image > 0).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    mask = np.zeros(image.shape, np.uint8)
    if contours:
        cv2.drawContours(mask, [max(contours, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    return mask.astype(np.bool_)


def pectoral_mask(image: NDArray[np.uint8], breast: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The triangle at the upper left of `breast` whose slanted edge has the sharpest drop in brightness across it.

    Of a grid of candidates; empty when none has brighter pixels within than beyond its edge.
    """
    top, left, height, width = _box(breast)
    small = cv2.blur(image, (9, 9)).astype(np.float32)[top::_STEP, left::_STEP]
    tall, wide = height // _STEP, width // _STEP
    best, edge = 0.0, (0.0, 0.0)
    if min(tall, wide) < _SMALLEST:
        return np.zeros(image.shape, np.bool_)
    for down in np.linspace(0.20, 0.85, 14) * tall:
        for across in np.linspace(0.15, 0.85, 15) * wide:
            drop = _drop_across(small, down, across)
            if drop > best:
                best, edge = drop, (down * _STEP, across * _STEP)
    mask = np.zeros(image.shape, np.uint8)
    if best > 0:
        corners = [(left, top), (left + round(edge[1]), top), (left, top + round(edge[0]))]
        cv2.fillPoly(mask, [np.array(corners, np.int32)], 1)
    return mask.astype(np.bool_)


def _drop_across(small: NDArray[np.float32], down: float, across: float) -> float:
    """Mean brightness just inside the line from (0, across) to (down, 0), less the mean just beyond it."""
    along = np.linspace(0.08, 0.92, 24)
    rows, columns = along * down, (1 - along) * across
    length = float(np.hypot(down, across))
    step_row, step_column = 2 * across / length, 2 * down / length
    inside = small[(rows - step_row).clip(0).astype(int), (columns - step_column).clip(0).astype(int)]
    limit_row, limit_column = small.shape[0] - 1, small.shape[1] - 1
    beyond_row = np.minimum(rows + step_row, limit_row).astype(int)
    beyond_column = np.minimum(columns + step_column, limit_column).astype(int)
    return float(np.minimum(inside - small[beyond_row, beyond_column], 40).mean())


def _box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Top, left, height, width of what is set; zeros if nothing is."""
    left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return top, left, height, width
