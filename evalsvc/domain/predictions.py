"""The strict parser of `predictions.csv`, the one thing a submission says."""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Prediction:
    """A higher score means more masking; `level` (1-8) only if the submission gives levels."""

    score: float
    level: int | None = None


def parse_predictions(data: bytes, expected: Collection[str]) -> dict[str, Prediction]:
    """Parse `Filename,Score[,Level]` for exactly the `expected` file names.

    Raises `PredictionsError` with one sentence and the line number.
    """
    raise NotImplementedError
