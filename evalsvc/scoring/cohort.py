"""Labels and predictions of one split, lined up as arrays.

Scoring a cohort is a function of these arrays alone, so a resample of the images is scored by the same code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from evalsvc.domain.errors import PredictionsError
from evalsvc.domain.labels import LabelRow, LabelTable
from evalsvc.domain.predictions import Prediction
from evalsvc.scoring.metric import Flags, Levels, Vector

ENDPOINTS: Final = ("interval_cancer", "large_invasive_cancer", "composite")


@dataclass(frozen=True)
class Cohort:
    """n images and one model's answers, in the order of the file names.

    ranked
        Whether `experts` holds positions in a ranking (the private split) rather than levels.
    score, level
        (n,) the model's; `level` is None unless the model gave one for every image.
    label
        (n,) levels of a split that is not ranked; None for one that is.
    experts
        (n, k) positions or levels; k is 0 for the training split.
    endpoints
        (n,) for each of `ENDPOINTS`.
    """

    ranked: bool
    score: Vector
    level: Levels | None
    label: Levels | None
    experts: Vector
    endpoints: Mapping[str, Flags]


def line_up(labels: LabelTable, predictions: Mapping[str, Prediction]) -> Cohort:
    """Join by file name; predictions of other images are left out.

    Images are sorted by name, so that an index means the same image in whatever order the files were.
    Raises `PredictionsError` when an image has no prediction.
    """
    rows = sorted(labels.rows, key=lambda row: row.filename)
    answers = [_answer(row, predictions) for row in rows]
    levels = [answer.level for answer in answers if answer.level is not None]
    return Cohort(
        ranked=labels.ranked,
        score=np.array([answer.score for answer in answers], dtype=np.float64),
        level=np.array(levels, dtype=np.int64) if levels and len(levels) == len(rows) else None,
        label=None if labels.ranked else np.array([row.level for row in rows], dtype=np.int64),
        experts=_experts(rows),
        endpoints={name: _flags(rows, name) for name in ENDPOINTS},
    )


def _answer(row: LabelRow, predictions: Mapping[str, Prediction]) -> Prediction:
    if (answer := predictions.get(row.filename)) is None:
        raise PredictionsError(f"No row for {row.filename!r}; give every image one row.")
    return answer


def _experts(rows: Sequence[LabelRow]) -> Vector:
    count = len(rows[0].experts) if rows else 0
    return np.array([row.experts for row in rows], dtype=np.float64).reshape(len(rows), count)


def _flags(rows: Sequence[LabelRow], endpoint: str) -> Flags:
    return np.array([getattr(row, endpoint) for row in rows], dtype=np.bool_)
