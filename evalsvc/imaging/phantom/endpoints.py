"""Which women have a cancer: counts exactly as published, and a masking score predicts them as well as published.

A score's AUC for an endpoint fixes the mean rank of its cases.  Interval, large invasive and composite (either
one) thus fix the mean ranks of the three groups they are made of: interval alone, both, large invasive alone.
Each group is drawn with a tilt towards high masking that meets its mean rank in the split at hand.
"""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.stats import rankdata

from evalsvc.domain.dataset import Split


@dataclass(frozen=True)
class Cases:
    """How many women have what; the groups are disjoint.  `other` is any other cancer."""

    interval: int
    both: int
    large: int
    other: int

    @property
    def total(self) -> int:
        return self.interval + self.both + self.large + self.other


@dataclass(frozen=True)
class Published:
    """One split of the published set (Table 2 of its paper)."""

    images: int
    cases: Cases

    def scaled(self, images: int) -> "Published":
        """At most `images`, with the cases in proportion (rounded)."""
        if images >= self.images:
            return self
        counts = [round(getattr(self.cases, field.name) * images / self.images) for field in fields(Cases)]
        return Published(images, Cases(*counts))


PUBLISHED: Final = {
    # interval and large invasive overlap by their sum less the composite: 80, 5 and 34 women
    Split.TRAIN: Published(9523, Cases(interval=68, both=80, large=199, other=282)),
    Split.PUBLIC: Published(497, Cases(interval=6, both=5, large=8, other=12)),
    Split.PRIVATE: Published(475, Cases(interval=47, both=34, large=77, other=114)),
}

_TILTS: Final = np.linspace(-1, 3, 101)
_CLOSE_ENOUGH, _DRAWS = 0.003, 20
"""Of a group's mean quantile, and how often to try."""
_AUC_INTERVAL, _AUC_LARGE, _AUC_COMPOSITE = 0.633, 0.580, 0.612
"""Of the published multi-hot model on both test splits together."""


@dataclass(frozen=True)
class Endpoints:
    """One boolean per image, for each column of the label files."""

    cancer: NDArray[np.bool_]
    interval: NDArray[np.bool_]
    large: NDArray[np.bool_]

    @property
    def composite(self) -> NDArray[np.bool_]:
        return self.interval | self.large


def choose_cases(latent: NDArray[np.float64], cases: Cases, rng: Generator) -> Endpoints:
    """Draw each group without replacement; `latent` has shape (images,)."""
    group = np.zeros(len(latent), dtype=np.int64)
    means = (*_mean_quantiles(), 0.5)
    sizes = (cases.interval, cases.both, cases.large, cases.other)
    for number, (size, mean) in enumerate(zip(sizes, means, strict=True), start=1):
        free = np.flatnonzero(group == 0)
        group[free[_tilted(latent, free, size, mean, rng)]] = number
    return Endpoints(cancer=group > 0, interval=(group == 1) | (group == 2), large=(group == 2) | (group == 3))


def _mean_quantiles() -> tuple[float, float, float]:
    """The mean rank, as a fraction, of interval alone, both and large invasive alone, on both test splits."""
    tests = [PUBLISHED[Split.PUBLIC], PUBLISHED[Split.PRIVATE]]
    n = sum(split.images for split in tests)
    alone, both, large = (
        sum(getattr(split.cases, name) for split in tests) for name in ("interval", "both", "large")
    )
    interval_sum = _rank_sum(_AUC_INTERVAL, alone + both, n)
    large_sum = _rank_sum(_AUC_LARGE, both + large, n)
    composite_sum = _rank_sum(_AUC_COMPOSITE, alone + both + large, n)
    sums = (composite_sum - large_sum, interval_sum + large_sum - composite_sum, composite_sum - interval_sum)
    first, second, third = ((total / k - 0.5) / n for total, k in zip(sums, (alone, both, large), strict=True))
    return first, second, third


def _rank_sum(auc: float, k: int, n: int) -> float:
    """The Mann-Whitney relation between an AUC and the rank sum of k cases among n."""
    return auc * k * (n - k) + k * (k + 1) / 2


def _tilted(
    latent: NDArray[np.float64], free: NDArray[np.int64], size: int, mean: float, rng: Generator
) -> NDArray[np.int64]:
    """Positions in `free` of `size` images whose mean quantile of the latent is as near `mean` as can be.

    Drawn with probabilities proportional to exp(tilt x latent).  The same random numbers serve every tilt tried; a
    small group may need others.
    """
    quantile = ((rankdata(latent) - 0.5) / len(latent))[free]
    best, miss = free[:0], np.inf
    for _ in range(_DRAWS if size else 0):
        luck = rng.gumbel(size=len(free))
        for tilt in _TILTS:
            chosen = np.argsort(luck + tilt * latent[free], kind="stable")[::-1][:size]
            if abs(quantile[chosen].mean() - mean) < miss:
                best, miss = chosen, abs(quantile[chosen].mean() - mean)
        if miss <= _CLOSE_ENOUGH:
            break
    return best
