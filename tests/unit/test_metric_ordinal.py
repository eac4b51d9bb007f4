"""Ordinal metrics: worked examples with ties, and independent oracles on random data."""

from fractions import Fraction
from itertools import combinations
from math import sqrt

import numpy as np
import pytest
from scipy.stats import kendalltau
from sklearn.metrics import f1_score

from evalsvc.scoring.metric import Levels, Metric, Vector
from evalsvc.scoring.ordinal import amae, cut, f1, median_rank, ranks, tau_b

CLOSE = 1e-12


def floats(*values: float) -> Vector:
    return np.array(values, dtype=np.float64)


def ints(*values: int) -> Levels:
    return np.array(values, dtype=np.int64)


def random_case(seed: int) -> tuple[Vector, Levels]:
    """475 scores, some of them equal, that follow levels 1-8."""
    rng = np.random.default_rng(seed)
    level = rng.integers(1, 9, 475)
    return np.round(level + rng.normal(0, 2, 475), 1), level


def brute_force_tau_b(score: Vector, label: Levels) -> float:
    concordant = discordant = score_only = label_only = 0
    for i, j in combinations(range(len(score)), 2):
        s, t = np.sign(score[i] - score[j]), np.sign(label[i] - label[j])
        concordant += s * t > 0
        discordant += s * t < 0
        score_only += t == 0 and s != 0
        label_only += s == 0 and t != 0
    untied = concordant + discordant
    return float((concordant - discordant) / sqrt((untied + score_only) * (untied + label_only)))


def brute_force_amae(predicted: Vector, label: Vector | Levels) -> Fraction:
    means = []
    for value in sorted(set(label.tolist())):
        errors = [abs(Fraction(p) - Fraction(value)) for p, t in zip(predicted, label, strict=True) if t == value]
        means.append(sum(errors, Fraction(0)) / len(errors))
    return sum(means, Fraction(0)) / len(means)


def test_tau_b_by_hand() -> None:
    # Pairs of (1,1) (2,1) (2,2) (3,2): 3 concordant, none discordant, 2 tied in the label, 1 tied in the score.
    assert tau_b(floats(1, 2, 2, 3), ints(1, 1, 2, 2)) == Metric(pytest.approx(3 / sqrt(4 * 5), abs=CLOSE))


@pytest.mark.parametrize("seed", range(3))
def test_tau_b_by_brute_force_and_scipy(seed: int) -> None:
    score, label = random_case(seed)
    value = tau_b(score, label).value
    assert value == pytest.approx(brute_force_tau_b(score, label), abs=CLOSE)
    assert value == pytest.approx(kendalltau(score, label).statistic, abs=CLOSE)


def test_tau_b_is_undefined_without_an_order() -> None:
    assert tau_b(floats(1, 1, 1), ints(1, 2, 3)).reason == (
        "Every score is the same, so there is no order to compare."
    )
    assert tau_b(floats(1, 2, 3), ints(4, 4, 4)).reason == (
        "Every label is the same, so there is no order to compare."
    )
    assert tau_b(floats(1), ints(4)).value is None
    assert tau_b(floats(), ints()).reason == "There are no images."


def test_amae_by_hand() -> None:
    # Label 1: errors 0, 1, 2, mean 1.  Label 8: error 4.  The mean over labels is 2.5, over images 1.75.
    assert amae(ints(1, 2, 3, 4), ints(1, 1, 1, 8)) == Metric(2.5)


@pytest.mark.parametrize("seed", range(3))
def test_amae_by_brute_force(seed: int) -> None:
    score, label = random_case(seed)
    assert amae(score, label).value == pytest.approx(float(brute_force_amae(score, label)), abs=CLOSE)
    by_rank = brute_force_amae(ranks(score), ranks(label))
    assert amae(ranks(score), ranks(label)).value == pytest.approx(float(by_rank), abs=CLOSE)


def test_amae_without_images() -> None:
    assert amae(ints(), ints()).reason == "There are no images."


def test_f1_by_hand() -> None:
    # Low predicted for images 1, 2, 4 and true for 1, 3, 4: two hits of three guesses and three truths.
    assert f1(ints(1, 2, 5, 2), ints(2, 4, 1, 1), (1, 2)) == Metric(2 / 3)


@pytest.mark.parametrize("levels", [(1, 2), (7, 8)])
@pytest.mark.parametrize("seed", range(3))
def test_f1_by_scikit_learn(seed: int, levels: tuple[int, int]) -> None:
    score, label = random_case(seed)
    predicted = np.clip(np.round(score), 1, 8).astype(np.int64)
    oracle = f1_score(np.isin(label, levels), np.isin(predicted, levels))
    assert f1(predicted, label, levels).value == pytest.approx(oracle, abs=CLOSE)


def test_f1_is_zero_when_the_model_never_says_so_and_undefined_when_nothing_is_so() -> None:
    assert f1(ints(5, 5), ints(7, 8), (7, 8)) == Metric(0.0)
    assert f1(ints(7, 8), ints(5, 5), (7, 8)).reason == "No image has a label of level 7 or 8."


def test_ranks_share_the_average_on_ties() -> None:
    assert ranks(floats(10, 30, 30, 20)).tolist() == [1, 3.5, 3.5, 2]


def test_median_rank_by_hand() -> None:
    # Positions in a list of 9, of which 4 were kept; the third expert holds two images for equal.
    positions = np.array([[2, 9, 5], [4, 1, 5], [7, 3, 1], [9, 4, 8]], dtype=np.float64)
    # Re-ranked: 1 2 3 4, 4 1 2 3 and 2.5 2.5 1 4; medians 2.5, 2, 2, 4; truncated.
    assert median_rank(positions).tolist() == [2, 2, 2, 4]


def test_median_rank_ignores_gaps() -> None:
    rng = np.random.default_rng(0)
    kept = np.stack([rng.permutation(500)[:475] for _ in range(5)], axis=1).astype(np.float64)
    closed = np.stack([np.argsort(np.argsort(column)) + 1.0 for column in kept.T], axis=1)
    assert median_rank(kept).tolist() == median_rank(closed).tolist()
    assert set(np.trunc(np.median(closed, axis=1))) == set(median_rank(kept))


def test_475_distinct_scores_fall_into_seven_bins_of_59_and_one_of_62() -> None:
    score = np.random.default_rng(0).permutation(475).astype(np.float64)
    levels = cut(score)
    assert levels is not None
    assert np.bincount(levels)[1:].tolist() == [59] * 7 + [62]
    assert levels[np.argsort(score)].tolist() == sorted(levels)


def test_cut_by_hand_with_ties_across_the_edge_of_a_bin() -> None:
    # 16 images, bins of 2.  Ranks 1, 3 3 3, 5, 6, ...: the tie covers ranks 2-4 and goes where rank 3 goes.
    levels = cut(floats(1, 2, 2, 2, *range(5, 17)))
    assert levels is not None
    assert levels.tolist() == [1, 2, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8]
    # Equal scores on ranks 2-3 average 2.5 and belong to the first bin.
    levels = cut(floats(1, 2, 2, 4, *range(5, 17)))
    assert levels is not None
    assert levels.tolist()[:4] == [1, 1, 1, 2]


def test_fewer_than_eight_images_have_no_levels() -> None:
    assert cut(floats(*range(7))) is None
    levels = cut(floats(*range(8)))
    assert levels is not None
    assert levels.tolist() == list(range(1, 9))
