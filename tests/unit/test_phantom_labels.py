"""The stand-in's labels at full size, for several seeds: published counts, agreement and predictive strength."""

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import kendalltau, mannwhitneyu, rankdata

from evalsvc.domain.dataset import Split
from evalsvc.imaging.phantom.cases import StandIn, Women, draw_women

SEEDS = [0, 1, 20240229]
PUBLISHED_EXPERTS = np.array(
    [
        [1.00, 0.60, 0.34, 0.47, 0.50],
        [0.60, 1.00, 0.36, 0.51, 0.52],
        [0.34, 0.36, 1.00, 0.38, 0.29],
        [0.47, 0.51, 0.38, 1.00, 0.40],
        [0.50, 0.52, 0.29, 0.40, 1.00],
    ]
)
PUBLISHED_MEDIAN = np.array([0.70, 0.75, 0.47, 0.62, 0.62])
PUBLISHED_MODEL = np.array([0.68, 0.69, 0.38, 0.55, 0.56])
PUBLISHED_COUNTS = {
    # images, interval, large invasive, all cancers, composite, controls
    Split.TRAIN: (9523, 148, 279, 629, 347, 8894),
    Split.PUBLIC: (497, 11, 13, 31, 19, 466),
    Split.PRIVATE: (475, 81, 111, 272, 158, 203),
}


@cache
def women(seed: int, split: Split, images: int | None = None) -> Women:
    return draw_women(StandIn(seed, images), split)


def column(drawn: Women, name: str) -> NDArray[np.float64]:
    return np.array([getattr(row, name) for row in drawn.table.rows], dtype=float)


def experts(drawn: Women) -> NDArray[np.float64]:
    return np.array([row.experts for row in drawn.table.rows])


