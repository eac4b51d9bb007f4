"""How much readers agree with each other: the published tables of references against experts and the model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

import numpy as np

from evalsvc.scoring.metric import Levels, Metric, Vector, undefined
from evalsvc.scoring.ordinal import TOO_FEW, amae, tau_b

LEVEL_PAIRS: Final = ((1, 2), (3, 4), (5, 6), (7, 8))

Table: TypeAlias = Mapping[str, Mapping[str, Metric]]
"""Reference (row), then reader (column)."""


@dataclass(frozen=True)
class Reading:
    """One reader's opinion of n images: an expert's, the median's or a model's.

    order
        What tau-b compares: any numbers, higher meaning more masking.
    grade
        What AMAE compares: ranks 1..n or levels 1-8, the same for all readings of a table.
    level
        Levels 1-8, by which a reference groups the images.

    `grade` and `level` are None where they are levels cut from fewer than 8 images.
    """

    order: Vector | Levels
    grade: Vector | Levels | None
    level: Levels | None


@dataclass(frozen=True)
class AgreementTables:
    """tau-b and AMAE, and AMAE again within the reference's levels; `scale` ("rank" or "level") is AMAE's unit."""

    scale: str
    tau_b: Table
    amae: Table
    amae_within: Mapping[str, Table]

    def to_json(self) -> dict[str, Any]:
        """Nested by reference, then reader; `amae_within` by "1-2", "3-4", "5-6" and "7-8" first."""
        return {
            "scale": self.scale,
            "tau_b": _table_json(self.tau_b),
            "amae": _table_json(self.amae),
            "amae_within": {pair: _table_json(table) for pair, table in self.amae_within.items()},
        }


def agreement(scale: str, references: Mapping[str, Reading], readers: Mapping[str, Reading]) -> AgreementTables:
    """Compare each reader with each reference.  A reader that is a reference too meets itself, as published."""

    def table(compare: Callable[[Reading, Reading], Metric]) -> Table:
        return {
            row: {column: compare(reader, reference) for column, reader in readers.items()}
            for row, reference in references.items()
        }

    return AgreementTables(
        scale=scale,
        tau_b=table(lambda reader, reference: tau_b(reader.order, reference.order)),
        amae=table(grade_error),
        amae_within={f"{pair[0]}-{pair[1]}": table(partial(amae_within, pair=pair)) for pair in LEVEL_PAIRS},
    )


def grade_error(reader: Reading, reference: Reading) -> Metric:
    """AMAE of the reader's grades against the reference's."""
    if reader.grade is None or reference.grade is None:
        return undefined(TOO_FEW)
    return amae(reader.grade, reference.grade)


def amae_within(reader: Reading, reference: Reading, pair: tuple[int, int]) -> Metric:
    """AMAE over the images that the reference puts in one of two levels."""
    if reader.grade is None or reference.grade is None or reference.level is None:
        return undefined(TOO_FEW)
    chosen = np.isin(reference.level, pair)
    if not chosen.any():
        return undefined(f"The reference puts no image in level {pair[0]} or {pair[1]}.")
    return amae(reader.grade[chosen], reference.grade[chosen])


def _table_json(table: Table) -> dict[str, Any]:
    return {
        reference: {reader: metric.to_json() for reader, metric in row.items()} for reference, row in table.items()
    }
