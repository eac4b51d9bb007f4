"""What a metric's answer looks like: a number, or the reason why there is none."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Vector: TypeAlias = npt.NDArray[np.float64]
Levels: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]

Json: TypeAlias = dict[str, "float | str | None"]


@dataclass(frozen=True)
class Metric:
    """A value with its 95% interval; `value` is None exactly when `reason` says why it is undefined.

    `low` and `high` are None where no interval has been estimated.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None

    def to_json(self) -> Json:
        """`value`, `low` and `high`, and `reason` where there is no value."""
        numbers: Json = {"value": self.value, "low": self.low, "high": self.high}
        return numbers if self.reason is None else {**numbers, "reason": self.reason}


def undefined(reason: str) -> Metric:
    """A metric without a value; `reason` is a sentence for people."""
    return Metric(value=None, reason=reason)
