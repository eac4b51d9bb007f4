"""The outline of a breast in the MLO view, and the regions inside it, as soft masks.

Everything is drawn as a left breast (chest wall at column 0); `render` mirrors the right ones.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from evalsvc.domain.dataset import IMAGE_COLUMNS, IMAGE_ROWS
from evalsvc.imaging.phantom.anatomy import Anatomy
from evalsvc.imaging.phantom.texture import GRAIN

Field = NDArray[np.float64]

_UPPER, _LOWER = 2.3, 2.5
"""Exponents of the outline above and below the nipple; 2 would be ellipses."""
_RIM: Final = 26.0
"""Pixels over which the compressed breast reaches its full thickness (about 12 mm)."""


def outline(anatomy: Anatomy) -> Field:
    """For each row of the raw image, how many columns the breast reaches."""
    rows, columns = anatomy.shape
    y = np.arange(rows) / IMAGE_ROWS
    nipple = anatomy.nipple_row
    above = np.clip((nipple - y) / nipple, 0, 1) * (1 - anatomy.shoulder**2) ** (1 / _UPPER)
    below = np.clip((y - nipple) / (anatomy.bottom_row - nipple), 0, 1)
    reach = np.sqrt((1 - above**_UPPER) * (1 - below**_LOWER))
    return np.asarray(np.minimum(anatomy.depth * IMAGE_COLUMNS * reach, columns - 4))


def pectoral_reach(anatomy: Anatomy) -> Field:
    """For each row of the raw image, how many columns the muscle reaches: nearly a straight line."""
    down = np.clip(np.arange(anatomy.shape[0]) / (anatomy.pectoral_row * IMAGE_ROWS), 0, 1)
    return np.asarray(anatomy.pectoral_column * IMAGE_COLUMNS * (1 - down**1.15))


def breast_pixels(anatomy: Anatomy) -> float:
    """Area inside the outline and outside the pectoral muscle, in raw pixels."""
    return float(outline(anatomy).sum() - pectoral_reach(anatomy).sum())


def nipple(anatomy: Anatomy) -> tuple[float, float]:
    """(row, column) in pixels."""
    return anatomy.nipple_row * IMAGE_ROWS, float(outline(anatomy).max())


def breast_mask(anatomy: Anatomy, waves: Field) -> Field:
    """1 inside, 0 outside, smooth over one pixel; `waves` (rows,) displaces the outline a little."""
    reach = outline(anatomy)
    reach = reach + waves * np.minimum(reach, 20) / 20
    mask = np.clip(reach[:, None] - np.arange(anatomy.shape[1])[None, :], 0, 1)
    _add_nipple(mask, anatomy)
    return mask


def depth_from_skin(mask: Field) -> Field:
    """Distance to the skin in pixels."""
    return cv2.distanceTransform((mask > 0.5).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5).astype(np.float64)


def thickness(skin_depth: Field) -> Field:
    """Share of the full compressed thickness: 0 at the skin, 1 well inside."""
    near = np.minimum(skin_depth / _RIM, 1)
    return np.asarray(np.sqrt(near * (2 - near)))


def pectoral_mask(anatomy: Anatomy, waves: Field) -> Field:
    """1 in the muscle, 0 in the breast, soft along its edge, on the grid; `waves` (rows,) displaces the edge."""
    reach = pectoral_reach(anatomy)
    reach = np.where(reach > 0, reach + waves * np.minimum(reach, 30) / 30, -20)[::GRAIN]
    inside = reach[:, None] - np.arange(0, anatomy.shape[1], GRAIN)[None, :]
    return np.asarray(1 / (1 + np.exp(-np.clip(inside, -30, 30) / 3)))


def glandular_prior(anatomy: Anatomy, skin_depth: Field) -> Field:
    """Where fibroglandular tissue tends to be, on the grid, from -2 (nowhere) to 1.

    A cone behind the nipple, that widens and rises towards the chest wall, and keeps off the skin.
    """
    rows, columns = anatomy.shape
    y, x = np.ogrid[0:rows:GRAIN, 0:columns:GRAIN]
    apex_row, apex_column = nipple(anatomy)
    behind = np.clip((apex_column - x) / apex_column, 0, 1)
    across = (y - apex_row + 0.30 * behind * apex_row) / (0.12 * IMAGE_ROWS + 0.42 * behind * apex_row)
    cone = 1 - 0.75 * across**2 - 1.5 * np.maximum(behind - 0.62, 0)
    rim = np.maximum(1 - skin_depth / 34, 0)
    return np.asarray(np.maximum(cone - 2.5 * rim**2, -2.0))


def _add_nipple(mask: Field, anatomy: Anatomy) -> None:
    row, column = (int(position) for position in nipple(anatomy))
    bump = np.zeros(mask.shape, np.uint8)
    cv2.ellipse(bump, (column - 3, row), (6, 9), 0, 0, 360, 1, cv2.FILLED)
    mask[bump > 0] = 1.0
