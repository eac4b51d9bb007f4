"""From a 16-bit raw mammogram to the 8-bit image that models see: the published steps, one small function each.

Every function takes and returns arrays of shape (rows, columns) and changes none of its arguments.  Step 1, the
resizing of the original, is in `evalsvc.imaging.raw`; the numbers are those of docs/data.md.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from evalsvc.domain.dataset import IMAGE_COLUMNS, IMAGE_ROWS
from evalsvc.domain.errors import InputError

Grey8 = NDArray[np.uint8]
Grey16 = NDArray[np.uint16]
Contour = NDArray[np.int32]
"""Points (x, y), of shape (n, 1, 2), as OpenCV gives them."""


@dataclass(frozen=True)
class ImageMetadata:
    """What the DICOM header says of one image: `laterality` is L or R."""

    laterality: str
    window_center: float
    window_width: float
    photometric_interpretation: str


@dataclass(frozen=True)
class TextRemoval:
    """How burnt-in text is found: side of the dilating square, and the areas (pixels, exclusive) it may have."""

    kernel: int = 10
    min_area: float = 10
    max_area: float = 10_000
    skip: bool = False


DEFAULT_REMOVAL: Final = TextRemoval()


def preprocess(raw: Grey16, metadata: ImageMetadata, removal: TextRemoval = DEFAULT_REMOVAL) -> Grey8:
    """Steps 2 to 7.  Returns 632 x 512; raises `InputError` when nothing is brighter than the background."""
    image = window(point_right(raw, metadata.laterality), metadata.window_center, metadata.window_width)
    # The published order: the air value is the minimum before the inversion.
    air = int(image.min())
    image = invert_if_needed(image, metadata.photometric_interpretation)
    image = fit(centre_on(image, centroid_column(breast_contour(image)), air))
    return image if removal.skip else remove_text(image, air, removal)


def point_right(image: Grey16, laterality: str) -> Grey16:
    """Step 2: right breasts are mirrored, so that every chest wall is on the left."""
    return np.ascontiguousarray(image[:, ::-1]) if laterality == "R" else image


def window(image: Grey16, center: float, width: float) -> Grey8:
    """Step 3: clip to [center - width/2, center + width/2], scale linearly to [0, 255], truncate."""
    low, high = center - width / 2, center + width / 2
    stored = np.arange(int(image.max()) + 1, dtype=np.float64)
    shown = ((np.clip(stored, low, high) - low) / (high - low) * 255).astype(np.uint8)
    return shown[image]


def invert_if_needed(image: Grey8, photometric_interpretation: str) -> Grey8:
    """Step 4: MONOCHROME1 stores dense tissue dark."""
    return (
        cv2.bitwise_not(image).astype(np.uint8, copy=False)
        if photometric_interpretation == "MONOCHROME1"
        else image
    )


def breast_contour(image: Grey8) -> Contour:
    """Step 5: the largest external contour of "pixel > 0"."""
    largest = max(_contours(_above_zero(image)), key=cv2.contourArea, default=None)
    if largest is None or cv2.contourArea(largest) == 0:
        raise InputError("no breast found: nothing is brighter than the background; check the window.")
    return largest


def centroid_column(contour: Contour) -> int:
    """Step 5: the x of the contour's centre of mass, truncated."""
    moments = cv2.moments(contour)
    return int(moments["m10"] / moments["m00"])


def centre_on(image: Grey8, column: int, air: int) -> Grey8:
    """Step 6: pad on one side with the air value until `column` is the middle column (columns // 2)."""
    shift = image.shape[1] - 2 * column
    left, right = (shift, 0) if shift > 0 else (0, -shift)
    return np.pad(image, ((0, 0), (left, right)), constant_values=air)


def fit(image: Grey8, rows: int = IMAGE_ROWS, columns: int = IMAGE_COLUMNS) -> Grey8:
    """Step 6: crop around the centre, and pad with zeros where the image is smaller, to exactly rows x columns."""
    top, left = (max(0, (have - want) // 2) for have, want in zip(image.shape, (rows, columns), strict=True))
    cropped = image[top : top + rows, left : left + columns]
    above, before = (rows - cropped.shape[0]) // 2, (columns - cropped.shape[1]) // 2
    fitted = np.zeros((rows, columns), np.uint8)
    fitted[above : above + cropped.shape[0], before : before + cropped.shape[1]] = cropped
    return fitted


def remove_text(image: Grey8, air: int, removal: TextRemoval) -> Grey8:
    """Step 7: paint the burnt-in text, where there is any, with the air value."""
    text = text_contour(image, removal)
    return image if text is None else cv2.drawContours(image.copy(), [text], -1, air, cv2.FILLED).astype(np.uint8)


def text_contour(image: Grey8, removal: TextRemoval) -> Contour | None:
    """The outline of what is taken for text, None if nothing is; the highest one where two reach equally far.

    Letters are merged by dilation; what starts below the lowest point of the breast at the chest wall is not text.
    """
    breast = breast_contour(image)
    rest = cv2.drawContours(_above_zero(image), [breast], -1, 0, cv2.FILLED).astype(np.uint8)
    merged = cv2.dilate(rest, np.ones((removal.kernel, removal.kernel), np.uint8)).astype(np.uint8)
    points = breast[:, 0, :]
    lowest = int(points[points[:, 0] == points[:, 0].min(), 1].max())
    candidates = [
        (x + width, -y, contour)
        for contour in _contours(merged)
        for x, y, width, _ in [cv2.boundingRect(contour)]
        if removal.min_area < cv2.contourArea(contour) < removal.max_area and y <= lowest
    ]
    return max(candidates, key=lambda candidate: candidate[:2], default=(0, 0, None))[2]


def _above_zero(image: Grey8) -> Grey8:
    return (image > 0).astype(np.uint8)


def _contours(mask: Grey8) -> list[Contour]:
    found, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [contour.astype(np.int32, copy=False) for contour in found]
