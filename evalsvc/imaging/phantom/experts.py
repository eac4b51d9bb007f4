"""What the experts say: five rankings with the published agreement, or levels as on the public splits.

An expert's judgement is a normal variable correlated with the latent and with the other experts' (a Gaussian
copula: Kendall's tau is then (2/pi) arcsin of the correlation).  The noise is made exactly uncorrelated in the
sample at hand, so that the agreement holds for the 475 women drawn and not only on average.
"""

from typing import Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.stats import kendalltau, rankdata

Matrix = NDArray[np.float64]

EXPERTS: Final = 5
_TAU_LATENT: Final = (0.68, 0.69, 0.38, 0.55, 0.56)
_TAU_MEDIAN: Final = (0.70, 0.75, 0.47, 0.62, 0.62)
_TAU_EXPERTS: Final = (
    (1.00, 0.60, 0.34, 0.47, 0.50),
    (0.60, 1.00, 0.36, 0.51, 0.52),
    (0.34, 0.36, 1.00, 0.38, 0.29),
    (0.47, 0.51, 0.38, 1.00, 0.40),
    (0.50, 0.52, 0.29, 0.40, 1.00),
)
"""The published private table; the latent stands where the published models do."""

_CLOSE_ENOUGH, _DRAWS = 0.015, 60
_SMALL = 50
"""Up to so many images the sample agreement is left to chance: there is too little room to correct it."""
_LIST_SHARE = 500 / 475
"""The experts' lists were longer than the split: some of the images they ranked were not kept."""

_PUBLIC_CORRELATION: Final = (0.86, 0.87, 0.66, 0.68, 0.76)
_PUBLIC_BIAS: Final = (0.0, 0.1, -0.35, 0.3, -0.4)
_LEVEL_CUTS: Final = (-1.45, -0.90, -0.42, 0.0, 0.42, 0.90, 1.45)


def rankings(latent: Matrix, rng: Generator) -> NDArray[np.int64]:
    """Each expert's positions (images, experts), from 1, with gaps, running past the number of images.

    Of several draws the first whose tau-b with each other and with the median is close to the published table, or
    else the closest.
    """
    best, miss = _judgements(latent, rng), np.inf
    for _ in range(_DRAWS if len(latent) > _SMALL else 0):
        drawn = _judgements(latent, rng)
        drawn_miss = _distance(drawn)
        if drawn_miss < miss:
            best, miss = drawn, drawn_miss
        if miss <= _CLOSE_ENOUGH:
            break
    return np.column_stack([_positions(column, rng) for column in best.T])


def levels(latent: Matrix, rng: Generator) -> NDArray[np.int64]:
    """Five experts' levels 1-8 (images, experts): they differ in care (noise) and in strictness (bias)."""
    correlation = np.array(_PUBLIC_CORRELATION)
    noise = rng.standard_normal((len(latent), EXPERTS))
    judged = latent[:, None] * correlation + noise * np.sqrt(1 - correlation**2) + np.array(_PUBLIC_BIAS)
    return np.asarray(1 + np.searchsorted(np.array(_LEVEL_CUTS), judged), dtype=np.int64)


def _judgements(latent: Matrix, rng: Generator) -> Matrix:
    """Latent judgements (images, experts) with the published correlations."""
    columns = np.column_stack([latent, rng.standard_normal((len(latent), EXPERTS))])
    if len(latent) > _SMALL:
        columns = _uncorrelated(columns)
    taus = np.eye(EXPERTS + 1)
    taus[0, 1:] = taus[1:, 0] = _TAU_LATENT
    taus[1:, 1:] = _TAU_EXPERTS
    return np.asarray((columns @ np.linalg.cholesky(np.sin(np.pi / 2 * taus)).T)[:, 1:])


def _uncorrelated(columns: Matrix) -> Matrix:
    """The columns, each freed of what the ones before it (and a constant) explain, with unit sample variance."""
    images = len(columns)
    q, r = np.linalg.qr(np.column_stack([np.ones(images), columns]))
    return np.asarray(q[:, 1:] * np.sign(np.diag(r))[1:] * np.sqrt(images))


def _distance(judgements: Matrix) -> float:
    """The largest deviation of a tau-b from the published table: between experts, and with the median ranking."""
    ranks = rankdata(judgements, axis=0)
    median = np.trunc(np.median(ranks, axis=1))
    misses = [abs(_tau(median, ranks[:, k]) - _TAU_MEDIAN[k]) for k in range(EXPERTS)]
    misses += [abs(_tau(ranks[:, j], ranks[:, k]) - _TAU_EXPERTS[j][k]) for k in range(EXPERTS) for j in range(k)]
    return max(misses)


def _tau(first: Matrix, second: Matrix) -> float:
    return float(kendalltau(first, second).statistic)


def _positions(judged: Matrix, rng: Generator) -> NDArray[np.int64]:
    """One expert's positions, in a list of which only these images were kept."""
    slots = (
        round(len(judged) * _LIST_SHARE) + int(rng.integers(-2, 3)) if len(judged) > _SMALL else len(judged) + 1
    )
    kept = np.sort(rng.choice(slots, size=len(judged), replace=False)) + 1
    return np.asarray(kept[rankdata(judged, method="ordinal") - 1])
