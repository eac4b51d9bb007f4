"""The women of a split: who they are, and the label file that describes them.  No pixel is drawn here."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from evalsvc.domain.dataset import Split
from evalsvc.domain.labels import LabelRow, LabelTable
from evalsvc.imaging.phantom import experts
from evalsvc.imaging.phantom.anatomy import Anatomy, draw_anatomy, measure_like_libra
from evalsvc.imaging.phantom.endpoints import PUBLISHED, Endpoints, choose_cases
from evalsvc.imaging.phantom.streams import Stream, stream


@dataclass(frozen=True)
class StandIn:
    """Which stand-in: everything follows from these.  `images` caps each split; None is the published size."""

    seed: int = 0
    images: int | None = None


@dataclass(frozen=True)
class Women:
    """One split's women, in file order.  `latent` is the masking potential that labels and images follow."""

    split: Split
    latent: NDArray[np.float64]
    anatomies: tuple[Anatomy, ...]
    table: LabelTable


@dataclass(frozen=True)
class _Marks:
    """What the experts say, in the split's own form: levels (images,) or None, experts' columns (images, k)."""

    level: NDArray[np.int64] | None
    experts: NDArray[np.int64]


def draw_women(stand_in: StandIn, split: Split) -> Women:
    """All women of a split, with their labels."""
    published = PUBLISHED[split]
    plan = published.scaled(published.images if stand_in.images is None else stand_in.images)
    latent = _latents(stand_in.seed, split, plan.images)
    endpoints = choose_cases(latent, plan.cases, stream(stand_in.seed, split, Stream.ENDPOINTS))
    marks = _draw_marks(latent, split, stream(stand_in.seed, split, Stream.EXPERTS))
    anatomies, rows = [], []
    for index, potential in enumerate(latent):
        rng = stream(stand_in.seed, split, Stream.ANATOMY, index)
        anatomies.append(draw_anatomy(float(potential), rng))
        rows.append(_row(split, index, anatomies[-1], endpoints, marks, rng))
    return Women(split, latent, tuple(anatomies), LabelTable(tuple(rows)))


def _draw_marks(latent: NDArray[np.float64], split: Split, rng: np.random.Generator) -> _Marks:
    if split is Split.PRIVATE:
        return _Marks(None, experts.rankings(latent, rng))
    levels = experts.levels(latent, rng)
    if split is Split.PUBLIC:
        return _Marks(np.median(levels, axis=1).astype(np.int64), levels)
    one = rng.integers(0, experts.EXPERTS, len(latent))
    return _Marks(levels[np.arange(len(latent)), one], levels[:, :0])


def _row(
    split: Split, index: int, anatomy: Anatomy, endpoints: Endpoints, marks: _Marks, rng: np.random.Generator
) -> LabelRow:
    libra = measure_like_libra(anatomy, rng)
    return LabelRow(
        filename=f"{split.value}_{index + 1}.png",
        line=index + 2,
        level=None if marks.level is None else int(marks.level[index]),
        experts=tuple(float(mark) for mark in marks.experts[index]),
        cancer=bool(endpoints.cancer[index]),
        interval_cancer=bool(endpoints.interval[index]),
        large_invasive_cancer=bool(endpoints.large[index]),
        composite=bool(endpoints.composite[index]),
        laterality=anatomy.metadata.laterality,
        window_center=anatomy.metadata.window_center,
        window_width=anatomy.metadata.window_width,
        photometric_interpretation=anatomy.metadata.photometric_interpretation,
        percent_density=libra.percent_density,
        dense_area=libra.dense_area,
        breast_area=libra.breast_area,
    )


def _latents(seed: int, split: Split, images: int) -> NDArray[np.float64]:
    """Each image's masking potential: standard normal, spread evenly over its quantiles, in random order."""
    order = stream(seed, split, Stream.LATENT).permutation(images)
    return np.asarray(norm.ppf((order + 0.5) / images), dtype=np.float64)
