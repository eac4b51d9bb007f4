"""A worked example: percent density, the share of the breast that is dense tissue.  Replace it by your model."""

import cv2
import numpy as np


def load_model() -> None:
    """Called once, before the first image.  Load your weights here, from a file that is inside the image."""


def score_image(model: None, image: np.ndarray) -> float:
    """Percent density (0-100) of an 8-bit grey image; dense tissue hides tumours, so higher means more masking."""
    breast = largest_region(image > 0)
    if not breast.any():
        return 0.0
    threshold, _ = cv2.threshold(image[breast], 0, 255, cv2.THRESH_OTSU)
    return 100.0 * float(np.mean(image[breast] > threshold))


def largest_region(mask: np.ndarray) -> np.ndarray:
    """The largest connected region of a boolean mask, as a boolean mask."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count == 1:
        return mask
    return labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
