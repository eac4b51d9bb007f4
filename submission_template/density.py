"""A worked example: percent density, the share of the breast that is dense tissue.  Replace it by your model."""

import cv2
import numpy as np


def load_model() -> None:
    """Called once, before the first image.  Load your weights here, from a file that is inside the image."""


def score_image(model: None, image: np.ndarray) -> float:
    """Percent density (0-100) of an 8-bit grey image; dense tissue hides tumours, so higher means more masking.

    Dense is what is at least 1.6 times as bright as fat, the 25th percentile of the breast without the muscle.
    """
    outline = breast_mask(image)
    breast = outline & ~pectoral_mask(image, outline)
    if not breast.any():
        return 0.0
    brightness = cv2.GaussianBlur(image, (5, 5), 0)[breast]
    dense = brightness >= 1.6 * np.quantile(brightness, 0.25)
    return 100 * float(dense.mean())


def breast_mask(image: np.ndarray) -> np.ndarray:
    """The largest connected area above 0, without holes."""
    contours, _ = cv2.findContours((image > 0).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    mask = np.zeros(image.shape, np.uint8)
    if contours:
        cv2.drawContours(mask, [max(contours, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    return mask > 0


def pectoral_mask(image: np.ndarray, breast: np.ndarray) -> np.ndarray:
    """The muscle: of many triangles at the breast's upper left, the one whose slanted edge is the sharpest."""
    left, top, width, height = cv2.boundingRect(breast.astype(np.uint8))
    mask = np.zeros(image.shape, np.uint8)
    if min(width, height) < 40:
        return mask > 0
    small = cv2.blur(image, (9, 9)).astype(np.float32)[top::4, left::4]
    edges = [
        (down, across)
        for down in np.linspace(0.20, 0.85, 14) * (height // 4)
        for across in np.linspace(0.15, 0.85, 15) * (width // 4)
    ]
    drops = [drop_across(small, down, across) for down, across in edges]
    if max(drops) > 0:
        down, across = edges[int(np.argmax(drops))]
        corners = [(left, top), (left + round(across * 4), top), (left, top + round(down * 4))]
        cv2.fillPoly(mask, [np.array(corners, np.int32)], 1)
    return mask > 0


def drop_across(small: np.ndarray, down: float, across: float) -> float:
    """How much darker it is just beyond the line from (0, across) to (down, 0) than just before it."""
    along = np.linspace(0.08, 0.92, 24)
    row, column = along * down, (1 - along) * across
    step = 2 * np.array([across, down]) / np.hypot(down, across)
    limits = np.array(small.shape) - 1
    before = small[np.maximum(row - step[0], 0).astype(int), np.maximum(column - step[1], 0).astype(int)]
    beyond_row = np.minimum(row + step[0], limits[0]).astype(int)
    beyond_column = np.minimum(column + step[1], limits[1]).astype(int)
    return float(np.minimum(before - small[beyond_row, beyond_column], 40).mean())
