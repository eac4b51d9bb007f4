"""From an anatomy to the pixels of a raw image, as a detector of 12 bits would store them."""

from typing import Final

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from evalsvc.imaging.phantom import breast
from evalsvc.imaging.phantom.anatomy import Anatomy
from evalsvc.imaging.phantom.lettering import burn_in
from evalsvc.imaging.phantom.texture import GRAIN, Field, clouds, streaks, stretch
from evalsvc.imaging.preprocess import ImageMetadata

STORED_MAX: Final = 4095
_FAINTEST: Final = 0.03
"""Of tissue as displayed: above the air, or the skin would be cut off."""


def render(anatomy: Anatomy, rng: Generator) -> NDArray[np.uint16]:
    """The raw image (rows, columns), text burnt in, mirrored for a right breast, stored as its metadata says."""
    shown = _displayed(anatomy, rng)
    if anatomy.metadata.laterality == "R":
        shown = np.ascontiguousarray(shown[:, ::-1])
    burn_in(shown, f"{anatomy.metadata.laterality} MLO", rng)
    return _stored(shown, anatomy.metadata)


def _displayed(anatomy: Anatomy, rng: Generator) -> Field:
    """The image as it is looked at, 0 (air) to 1, chest wall on the left."""
    waves = _edge_waves(rng, anatomy.shape[0])
    mask = breast.breast_mask(anatomy, waves[0])
    skin_depth = breast.depth_from_skin(mask)
    muscle = breast.pectoral_mask(anatomy, waves[1])
    tissue = stretch(_tissue(anatomy, skin_depth[::GRAIN, ::GRAIN], muscle, rng), anatomy.shape)
    skin = 0.10 * np.exp(-(((skin_depth - 2.2) / 1.4) ** 2))
    exposed = tissue * (0.35 + 0.65 * breast.thickness(skin_depth)) + skin
    exposed = np.clip(anatomy.brightness + anatomy.contrast * exposed, _FAINTEST, 0.97)
    quanta = np.asarray(cv2.GaussianBlur(rng.standard_normal(anatomy.shape), (3, 3), 0.6), dtype=np.float64)
    exposed += 0.016 * quanta * np.sqrt(exposed)
    return np.asarray(np.clip(exposed, _FAINTEST, 0.97) * (mask > 0.3))


def _tissue(anatomy: Anatomy, skin_depth: Field, muscle: Field, rng: Generator) -> Field:
    """Brightness of what is inside the skin, on the grid."""
    region = (skin_depth > 0) * (1 - muscle)
    tissue = _fat(anatomy, skin_depth, rng) + _fibroglandular(anatomy, skin_depth, region, rng)
    tone = 0.55 + 0.03 * clouds(rng, muscle.shape, (1.0, 0.6, 0.5, 0.4, 0.3))
    return np.asarray(tissue * (1 - muscle) + np.maximum(tone, tissue) * muscle)


def _fat(anatomy: Anatomy, skin_depth: Field, rng: Generator) -> Field:
    """Fat, cloudy, with the fine ligaments that run through it."""
    cloud = clouds(rng, skin_depth.shape, (1.0, 0.7, 0.5, 0.45, 0.35, 0.25))
    streak = streaks(rng, skin_depth.shape, _focus(anatomy))
    ligaments = np.exp(-((streak / 0.35) ** 2)) * np.minimum(skin_depth / 40, 1)
    return np.asarray(0.24 + 0.025 * cloud + 0.04 * ligaments)


def _fibroglandular(anatomy: Anatomy, skin_depth: Field, region: Field, rng: Generator) -> Field:
    """Brightness added by fibroglandular tissue, which covers `dense_fraction` of `region` (0 to 1, soft)."""
    merged = 1 / (1 + np.exp(-1.5 * anatomy.confluence))
    coarse = clouds(rng, region.shape, (0.8, 1.0, 0.7, 0.4, 0.22, 0.12))
    streak = streaks(rng, region.shape, _focus(anatomy))
    fine = clouds(rng, region.shape, (0.5, 0.8, 0.8, 0.4))
    scattered = 0.55 * streak + 0.35 * fine
    field = breast.glandular_prior(anatomy, skin_depth) + 0.5 * merged * coarse + (1 - merged) * scattered
    level = np.quantile(field[region > 0.5], 1 - anatomy.dense_fraction)
    cover = 1 / (1 + np.exp(-np.clip((field - level) / (0.20 + 0.06 * merged), -30, 30)))
    lumps = 0.05 * streak + 0.04 * fine
    return np.asarray(cover * (0.30 + 0.04 * merged + (1.2 - merged) * lumps) * region)


def _focus(anatomy: Anatomy) -> tuple[float, float]:
    """The nipple on the grid, where streaks lead."""
    row, column = breast.nipple(anatomy)
    return row / GRAIN, column / GRAIN


def _edge_waves(rng: Generator, rows: int) -> Field:
    """Two smooth displacements (2, rows) of a few pixels, for the outline and the muscle's edge."""
    knots = rng.standard_normal((2, 7)) * np.array([[3.0], [6.0]])
    return np.asarray(cv2.resize(knots, (rows, 2), interpolation=cv2.INTER_CUBIC), dtype=np.float64)


def _stored(shown: Field, metadata: ImageMetadata) -> NDArray[np.uint16]:
    """Undo the display: window and inversion; air falls on, or just beyond, the end of the window."""
    if metadata.photometric_interpretation == "MONOCHROME1":
        shown = 1 - shown
    low = metadata.window_center - metadata.window_width / 2
    values = low + shown * metadata.window_width
    values = np.where(
        shown <= 0, np.floor(low), np.where(shown >= 1, np.ceil(low + metadata.window_width), values)
    )
    return np.asarray(np.clip(np.rint(values), 0, STORED_MAX), dtype=np.uint16)
