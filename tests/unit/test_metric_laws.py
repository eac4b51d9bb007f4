"""Laws that metrics share: what they must not depend on, and where their values end."""

from collections.abc import Callable
from typing import Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalsvc.scoring.clinical import auc, odds_ratio, quartiles
from evalsvc.scoring.metric import Flags, Levels, Metric, Vector, undefined
from evalsvc.scoring.ordinal import amae, cut, f1, ranks, tau_b

Case = tuple[Vector, Levels, Flags]
"""Scores, labels 1-8 and a clinical endpoint of the same images."""


def by_level(metric: Callable[[Levels], Metric], score: Vector) -> Metric:
    levels = cut(score)
    return undefined("too few") if levels is None else metric(levels)


METRICS: Final[dict[str, Callable[[Vector, Levels, Flags], Metric]]] = {
    "tau-b": lambda score, label, _: tau_b(score, label),
    "AMAE of ranks": lambda score, label, _: amae(ranks(score), ranks(label)),
    "AMAE of levels": lambda score, label, _: by_level(lambda level: amae(level, label), score),
    "F1 low": lambda score, label, _: by_level(lambda level: f1(level, label, (1, 2)), score),
    "F1 high": lambda score, label, _: by_level(lambda level: f1(level, label, (7, 8)), score),
    "AUC": lambda score, _, positive: auc(score, positive),
    "odds ratio": lambda score, _, positive: odds_ratio(quartiles(score), positive, 3),
}
RANGES: Final = {
    "tau-b": (-1, 1),
    "AMAE of ranks": (0, 60),
    "AMAE of levels": (0, 7),
    "F1 low": (0, 1),
    "F1 high": (0, 1),
    "AUC": (0, 1),
    "odds ratio": (0, np.inf),
}
every_metric = pytest.mark.parametrize("name", METRICS)
few = settings(deadline=None, max_examples=50)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Up to 60 images; whole scores in a small range, so that many are equal."""
    size = draw(st.integers(1, 60))
    top = draw(st.sampled_from((1, 5, 1000)))
    score = draw(st.lists(st.integers(-top, top), min_size=size, max_size=size))
    label = draw(st.lists(st.integers(1, 8), min_size=size, max_size=size))
    positive = draw(st.lists(st.booleans(), min_size=size, max_size=size))
    return np.array(score, dtype=np.float64), np.array(label), np.array(positive)


def same(first: Metric, second: Metric) -> bool:
    return first.reason == second.reason and first.value == pytest.approx(second.value, abs=1e-12)


@every_metric
@few
@given(case=cases(), data=st.data())
def test_the_order_of_images_does_not_matter(name: str, case: Case, data: st.DataObject) -> None:
    order = np.array(data.draw(st.permutations(range(len(case[0])))))
    score, label, positive = case
    assert same(METRICS[name](*case), METRICS[name](score[order], label[order], positive[order]))


@every_metric
@few
@given(case=cases())
def test_only_the_order_of_scores_matters(name: str, case: Case) -> None:
    score, label, positive = case
    assert same(METRICS[name](*case), METRICS[name](score**3 / 7 - 12.5, label, positive))


@every_metric
@few
@given(case=cases())
def test_values_stay_in_their_range_and_gaps_have_a_reason(name: str, case: Case) -> None:
    metric = METRICS[name](*case)
    low, high = RANGES[name]
    assert (metric.value is None) == (metric.reason is not None)
    assert metric.value is None or low <= metric.value <= high


@every_metric
@few
@given(case=cases())
def test_inputs_are_left_alone(name: str, case: Case) -> None:
    before = [array.copy() for array in case]
    METRICS[name](*case)
    assert all(np.array_equal(one, other) for one, other in zip(before, case, strict=True))


@few
@given(case=cases())
def test_turning_the_score_round_turns_tau_b_and_auc_round(case: Case) -> None:
    score, label, positive = case
    if (tau := tau_b(score, label).value) is not None:
        assert tau_b(-score, label).value == pytest.approx(-tau, abs=1e-12)
        assert tau_b(label, score).value == pytest.approx(tau, abs=1e-12)
    if (area := auc(score, positive).value) is not None:
        assert auc(-score, positive).value == pytest.approx(1 - area, abs=1e-12)


@few
@given(case=cases())
def test_a_perfect_prediction(case: Case) -> None:
    _, label, positive = case
    assert tau_b(label, label).value in (None, pytest.approx(1, abs=1e-12))
    assert amae(label, label).value == 0
    assert f1(label, label, (1, 2)).value in (None, 1)
    assert auc(positive.astype(np.float64), positive).value in (None, 1)


@few
@given(case=cases(), times=st.integers(2, 4))
def test_seeing_each_image_several_times_changes_neither_amae_nor_f1_nor_auc(case: Case, times: int) -> None:
    score, label, positive = (np.tile(array, times) for array in case)
    assert same(amae(case[0], case[1]), amae(score, label))
    assert same(f1(case[1], case[1][::-1], (1, 2)), f1(label, np.tile(case[1][::-1], times), (1, 2)))
    assert same(auc(case[0], case[2]), auc(score, positive))


@few
@given(case=cases())
def test_levels_follow_the_score_and_equal_scores_share_one(case: Case) -> None:
    score = case[0]
    levels = cut(score)
    assert (levels is None) == (len(score) < 8)
    if levels is not None:
        order = np.argsort(score)
        assert set(levels) <= set(range(1, 9))
        assert np.all(np.diff(levels[order]) >= 0)
        assert all(len(set(levels[score == value])) == 1 for value in set(score.tolist()))


@few
@given(st.lists(st.integers(-(10**6), 10**6), min_size=8, max_size=200, unique=True))
def test_distinct_scores_fill_bins_of_equal_size_but_the_last(values: list[int]) -> None:
    levels = cut(np.array(values, dtype=np.float64))
    assert levels is not None
    size = len(values) // 8
    assert np.bincount(levels)[1:].tolist() == [size] * 7 + [len(values) - 7 * size]
