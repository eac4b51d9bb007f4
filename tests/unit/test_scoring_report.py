"""A split's report: its JSON, what it must not depend on, and its numbers against plain loops."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from math import sqrt
from statistics import mean, median
from typing import Any

import numpy as np
import pytest

from evalsvc.domain.errors import PredictionsError
from evalsvc.domain.labels import LabelRow, LabelTable
from evalsvc.domain.predictions import Prediction
from evalsvc.scoring.cohort import line_up
from evalsvc.scoring.report import density_predictions, endpoints_to_json, score_clinical, score_split

ENDPOINTS = ["interval_cancer", "large_invasive_cancer", "composite"]
EXPERTS = [f"Expert_{number}" for number in range(1, 6)]


def split(images: int, ranked: bool, experts: int = 5, seed: int = 0) -> tuple[LabelTable, dict[str, Prediction]]:
    """Labels whose experts see a hidden quantity, each with noise, and a model that sees it too; with ties."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=images)
    seen = [np.argsort(np.argsort(hidden + rng.normal(0, 0.6, images))) for _ in range(max(experts, 1))]
    rows = []
    for index in range(images):
        positions = [int(column[index]) for column in seen]
        # A list of 500 of which some were dropped; or eight levels.
        marks = [float(p * 500 // images + 1 if ranked else p * 8 // images + 1) for p in positions]
        rows.append(
            LabelRow(
                filename=f"{'private' if ranked else 'test'}_{index}.png",
                line=index + 2,
                level=None if ranked else int(median(marks)),
                experts=tuple(marks[:experts]),
                cancer=bool(rng.random() < 0.6),
                interval_cancer=bool(rng.random() < 0.17),
                large_invasive_cancer=bool(rng.random() < 0.23),
                composite=bool(rng.random() < 0.33),
                laterality="L",
                window_center=2047,
                window_width=4096,
                photometric_interpretation="MONOCHROME2",
                percent_density=float(np.round(30 + 8 * hidden[index] + rng.normal(0, 8), 1)),
                dense_area=float(rng.integers(5, 90)),
                breast_area=100,
            )
        )
    scores = np.round(hidden + rng.normal(0, 0.6, images), 2)
    return LabelTable(tuple(rows)), {
        row.filename: Prediction(float(s)) for row, s in zip(rows, scores, strict=True)
    }


PRIVATE = split(475, ranked=True)
PUBLIC = split(497, ranked=False, seed=1)
TRAIN = split(300, ranked=False, experts=0, seed=2)


def with_levels(predictions: Mapping[str, Prediction], level: int) -> dict[str, Prediction]:
    return {name: replace(prediction, level=level) for name, prediction in predictions.items()}


# --- plain loops over plain lists, written from the definitions


def loop_ranks(values: Sequence[float]) -> list[float]:
    return [
        sum(other < value for other in values) + (sum(other == value for other in values) + 1) / 2
        for value in values
    ]


def loop_tau_b(xs: Sequence[float], ys: Sequence[float]) -> float:
    products, x_pairs, y_pairs = 0, 0, 0
    for i, j in combinations(range(len(xs)), 2):
        dx = (xs[i] > xs[j]) - (xs[i] < xs[j])
        dy = (ys[i] > ys[j]) - (ys[i] < ys[j])
        products, x_pairs, y_pairs = products + dx * dy, x_pairs + abs(dx), y_pairs + abs(dy)
    return products / sqrt(x_pairs * y_pairs)


def loop_amae(predicted: Sequence[float], labels: Sequence[float]) -> float:
    return mean(
        mean(abs(p - label) for p, other in zip(predicted, labels, strict=True) if other == label)
        for label in set(labels)
    )


def loop_levels(values: Sequence[float]) -> list[int]:
    return [min(8, 1 + int((rank - 1) // (len(values) // 8))) for rank in loop_ranks(values)]


def loop_f1(predicted: Sequence[float], labels: Sequence[float], levels: Sequence[int]) -> float:
    pairs = [(p in levels, label in levels) for p, label in zip(predicted, labels, strict=True)]
    return 2 * pairs.count((True, True)) / (2 * pairs.count((True, True)) + pairs.count((True, False))
                                            + pairs.count((False, True)))  # fmt: skip


def value(metric: Mapping[str, Any]) -> float:
    number = metric["value"]
    assert isinstance(number, float)
    return number


def close(number: float) -> Any:
    return pytest.approx(number, abs=1e-12)


def test_the_private_report_against_plain_loops() -> None:
    labels, predictions = split(90, ranked=True, seed=3)
    report = score_split(labels, predictions).to_json()
    score = [predictions[row.filename].score for row in labels.rows]
    columns = [loop_ranks([row.experts[k] for row in labels.rows]) for k in range(5)]
    label = [float(int(median(row))) for row in zip(*columns, strict=True)]
    levels, truth = loop_levels(score), loop_levels(label)

    assert value(report["rank"]["tau_b"]) == close(loop_tau_b(score, label))
    assert value(report["rank"]["amae"]) == close(loop_amae(loop_ranks(score), label))
    assert value(report["level"]["tau_b"]) == close(loop_tau_b(score, truth))
    assert value(report["level"]["amae"]) == close(loop_amae(levels, truth))
    assert value(report["level"]["f1_low"]) == close(loop_f1(levels, truth, (1, 2)))
    assert value(report["level"]["f1_high"]) == close(loop_f1(levels, truth, (7, 8)))
    assert value(report["experts"]["Expert_4"]["tau_b"]) == close(loop_tau_b(columns[3], label))
    assert value(report["experts"]["Expert_4"]["amae"]) == close(loop_amae(columns[3], label))
    table = report["agreement"]
    assert value(table["tau_b"]["Expert_2"]["Expert_5"]) == close(loop_tau_b(columns[4], columns[1]))
    assert value(table["amae"]["Expert_2"]["model"]) == close(loop_amae(loop_ranks(score), columns[1]))
    inside = [i for i, level in enumerate(loop_levels(columns[1])) if level in (5, 6)]
    assert value(table["amae_within"]["5-6"]["Expert_2"]["Expert_1"]) == close(
        loop_amae([columns[0][i] for i in inside], [columns[1][i] for i in inside])
    )


def test_the_public_report_against_plain_loops() -> None:
    labels, predictions = split(90, ranked=False, seed=4)
    report = score_split(labels, predictions).to_json()
    score = [predictions[row.filename].score for row in labels.rows]
    truth = [float(row.level or 0) for row in labels.rows]
    expert = [row.experts[2] for row in labels.rows]
    levels = loop_levels(score)

    assert report["rank"] is None
    assert value(report["level"]["tau_b"]) == close(loop_tau_b(score, truth))
    assert value(report["level"]["amae"]) == close(loop_amae(levels, truth))
    assert value(report["level"]["f1_low"]) == close(loop_f1(levels, truth, (1, 2)))
    assert value(report["level"]["f1_high"]) == close(loop_f1(levels, truth, (7, 8)))
    assert value(report["experts"]["Expert_3"]["tau_b"]) == close(loop_tau_b(expert, truth))
    assert value(report["experts"]["Expert_3"]["amae"]) == close(loop_amae(expert, truth))
    table = report["agreement"]
    assert value(table["tau_b"]["Expert_3"]["model"]) == close(loop_tau_b(score, expert))
    inside = [i for i, level in enumerate(truth) if level in (1, 2)]
    assert value(table["amae_within"]["1-2"]["median"]["model"]) == close(
        loop_amae([levels[i] for i in inside], [truth[i] for i in inside])
    )


# --- the JSON


@pytest.mark.parametrize(
    ("case", "name", "images", "experts", "references", "scale"),
    [
        (PRIVATE, "private", 475, EXPERTS, ["median", *EXPERTS], "rank"),
        (PUBLIC, "public", 497, EXPERTS, ["median", *EXPERTS], "level"),
        (TRAIN, "public", 300, [], ["label"], "level"),
    ],
    ids=["private", "public", "train"],
)
def test_the_json_has_exactly_the_published_keys(
    case: tuple[LabelTable, dict[str, Prediction]],
    name: str,
    images: int,
    experts: list[str],
    references: list[str],
    scale: str,
) -> None:
    report = score_split(*case).to_json()
    assert list(report) == [
        "split", "images", "rank", "level", "endpoints", "experts", "agreement", "comparators",
    ]  # fmt: skip
    assert (report["split"], report["images"]) == (name, images)
    assert report["rank"] is None or list(report["rank"]) == ["tau_b", "amae"]
    assert (report["rank"] is None) == (name == "public")
    assert list(report["level"]) == ["tau_b", "amae", "f1_low", "f1_high"]
    assert list(report["endpoints"]) == ENDPOINTS
    assert [len(report["endpoints"][e][key]) for e in ENDPOINTS for key in ("odds_ratio", "p_value")] == [3] * 6
    assert list(report["experts"]) == experts
    tables = report["agreement"]
    assert tables["scale"] == scale
    for table in (tables["tau_b"], tables["amae"], *tables["amae_within"].values()):
        assert list(table) == references
        assert [list(row) for row in table.values()] == [[*experts, "model"]] * len(references)
    assert list(tables["amae_within"]) == ["1-2", "3-4", "5-6", "7-8"]
    assert list(report["comparators"]) == ["percent_density", "dense_area"]
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def metrics(node: Any) -> list[Mapping[str, Any]]:
    """Every metric anywhere in a report."""
    if isinstance(node, dict):
        if "value" in node:
            return [node]
        return [metric for child in node.values() for metric in metrics(child)]
    return [metric for child in node for metric in metrics(child)] if isinstance(node, list) else []


@pytest.mark.parametrize("ranked", [True, False])
@pytest.mark.parametrize("images", [1, 2, 7, 8, 40])
@pytest.mark.parametrize("constant", [True, False])
def test_a_metric_has_a_value_or_a_reason(images: int, ranked: bool, constant: bool) -> None:
    labels, predictions = split(images, ranked)
    if constant:
        predictions = dict.fromkeys(predictions, Prediction(1.0))
    report = score_split(labels, predictions).to_json()
    json.dumps(report, allow_nan=False)
    found = metrics(report)
    assert len(found) > 50
    for metric in found:
        assert list(metric) == ["value", "low", "high"] + ["reason"] * (metric["value"] is None)
    level = report["level"]
    assert (level["tau_b"]["value"] is None) == (constant or images == 1 or (ranked and images < 8))
    assert (level["amae"].get("reason") is not None) == (images < 8)


# --- what it must not depend on


@pytest.mark.parametrize("case", [PRIVATE, PUBLIC], ids=["private", "public"])
def test_the_order_of_both_files_changes_not_one_bit(case: tuple[LabelTable, dict[str, Prediction]]) -> None:
    labels, predictions = case
    rng = np.random.default_rng(5)
    rows = tuple(labels.rows[index] for index in rng.permutation(len(labels.rows)))
    names = rng.permutation(sorted(predictions)).tolist()
    shuffled = score_split(LabelTable(rows), {name: predictions[name] for name in names})
    assert shuffled.to_json() == score_split(labels, predictions).to_json()


def test_an_index_means_the_same_image_in_whatever_order_the_files_were() -> None:
    labels, predictions = split(20, ranked=True)
    backwards = line_up(LabelTable(labels.rows[::-1]), dict(reversed(predictions.items())))
    forwards = line_up(labels, predictions)
    assert backwards.score.tolist() == forwards.score.tolist()
    assert backwards.experts.tolist() == forwards.experts.tolist()
    assert [v.tolist() for v in backwards.endpoints.values()] == [v.tolist() for v in forwards.endpoints.values()]


def test_stretching_the_score_changes_not_one_bit() -> None:
    labels, predictions = PRIVATE
    stretched = {name: Prediction(float(np.sinh(2 * p.score))) for name, p in predictions.items()}
    assert score_split(labels, stretched) == score_split(labels, predictions)


def test_scores_at_the_ends_of_the_number_range() -> None:
    labels, predictions = split(40, ranked=True)
    order = sorted(predictions, key=lambda name: predictions[name].score)
    huge = {name: Prediction((-1.7e308, -1e-320, 0.0, 5e-324, 1.7e308)[i // 8]) for i, name in enumerate(order)}
    small = {name: Prediction(float(i // 8)) for i, name in enumerate(order)}
    assert score_split(labels, huge) == score_split(labels, small)


# --- levels


def test_levels_of_a_submission_count_for_levels_and_nothing_else() -> None:
    labels, predictions = PRIVATE
    by_score = score_split(labels, predictions)
    by_level = score_split(labels, with_levels(predictions, 5))
    assert by_level.model.rank == by_score.model.rank
    assert by_level.model.endpoints == by_score.model.endpoints
    assert by_level.model.level.tau_b == by_score.model.level.tau_b
    assert by_level.model.level.f1_low.value == 0
    assert by_level.model.level.amae.value == close(mean(abs(5 - level) for level in range(1, 9)))


def test_levels_of_some_images_only_do_not_count() -> None:
    labels, predictions = split(20, ranked=True)
    some = predictions | with_levels({"private_0.png": predictions["private_0.png"]}, 8)
    assert score_split(labels, some) == score_split(labels, predictions)


def test_a_perfect_model_of_the_public_split() -> None:
    labels, _ = PUBLIC
    perfect = {row.filename: Prediction(float(row.level or 0), row.level) for row in labels.rows}
    level = score_split(labels, perfect).model.level
    assert [metric.value for metric in (level.tau_b, level.amae, level.f1_low, level.f1_high)] == [
        close(1), 0, 1, 1,
    ]  # fmt: skip


def test_an_expert_agrees_with_itself() -> None:
    tables = score_split(*PRIVATE).agreement
    for expert in EXPERTS:
        assert tables.tau_b[expert][expert].value == close(1)
        assert tables.amae[expert][expert].value == 0


# --- several splits, comparators


def test_clinical_endpoints_pool_the_raw_scores() -> None:
    reports = score_clinical([PRIVATE, PUBLIC])
    assert list(reports) == ENDPOINTS
    pooled = LabelTable(
        tuple(replace(row, level=1, experts=()) for part in (PRIVATE, PUBLIC) for row in part[0].rows)
    )
    together = score_split(pooled, PRIVATE[1] | PUBLIC[1]).model.endpoints
    assert reports == together
    assert {report.images for report in reports.values()} == {972}
    assert endpoints_to_json(reports) == endpoints_to_json(together)


def test_comparators_are_scored_like_a_model() -> None:
    labels, predictions = PRIVATE
    density = density_predictions(labels)["percent_density"]
    assert density["private_0.png"] == Prediction(labels.rows[0].percent_density or 0)
    assert score_split(labels, predictions).comparators["percent_density"] == score_split(labels, density).model


def test_a_comparator_with_a_gap_is_left_out() -> None:
    labels, predictions = split(20, ranked=True)
    gap = replace(labels.rows[7], dense_area=None)
    table = LabelTable((*labels.rows[:7], gap, *labels.rows[8:]))
    assert list(score_split(table, predictions).comparators) == ["percent_density"]


# --- mistakes


def test_a_missing_prediction_is_named() -> None:
    labels, predictions = split(20, ranked=True)
    del predictions["private_3.png"]
    with pytest.raises(PredictionsError, match=r"No row for 'private_3\.png'; give every image one row\."):
        score_split(labels, predictions)


def test_predictions_of_other_images_do_not_count() -> None:
    labels, predictions = split(20, ranked=True)
    assert score_split(labels, predictions | {"other.png": Prediction(9e9)}) == score_split(labels, predictions)
