"""The published label files (`;`-separated): one typed row per image, or one sentence that says what is wrong."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class LabelRow:
    """One image's labels.  Everything a file leaves out (a private file has no level) is None.

    level
        Masking level 1-8 (public files).
    experts
        Public test: each expert's level.  Private: each expert's position in a list that is longer than the
        split, so positions have gaps and run past the number of images.  Empty for the training file.
    percent_density, dense_area, breast_area
        Libra's, in percent, cm2 and cm2.
    """

    filename: str
    line: int
    level: int | None
    experts: tuple[float, ...]
    cancer: bool
    interval_cancer: bool
    large_invasive_cancer: bool
    composite: bool
    laterality: str
    window_center: float
    window_width: float
    photometric_interpretation: str
    percent_density: float | None
    dense_area: float | None
    breast_area: float | None


@dataclass(frozen=True)
class LabelTable:
    """A label file's rows, in file order; file names are unique."""

    rows: tuple[LabelRow, ...]

    @property
    def ranked(self) -> bool:
        """Whether the experts' columns are rankings (the private file) rather than levels."""
        return bool(self.rows) and self.rows[0].level is None


def read_labels(path: Path) -> LabelTable:
    """Read a label file.  Raises `LabelsError` naming the file and line."""
    raise NotImplementedError


def write_labels(path: Path, table: LabelTable) -> None:
    """Write a label file in the published columns and order, such that `read_labels` gives `table` back."""
    raise NotImplementedError
