"""Every metric of one model on one split, and the clinical metrics of several splits together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from evalsvc.domain.labels import LabelTable
from evalsvc.domain.predictions import Prediction
from evalsvc.scoring.agreement import AgreementTables, Reading, agreement, grade_error
from evalsvc.scoring.clinical import EndpointReport, endpoint
from evalsvc.scoring.cohort import ENDPOINTS, Cohort, line_up
from evalsvc.scoring.metric import Levels, Metric, Vector, undefined
from evalsvc.scoring.ordinal import HIGH, LOW, TOO_FEW, amae, cut, f1, median_rank, ranks, tau_b

SCORER_VERSION: Final = "1"
"""Changes whenever the same files would give another number; part of every stored score and receipt."""

COMPARATORS: Final = ("percent_density", "dense_area")


@dataclass(frozen=True)
class Concordance:
    """Agreement with the label on one scale; AMAE is in ranks or in levels."""

    tau_b: Metric
    amae: Metric

    def to_json(self) -> dict[str, Any]:
        return {"tau_b": self.tau_b.to_json(), "amae": self.amae.to_json()}


@dataclass(frozen=True)
class LevelScores:
    """Agreement with the label's level: tau-b by the score, the others by the level."""

    tau_b: Metric
    amae: Metric
    f1_low: Metric
    f1_high: Metric

    def to_json(self) -> dict[str, Any]:
        return {
            "tau_b": self.tau_b.to_json(),
            "amae": self.amae.to_json(),
            "f1_low": self.f1_low.to_json(),
            "f1_high": self.f1_high.to_json(),
        }


@dataclass(frozen=True)
class ModelScores:
    """One model, or one comparator scored like a model.  `rank` is None where the labels are no ranking."""

    rank: Concordance | None
    level: LevelScores
    endpoints: Mapping[str, EndpointReport]

    def to_json(self) -> dict[str, Any]:
        return {
            "rank": None if self.rank is None else self.rank.to_json(),
            "level": self.level.to_json(),
            "endpoints": endpoints_to_json(self.endpoints),
        }


@dataclass(frozen=True)
class SplitReport:
    """All that is known of one model on one split.

    split
        "private" where the label file holds rankings, else "public".
    experts
        Each expert against the label, on the rank scale for rankings and the level scale otherwise.
    comparators
        Percent density and dense area, where the label file has them for every image.
    """

    split: str
    images: int
    model: ModelScores
    experts: Mapping[str, Concordance]
    agreement: AgreementTables
    comparators: Mapping[str, ModelScores]

    def to_json(self) -> dict[str, Any]:
        """What `evalsvc score --json` prints; docs/metrics.md describes it."""
        return {
            "split": self.split,
            "images": self.images,
            **self.model.to_json(),
            "experts": {name: concordance.to_json() for name, concordance in self.experts.items()},
            "agreement": self.agreement.to_json(),
            "comparators": {name: scores.to_json() for name, scores in self.comparators.items()},
        }


def score_split(labels: LabelTable, predictions: Mapping[str, Prediction]) -> SplitReport:
    """Score one model on one split.  Raises `PredictionsError` when an image has no prediction."""
    cohort = line_up(labels, predictions)
    truth, model, experts = _truth(cohort), _model(cohort), _experts(cohort)
    return SplitReport(
        split="private" if cohort.ranked else "public",
        images=len(cohort.score),
        model=score_model(cohort),
        experts={name: _concordance(reading, truth) for name, reading in experts.items()},
        agreement=agreement(
            "rank" if cohort.ranked else "level",
            references={"median" if experts else "label": truth, **experts},
            readers={**experts, "model": model},
        ),
        comparators={
            name: score_model(line_up(labels, comparator))
            for name, comparator in density_predictions(labels).items()
        },
    )


def score_clinical(parts: Sequence[tuple[LabelTable, Mapping[str, Prediction]]]) -> dict[str, EndpointReport]:
    """The clinical endpoints of one model over several splits taken together, for power.

    The raw scores are pooled: one model gives them all, so they are on one scale.
    """
    cohorts = [line_up(labels, predictions) for labels, predictions in parts]
    score = np.concatenate([cohort.score for cohort in cohorts])
    return {
        name: endpoint(score, np.concatenate([cohort.endpoints[name] for cohort in cohorts])) for name in ENDPOINTS
    }


def endpoints_to_json(endpoints: Mapping[str, EndpointReport]) -> dict[str, Any]:
    """Endpoints by name, as in a split's report."""
    return {name: report.to_json() for name, report in endpoints.items()}


def density_predictions(labels: LabelTable) -> dict[str, dict[str, Prediction]]:
    """Comparators in the form of predictions: the density columns that have a value for every image."""
    columns = {name: {row.filename: getattr(row, name) for row in labels.rows} for name in COMPARATORS}
    return {
        name: {filename: Prediction(value) for filename, value in column.items()}
        for name, column in columns.items()
        if None not in column.values()
    }


def score_model(cohort: Cohort) -> ModelScores:
    """Every metric of a cohort's model: a function of aligned arrays alone."""
    truth, model = _truth(cohort), _model(cohort)
    return ModelScores(
        rank=_concordance(model, truth) if cohort.ranked else None,
        level=_level_scores(model, truth),
        endpoints={name: endpoint(cohort.score, cohort.endpoints[name]) for name in ENDPOINTS},
    )


def _truth(cohort: Cohort) -> Reading:
    if cohort.label is not None:
        return _by_level(cohort.label)
    return _by_rank(median_rank(cohort.experts))


def _model(cohort: Cohort) -> Reading:
    level = cut(cohort.score) if cohort.level is None else cohort.level
    return Reading(order=cohort.score, grade=ranks(cohort.score) if cohort.ranked else level, level=level)


def _experts(cohort: Cohort) -> dict[str, Reading]:
    return {
        f"Expert_{number}": _by_rank(ranks(column)) if cohort.ranked else _by_level(column.astype(np.int64))
        for number, column in enumerate(cohort.experts.T, start=1)
    }


def _by_rank(rank: Vector) -> Reading:
    return Reading(order=rank, grade=rank, level=cut(rank))


def _by_level(level: Levels) -> Reading:
    return Reading(order=level, grade=level, level=level)


def _concordance(reading: Reading, truth: Reading) -> Concordance:
    return Concordance(tau_b(reading.order, truth.order), grade_error(reading, truth))


def _level_scores(model: Reading, truth: Reading) -> LevelScores:
    if model.level is None or truth.level is None:
        none = undefined(TOO_FEW)
        known = none if truth.level is None else tau_b(model.order, truth.level)
        return LevelScores(known, none, none, none)
    return LevelScores(
        tau_b=tau_b(model.order, truth.level),
        amae=amae(model.level, truth.level),
        f1_low=f1(model.level, truth.level, LOW),
        f1_high=f1(model.level, truth.level, HIGH),
    )
