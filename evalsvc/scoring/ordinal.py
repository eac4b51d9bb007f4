"""How well a score or a level agrees with an ordered ground truth, and how rankings are made and cut into levels.

Every function takes aligned arrays: element i of each belongs to image i.  None depends on the images' order.
"""

from collections.abc import Collection
from typing import Final

import numpy as np
from scipy.stats import kendalltau, rankdata

from evalsvc.scoring.metric import Levels, Metric, Vector, undefined

LEVEL_COUNT: Final = 8
LOW: Final = (1, 2)
HIGH: Final = (7, 8)
NO_IMAGES: Final = "There are no images."
TOO_FEW: Final = f"Fewer than {LEVEL_COUNT} images cannot be cut into {LEVEL_COUNT} levels."


def ranks(values: Vector) -> Vector:
    """Ranks 1..n of n values; equal values share the average of their ranks."""
    return np.asarray(rankdata(values), dtype=np.float64)


def median_rank(positions: Vector) -> Vector:
    """The label of a ranked split: (n, k) positions of k experts to n whole numbers in 1..n.

    Each expert's column is first re-ranked to 1..n, since positions come from a longer list and have gaps.  The
    median is truncated, as in the code published with CSAW-M.
    """
    columns = np.column_stack([ranks(column) for column in positions.T])
    return np.trunc(np.median(columns, axis=1))


def cut(values: Vector) -> Levels | None:
    """Levels 1-8 of n values by their ranking, in bins of floor(n/8); the last bin takes the remainder.

    Equal values share a bin, that of their average rank, whatever the order of the images: bin = min(8, 1 +
    floor((rank - 1) / floor(n/8))).  None for fewer than 8 values.
    """
    size = len(values) // LEVEL_COUNT
    if size == 0:
        return None
    return np.minimum(LEVEL_COUNT, 1 + (ranks(values) - 1) // size).astype(np.int64)


def tau_b(score: Vector | Levels, label: Vector | Levels) -> Metric:
    """Kendall's tau-b of n scores and n labels, in [-1, 1] (Kendall 1945: corrected for ties in both)."""
    if len(label) == 0:
        return undefined(NO_IMAGES)
    for name, values in (("score", score), ("label", label)):
        if np.all(values == values[0]):
            return undefined(f"Every {name} is the same, so there is no order to compare.")
    return Metric(float(kendalltau(score, label).statistic))


def amae(predicted: Vector | Levels, label: Vector | Levels) -> Metric:
    """Mean absolute error within each distinct label, averaged over those labels; in the labels' unit, >= 0.

    Baccianella, Esuli, Sebastiani 2009: "macroaveraged mean absolute error".
    """
    if len(label) == 0:
        return undefined(NO_IMAGES)
    _, group, size = np.unique(label, return_inverse=True, return_counts=True)
    total = np.bincount(group, weights=np.abs(predicted - label))
    return Metric(float(np.mean(total / size)))


def f1(predicted: Levels, label: Levels, positive: Collection[int]) -> Metric:
    """F1 of "the level is in `positive`": 2 TP / (2 TP + FP + FN); undefined when no label is in `positive`."""
    wanted = sorted(positive)
    truth, guess = np.isin(label, wanted), np.isin(predicted, wanted)
    if not truth.any():
        return undefined(f"No image has a label of level {' or '.join(map(str, wanted))}.")
    # TP + FN and TP + FP are the sizes of the two sets.
    return Metric(float(2 * np.sum(truth & guess) / (np.sum(truth) + np.sum(guess))))
