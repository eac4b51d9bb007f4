"""Random fields with the look of breast tissue: cloudy power-law noise, and streaks that run to the nipple.

They are drawn on a grid of every second pixel, and stretched once at the end.  All in float64: images must be the
same on every processor, and float32 leaves room for its rounding to show.
"""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Field = NDArray[np.float64]

GRAIN: Final = 2
"""Pixels per grid point."""
_ANGLES, _RADII = 360, 96
"""Grid of the half plane around the nipple that streaks are drawn on."""
_BEHIND_FOCUS: Final = 20
"""Grid points: lines meet a little outside the breast, or they would crowd at the nipple."""


def stretch(field: Field, shape: tuple[int, int]) -> Field:
    """A field on the grid, on the pixels of an image of `shape`."""
    size = field.shape[1] * GRAIN, field.shape[0] * GRAIN
    return _float64(cv2.resize(field, size, interpolation=cv2.INTER_LINEAR))[: shape[0], : shape[1]]


def clouds(rng: Generator, shape: tuple[int, int], amplitudes: Sequence[float]) -> Field:
    """Noise of zero mean and unit variance on a grid of `shape`: a sum of octaves, the coarsest first.

    The last octave has a grain of one grid point, the one before of two, and so on.
    """
    field = np.zeros((2, 2))
    for fineness, amplitude in zip(range(len(amplitudes) - 1, -1, -1), amplitudes, strict=True):
        rows, columns = (-(-side // 2**fineness) + 2 for side in shape)
        field = _float64(cv2.resize(field, (columns, rows), interpolation=cv2.INTER_CUBIC))
        if amplitude:
            field += amplitude * rng.standard_normal((rows, columns))
    field = field[: shape[0], : shape[1]]
    field -= field.mean()
    return np.asarray(field / np.sqrt(np.mean(field * field)))


def streaks(rng: Generator, shape: tuple[int, int], focus: tuple[float, float]) -> Field:
    """Noise of about unit variance, drawn out along lines to `focus` (row, column) that wander a little."""
    polar = clouds(rng, (_ANGLES, _RADII), (0.6, 0.8, 1.0, 0.9, 0.6))
    row, column = np.ogrid[0 : shape[0], 0 : shape[1]]
    y, x = row - focus[0], focus[1] + _BEHIND_FOCUS - column
    bend = 6 * clouds(rng, shape, (1.0, 0.7, 0.3, 0.1, 0, 0))
    angle = _ANGLES * (np.arctan2(y, x) / np.pi + 0.5) + bend
    radius = np.hypot(y, x) / 6
    return _float64(
        cv2.remap(
            polar,
            np.clip(radius, 0, _RADII - 1).astype(np.float32),
            np.clip(angle, 0, _ANGLES - 1).astype(np.float32),
            cv2.INTER_LINEAR,
        )
    )


def _float64(field: object) -> Field:
    """OpenCV keeps the type of what it is given, but does not say so."""
    return np.asarray(field, dtype=np.float64)
