"""One woman's breast as numbers: how large, how much fibroglandular tissue, how it is arranged, how it was imaged.

The latent enters twice, as the amount of fibroglandular tissue and as its arrangement, which are independent of
each other: density alone explains a part of the masking, and a model that reads texture can do better.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator

from evalsvc.imaging.preprocess import ImageMetadata

PIXEL_CM: Final = 0.007 * 4096 / 632
"""Side of a raw image's pixel: a 0.07 mm detector pixel (the usual one), reduced from 4096 to 632 rows."""

_AMOUNT_WEIGHT: Final = 0.70
"""Correlation of the latent with the amount of fibroglandular tissue; the arrangement has the rest."""


@dataclass(frozen=True)
class Anatomy:
    """What `render` draws.  Lengths are fractions of the canvas of 632 rows x 512 columns, chest wall on the left.

    depth, nipple_row, bottom_row, shoulder
        The outline: how far the breast reaches, where, where it ends, and how far it reaches at the top edge.
    pectoral_column, pectoral_row
        Where the edge of the pectoral muscle meets the top and the chest wall.
    dense_fraction
        Fibroglandular share of the breast's area.
    confluence
        Standard normal; high: confluent sheets that could hide a tumour, low: scattered strands in fat.
    brightness, contrast
        Of the exposure; 0 and 1 on average.
    """

    small: bool
    depth: float
    nipple_row: float
    bottom_row: float
    shoulder: float
    pectoral_column: float
    pectoral_row: float
    dense_fraction: float
    confluence: float
    brightness: float
    contrast: float
    metadata: ImageMetadata

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of the raw image."""
        return (514, 394) if self.small else (632, 512)


@dataclass(frozen=True)
class Libra:
    """What an automated density reader would report: percent, cm2, cm2."""

    percent_density: float
    dense_area: float
    breast_area: float


def draw_anatomy(latent: float, rng: Generator) -> Anatomy:
    """A woman with this masking potential."""
    spread = float(np.sqrt(1 - _AMOUNT_WEIGHT**2))
    chance = float(rng.standard_normal())
    amount = _AMOUNT_WEIGHT * latent + spread * chance
    confluence = spread * latent - _AMOUNT_WEIGHT * chance
    small = bool(rng.random() < 0.25)
    # Dense breasts tend to be smaller ones; the smaller detector is used for smaller breasts.
    depth = float(np.clip(0.56 - 0.03 * amount + rng.normal(0, 0.08), 0.36, 0.82)) * (0.76 if small else 1.0)
    size = 0.80 if small else 1.0
    return Anatomy(
        small=small,
        depth=depth,
        nipple_row=size * float(rng.uniform(0.52, 0.64)),
        bottom_row=size * float(rng.uniform(0.86, 0.96)),
        shoulder=float(rng.uniform(0.45, 0.72)),
        pectoral_column=depth * float(rng.uniform(0.42, 0.66)),
        pectoral_row=size * float(rng.uniform(0.42, 0.66)),
        dense_fraction=float(0.02 + 0.72 / (1 + np.exp(1.25 - 0.95 * amount))),
        confluence=confluence,
        brightness=float(rng.normal(0, 0.03)),
        contrast=float(np.exp(rng.normal(0, 0.08))),
        metadata=_metadata(small, rng),
    )


def measure_like_libra(anatomy: Anatomy, rng: Generator) -> Libra:
    """The density columns of a label file: the anatomy's own numbers, read with an error.

    The outline's area is that of `breast.outline`, without the pectoral muscle.
    """
    from evalsvc.imaging.phantom.breast import breast_pixels

    area = breast_pixels(anatomy) * PIXEL_CM**2 * float(np.exp(rng.normal(0, 0.03)))
    odds = anatomy.dense_fraction / (1 - anatomy.dense_fraction) * float(np.exp(rng.normal(0, 0.25)))
    percent = 100 * odds / (1 + odds)
    return Libra(round(percent, 4), round(area * percent / 100, 4), round(area, 4))


def _metadata(small: bool, rng: Generator) -> ImageMetadata:
    """Mostly the common window; the smaller detector's vendors have others, and may store dense tissue dark."""
    laterality = "L" if rng.random() < 0.5 else "R"
    usual = rng.random() < (0.4 if small else 0.8)
    center, width = (2047, 4096) if usual else (int(rng.integers(1900, 2300)), int(rng.integers(2800, 3700)))
    inverted = rng.random() < (0.3 if small else 0.04)
    return ImageMetadata(laterality, center, width, "MONOCHROME1" if inverted else "MONOCHROME2")