def tau(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    return float(kendalltau(first, second).statistic)


@pytest.mark.parametrize("split", PUBLISHED_COUNTS)
@pytest.mark.parametrize("seed", SEEDS)
def test_the_counts_are_the_published_ones(seed: int, split: Split) -> None:
    drawn = women(seed, split)
    cancer, interval = column(drawn, "cancer"), column(drawn, "interval_cancer")
    large, composite = column(drawn, "large_invasive_cancer"), column(drawn, "composite")
    counts = (len(cancer), interval.sum(), large.sum(), cancer.sum(), composite.sum(), (cancer == 0).sum())
    assert counts == PUBLISHED_COUNTS[split]
    assert (composite == np.maximum(interval, large)).all()
    assert (composite <= cancer).all()


@pytest.mark.parametrize("seed", [*SEEDS, *range(2, 9)])
def test_private_experts_agree_as_published(seed: int) -> None:
    drawn = women(seed, Split.PRIVATE)
    ranks = rankdata(experts(drawn), axis=0)
    median = np.trunc(np.median(ranks, axis=1))
    between = np.array([[tau(ranks[:, j], ranks[:, k]) for k in range(5)] for j in range(5)])
    assert np.abs(between - PUBLISHED_EXPERTS).max() <= 0.03
    assert np.abs([tau(median, ranks[:, k]) for k in range(5)] - PUBLISHED_MEDIAN).max() <= 0.03
    assert np.abs([tau(drawn.latent, ranks[:, k]) for k in range(5)] - PUBLISHED_MODEL).max() <= 0.03
    assert abs(tau(drawn.latent, median) - 0.73) <= 0.03


@pytest.mark.parametrize("seed", SEEDS)
def test_private_positions_are_those_of_a_longer_list(seed: int) -> None:
    positions = experts(women(seed, Split.PRIVATE))
    assert all(len(set(expert)) == 475 for expert in positions.T)
    assert positions.min() >= 1
    assert 475 < positions.max() <= 503


@pytest.mark.parametrize("seed", [*SEEDS, *range(2, 9)])
def test_a_faithful_score_predicts_cancers_as_published(seed: int) -> None:
    splits = [women(seed, Split.PUBLIC), women(seed, Split.PRIVATE)]
    latent = np.concatenate([drawn.latent for drawn in splits])
    published = {"interval_cancer": 0.633, "large_invasive_cancer": 0.580, "composite": 0.612}
    for name, auc in published.items():
        case = np.concatenate([column(drawn, name) for drawn in splits]) == 1
        wins = mannwhitneyu(latent[case], latent[~case]).statistic
        assert wins / (case.sum() * (~case).sum()) == pytest.approx(auc, abs=0.01), name


@pytest.mark.parametrize("seed", SEEDS)
def test_public_levels_look_like_the_published_ones(seed: int) -> None:
    drawn = women(seed, Split.PUBLIC)
    label, levels = column(drawn, "level"), experts(drawn)
    assert (label == np.median(levels, axis=1)).all()
    assert set(label) == set(range(1, 9))
    published = [0.7232, 0.7279, 0.5450, 0.5554, 0.6342]
    assert np.abs([tau(label, levels[:, k]) for k in range(5)] - np.array(published)).max() < 0.1
    assert abs(tau(drawn.latent, label) - 0.7625) < 0.05
    middle, ends = np.isin(label, (3, 4, 5, 6)).sum(), np.isin(label, (1, 8)).sum()
    assert middle > 3 * ends


@pytest.mark.parametrize("seed", SEEDS)
def test_training_labels_are_one_experts(seed: int) -> None:
    drawn = women(seed, Split.TRAIN)
    assert experts(drawn).shape == (9523, 0)
    assert set(column(drawn, "level")) == set(range(1, 9))
    assert 0.5 < tau(drawn.latent, column(drawn, "level")) < 0.75


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("split", PUBLISHED_COUNTS)
def test_density_explains_a_part_of_masking(seed: int, split: Split) -> None:
    drawn = women(seed, split)
    percent = column(drawn, "percent_density")
    assert 0.35 < tau(drawn.latent, percent) < 0.6
    assert 2 < np.quantile(percent, 0.05) < 10
    assert 35 < np.quantile(percent, 0.95) < 65
    area = percent / 100 * column(drawn, "breast_area")
    assert column(drawn, "dense_area") == pytest.approx(area, abs=2e-2)


def test_all_kinds_of_images_occur() -> None:
    anatomies = women(0, Split.PRIVATE).anatomies
    assert {anatomy.shape for anatomy in anatomies} == {(632, 512), (514, 394)}
    assert {anatomy.metadata.laterality for anatomy in anatomies} == {"L", "R"}
    assert {anatomy.metadata.photometric_interpretation for anatomy in anatomies} == {"MONOCHROME1", "MONOCHROME2"}
    assert len({anatomy.metadata.window_center for anatomy in anatomies}) > 10


@pytest.mark.parametrize("images", [1, 2, 7, 20, 49, 50, 51, 60, 200, 474])
@pytest.mark.parametrize("split", [Split.PUBLIC, Split.PRIVATE])
def test_smaller_stand_ins_have_cases_in_proportion(split: Split, images: int) -> None:
    drawn = women(3, split, images)
    total, _, _, cancers, composite, _ = PUBLISHED_COUNTS[split]
    assert len(drawn.table.rows) == images
    assert column(drawn, "cancer").sum() == pytest.approx(cancers * images / total, abs=2)
    assert column(drawn, "composite").sum() == pytest.approx(composite * images / total, abs=1.5)
    assert all(len(set(expert)) == images for expert in experts(drawn).T) or split is Split.PUBLIC


def test_the_size_is_capped_at_the_published_one() -> None:
    assert len(women(0, Split.PUBLIC, 100_000).table.rows) == 497


def test_one_seed_one_set() -> None:
    again = draw_women(StandIn(1), Split.PRIVATE)
    assert again.table == women(1, Split.PRIVATE).table
    assert again.anatomies == women(1, Split.PRIVATE).anatomies
    assert again.table != women(0, Split.PRIVATE).table
