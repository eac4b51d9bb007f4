"""Clinical metrics: worked examples, and independent oracles on random data."""

from math import comb

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from evalsvc.scoring.clinical import auc, endpoint, fisher_p, odds_ratio, quartiles
from evalsvc.scoring.metric import Flags, Levels, Metric, Vector

CLOSE = 1e-12


def flags(*values: int) -> Flags:
    return np.array(values, dtype=np.bool_)


def two_by_two(a: int, b: int, c: int, d: int) -> tuple[Levels, Flags]:
    """Images with and without the endpoint in quartile 2 (a, b) and in quartile 1 (c, d)."""
    quartile = np.repeat(np.array([2, 2, 1, 1], dtype=np.int64), (a, b, c, d))
    return quartile, np.repeat(flags(1, 0, 1, 0), (a, b, c, d))


def random_case(seed: int) -> tuple[Vector, Flags]:
    rng = np.random.default_rng(seed)
    positive = rng.random(972) < 0.1
    return np.round(rng.normal(0, 1, 972) + 0.4 * positive, 1), positive


def test_auc_by_hand() -> None:
    # Positives 2 and 3 against negatives 1 and 2: three wins and one tie of four pairs.
    assert auc(np.array([1.0, 2, 2, 3]), flags(0, 0, 1, 1)) == Metric(3.5 / 4)


@pytest.mark.parametrize("seed", range(3))
def test_auc_by_scikit_learn_and_brute_force(seed: int) -> None:
    score, positive = random_case(seed)
    value = auc(score, positive).value
    pairs = np.sign(score[positive][:, None] - score[~positive][None, :])
    assert value == pytest.approx(float(np.mean((pairs + 1) / 2)), abs=CLOSE)
    assert value == pytest.approx(roc_auc_score(positive, score), abs=CLOSE)


def test_auc_needs_both_classes() -> None:
    assert auc(np.array([1.0, 2]), flags(0, 0)).reason == "No image has this endpoint."
    assert auc(np.array([1.0, 2]), flags(1, 1)).reason == "Every image has this endpoint."


def test_auc_of_a_constant_score_is_one_half() -> None:
    assert auc(np.full(9, 3.0), flags(0, 1, 0, 1, 1, 0, 0, 0, 0)) == Metric(0.5)


def test_quartiles_are_two_levels_each() -> None:
    found = quartiles(np.arange(475.0))
    assert found is not None
    assert np.bincount(found)[1:].tolist() == [118, 118, 118, 121]


def test_odds_ratio_by_hand() -> None:
    assert odds_ratio(*two_by_two(6, 4, 2, 8), 2) == Metric(6 * 8 / (4 * 2))


def fisher_by_counting(a: int, b: int, c: int, d: int) -> float:
    """The share of all ways to draw the positives that put at least `a` of them into the first row."""
    ways = sum(comb(a + b, k) * comb(c + d, a + c - k) for k in range(a, min(a + b, a + c) + 1))
    return ways / comb(a + b + c + d, a + c)


@pytest.mark.parametrize("table", [(6, 4, 2, 8), (1, 9, 5, 5), (20, 98, 11, 107), (0, 5, 2, 6), (3, 0, 1, 2)])
def test_fisher_by_counting(table: tuple[int, int, int, int]) -> None:
    assert fisher_p(*two_by_two(*table), 2) == pytest.approx(fisher_by_counting(*table), abs=CLOSE)


@pytest.mark.parametrize(
    ("table", "reason", "has_p"),
    [
        ((0, 5, 2, 6), "Quartile 2 has no image with this endpoint.", True),
        ((5, 0, 2, 6), "Quartile 2 has no image without this endpoint.", True),
        ((3, 5, 0, 6), "Quartile 1 has no image with this endpoint.", True),
        ((3, 5, 2, 0), "Quartile 1 has no image without this endpoint.", True),
        ((0, 5, 0, 6), "Quartile 2 has no image with this endpoint.", False),
        ((5, 0, 6, 0), "Quartile 2 has no image without this endpoint.", False),
        ((0, 0, 2, 6), "Quartile 2 is empty, because too many scores are equal.", False),
        ((3, 5, 0, 0), "Quartile 1 is empty, because too many scores are equal.", False),
    ],
)
def test_a_zero_cell_has_no_odds_ratio(table: tuple[int, int, int, int], reason: str, has_p: bool) -> None:
    assert odds_ratio(*two_by_two(*table), 2) == Metric(None, reason=reason)
    assert (fisher_p(*two_by_two(*table), 2) is not None) is has_p


def test_an_endpoint_by_plain_loops() -> None:
    score, positive = random_case(7)
    report = endpoint(score, positive)
    assert (report.images, report.positives) == (972, positive.sum())
    average = {value: float(np.mean(np.flatnonzero(np.sort(score) == value) + 1)) for value in set(score.tolist())}
    counts = [[0, 0] for _ in range(4)]
    for value, flag in zip(score.tolist(), positive, strict=True):
        level = min(8, 1 + int((average[value] - 1) / (972 // 8)))
        counts[(level - 1) // 2][0 if flag else 1] += 1
    c, d = counts[0]
    for (a, b), ratio, p in zip(counts[1:], report.odds_ratio, report.p_value, strict=True):
        assert ratio.value == pytest.approx((a * d) / (b * c), abs=CLOSE)
        assert p == pytest.approx(fisher_by_counting(a, b, c, d), abs=CLOSE)


def test_fewer_than_eight_images_have_no_quartiles() -> None:
    report = endpoint(np.arange(7.0), flags(0, 1, 0, 1, 0, 1, 1))
    assert report.auc.value is not None
    assert {ratio.reason for ratio in report.odds_ratio} == {"Fewer than 8 images cannot be cut into 8 levels."}
    assert report.p_value == (None, None, None)


def test_the_json_of_an_endpoint() -> None:
    quartile_1_to_4 = np.arange(16.0)
    report = endpoint(quartile_1_to_4, flags(*(0, 0, 0, 1) * 2, *(0, 1, 1, 1), 1, 1, 1, 1)).to_json()
    assert list(report) == ["auc", "odds_ratio", "p_value"]
    assert report["odds_ratio"][1] == {"value": 9.0, "low": None, "high": None}
    assert report["odds_ratio"][2] == {
        "value": None,
        "low": None,
        "high": None,
        "reason": "Quartile 4 has no image without this endpoint.",
    }
    assert report["p_value"] == pytest.approx(
        [fisher_by_counting(1, 3, 1, 3), fisher_by_counting(3, 1, 1, 3), fisher_by_counting(4, 0, 1, 3)]
    )
