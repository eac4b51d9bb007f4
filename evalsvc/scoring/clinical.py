"""How well a score tells the women with a clinical endpoint from all others.

Positive means "has this endpoint"; every other image is a negative, women with another kind of cancer included.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy.stats import fisher_exact

from evalsvc.scoring.metric import Flags, Levels, Metric, Vector, undefined
from evalsvc.scoring.ordinal import TOO_FEW, cut, ranks

QUARTILES: Final = (2, 3, 4)


@dataclass(frozen=True)
class EndpointReport:
    """One endpoint of one score.  `odds_ratio` and `p_value` are of quartiles 2, 3, 4 against quartile 1."""

    images: int
    positives: int
    auc: Metric
    odds_ratio: tuple[Metric, ...]
    p_value: tuple[float | None, ...]

    def to_json(self) -> dict[str, Any]:
        """`auc`, `odds_ratio` and `p_value`."""
        return {
            "auc": self.auc.to_json(),
            "odds_ratio": [ratio.to_json() for ratio in self.odds_ratio],
            "p_value": list(self.p_value),
        }


def endpoint(score: Vector, positive: Flags) -> EndpointReport:
    """Every clinical metric of n scores for one endpoint."""
    quartile = quartiles(score)
    return EndpointReport(
        images=len(score),
        positives=int(np.sum(positive)),
        auc=auc(score, positive),
        odds_ratio=tuple(odds_ratio(quartile, positive, number) for number in QUARTILES),
        p_value=tuple(fisher_p(quartile, positive, number) for number in QUARTILES),
    )


def auc(score: Vector, positive: Flags) -> Metric:
    """The chance that a positive outscores a negative, a tie counting one half (Mann-Whitney)."""
    n1 = int(np.sum(positive))
    n0 = len(positive) - n1
    if n1 == 0:
        return undefined("No image has this endpoint.")
    if n0 == 0:
        return undefined("Every image has this endpoint.")
    # Sums of half-integers: exact, in any order.
    return Metric(float((np.sum(ranks(score)[positive]) - n1 * (n1 + 1) / 2) / (n0 * n1)))


def quartiles(score: Vector) -> Levels | None:
    """Quartiles 1-4 of the score's ranking, each of two of the 8 levels; None for fewer than 8 images."""
    levels = cut(score)
    return None if levels is None else (levels + 1) // 2


def odds_ratio(quartile: Levels | None, positive: Flags, number: int) -> Metric:
    """The odds of the endpoint in quartile `number` over those in quartile 1: (a d) / (b c).

    Undefined when any of the four counts is 0, since the ratio would be 0, infinite or 0/0.
    """
    if quartile is None:
        return undefined(TOO_FEW)
    table = _counts(quartile, positive, number)
    for where, row in zip((number, 1), table, strict=True):
        if not row.any():
            return undefined(f"Quartile {where} is empty, because too many scores are equal.")
        if not row.all():
            return undefined(f"Quartile {where} has no image {'without' if row[0] else 'with'} this endpoint.")
    (a, b), (c, d) = table.tolist()
    return Metric(a * d / (b * c))


def fisher_p(quartile: Levels | None, positive: Flags, number: int) -> float | None:
    """Fisher's exact p-value, one-sided: the endpoint is more frequent in quartile `number` than in quartile 1.

    None when a quartile is empty or these two quartiles hold one class only, where nothing can be tested.
    """
    if quartile is None:
        return None
    table = _counts(quartile, positive, number)
    if not (table.any(axis=0).all() and table.any(axis=1).all()):
        return None
    return float(fisher_exact(table, alternative="greater").pvalue)


def _counts(quartile: Levels, positive: Flags, number: int) -> Levels:
    """The 2 x 2 table: images (with, without) the endpoint in quartile `number`, then in quartile 1."""
    rows = [quartile == number, quartile == 1]
    return np.array([(np.sum(row & positive), np.sum(row & ~positive)) for row in rows], dtype=np.int64)
