"""The published label files (`;`-separated): one typed row per image, or one sentence that says what is wrong."""

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from evalsvc.domain.errors import LabelsError

LEVELS: Final = range(1, 9)
LATERALITIES: Final = ("L", "R")
PHOTOMETRIC_INTERPRETATIONS: Final = ("MONOCHROME1", "MONOCHROME2")

_FLAGS: Final = ("If_cancer", "If_interval_cancer", "If_large_invasive_cancer", "If_composite")
_DICOM: Final = (
    "Dicom_image_laterality",
    "Dicom_window_center",
    "Dicom_window_width",
    "Dicom_photometric_interpretation",
)
_LIBRA: Final = ("Libra_percent_density", "Libra_dense_area", "Libra_breast_area")
_REQUIRED: Final = ("Filename", *_FLAGS, *_DICOM, *_LIBRA)


@dataclass(frozen=True)
class LabelRow:
    """One image's labels.  Everything a file leaves out (a private file has no level) is None.

    level
        Masking level 1-8 (public files).
    experts
        Public test: each expert's level.  Private: each expert's position in a list that is longer than the
        split, so positions have gaps and run past the number of images.  Empty for the training file.
    laterality, window_center, window_width, photometric_interpretation
        Of the DICOM file; a blank cell ("" or None here) leaves it to the DICOM header.
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
    window_center: float | None
    window_width: float | None
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
    lines = _lines(path)
    _, header = next(lines, (0, []))
    experts = _checked_header(path, header)
    rows: list[LabelRow] = []
    first_seen: dict[str, int] = {}
    for line, cells in lines:
        if len(cells) != len(header):
            raise LabelsError(
                path, f"{len(cells)} cells where the header has {len(header)}; compare the two lines.", line
            )
        row = _row(_Line(path, line, dict(zip(header, cells, strict=True))), experts)
        if row.filename in first_seen:
            raise LabelsError(
                path, f"{row.filename} is already on line {first_seen[row.filename]}; keep one.", line
            )
        first_seen[row.filename] = line
        rows.append(row)
    if not rows:
        raise LabelsError(path, "the file has a header and no image; is it the whole file?")
    return LabelTable(tuple(rows))


def write_labels(path: Path, table: LabelTable) -> None:
    """Write a label file in the published columns and order, such that `read_labels` gives `table` back.

    Rows are numbered from line 2 on when read back.  Raises `ValueError` for a table without rows, or one whose
    rows differ in what they leave out.
    """
    shapes = {(row.level is None, len(row.experts)) for row in table.rows}
    if len(shapes) != 1:
        raise ValueError("a label file needs at least one row, and all rows must have the same columns")
    (ranked, experts) = shapes.pop()
    columns = _expert_columns(experts) if ranked else ["Label", *_expert_columns(experts)]
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\n")
    writer.writerow(["Filename", *columns, *_FLAGS, *_DICOM, *_LIBRA])
    writer.writerows(_cells(row) for row in table.rows)
    path.write_text(text.getvalue(), encoding="utf-8", newline="")


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Each line that is not blank, as its number and its cells without surrounding white space."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise LabelsError(path, f"cannot be read ({error.strerror}); check the path.") from error
    except UnicodeDecodeError as error:
        raise LabelsError(path, "is not UTF-8 text; save it as CSV in UTF-8.") from error
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";", strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise LabelsError(
            path, f"is not well-formed CSV ({error}); look for a stray quote.", reader.line_num
        ) from error


def _checked_header(path: Path, header: Sequence[str]) -> tuple[str, ...]:
    """The names of the expert columns, once the header is known to be usable."""
    if not header:
        raise LabelsError(path, "the file is empty; a label file starts with a header.")
    if len(header) == 1 and "," in header[0]:
        raise LabelsError(path, "cells are separated by ','; label files use ';'.", 1)
    missing = [name for name in _REQUIRED if name not in header]
    if missing:
        raise LabelsError(path, f"the header lacks {', '.join(missing)}; use the published columns.", 1)
    repeated = sorted({name for name in header if name and header.count(name) > 1})
    if repeated:
        raise LabelsError(path, f"the header has {', '.join(repeated)} more than once; keep one.", 1)
    experts = [name for name in header if re.fullmatch(r"Expert_\d+", name)]
    if experts != _expert_columns(len(experts)):
        raise LabelsError(
            path, f"expert columns must be Expert_1, Expert_2, ... in order, not {', '.join(experts)}.", 1
        )
    if "Label" not in header and not experts:
        raise LabelsError(path, "the header has neither Label nor Expert_1; an image needs one of them.", 1)
    return ("Label", *experts) if "Label" in header else tuple(experts)


@dataclass(frozen=True)
class _Line:
    """One line's cells by column name, and the sentence for each way a cell can be wrong."""

    path: Path
    line: int
    cells: Mapping[str, str]

    def error(self, column: str, expected: str) -> LabelsError:
        return LabelsError(self.path, f"{column} is {self.cells[column]!r}; it must be {expected}.", self.line)

    def filename(self) -> str:
        name = self.cells["Filename"]
        if name in {"", ".", ".."} or re.search(r"[/\\\x00-\x1f]", name):
            raise self.error("Filename", "a plain file name, without a folder")
        return name

    def number(self, column: str, expected: str = "a finite number") -> float:
        try:
            value = float(self.cells[column])
        except ValueError:
            raise self.error(column, expected) from None
        if not math.isfinite(value):
            raise self.error(column, expected)
        return value

    def optional(self, column: str, expected: str = "a finite number, or blank") -> float | None:
        return self.number(column, expected) if self.cells[column] else None

    def width(self) -> float | None:
        value = self.optional("Dicom_window_width")
        if value is not None and value <= 0:
            raise self.error("Dicom_window_width", "above 0, or blank")
        return value

    def level(self, column: str) -> int:
        value = self.number(column, "a whole number from 1 to 8")
        if value not in LEVELS:
            raise self.error(column, "a whole number from 1 to 8")
        return int(value)

    def flag(self, column: str) -> bool:
        if self.cells[column] not in {"0", "1"}:
            raise self.error(column, "0 or 1")
        return self.cells[column] == "1"

    def choice(self, column: str, choices: Sequence[str]) -> str:
        if self.cells[column] not in {*choices, ""}:
            raise self.error(column, f"{' or '.join(choices)}, or blank")
        return self.cells[column]


def _row(line: _Line, marks: tuple[str, ...]) -> LabelRow:
    """One typed row; `marks` are the Label and Expert columns that the header has."""
    ranked = "Label" not in marks
    experts = [name for name in marks if name != "Label"]
    return LabelRow(
        filename=line.filename(),
        line=line.line,
        level=None if ranked else line.level("Label"),
        experts=tuple(line.number(name) if ranked else float(line.level(name)) for name in experts),
        cancer=line.flag("If_cancer"),
        interval_cancer=line.flag("If_interval_cancer"),
        large_invasive_cancer=line.flag("If_large_invasive_cancer"),
        composite=line.flag("If_composite"),
        laterality=line.choice("Dicom_image_laterality", LATERALITIES),
        window_center=line.optional("Dicom_window_center"),
        window_width=line.width(),
        photometric_interpretation=line.choice("Dicom_photometric_interpretation", PHOTOMETRIC_INTERPRETATIONS),
        percent_density=line.optional("Libra_percent_density"),
        dense_area=line.optional("Libra_dense_area"),
        breast_area=line.optional("Libra_breast_area"),
    )


def _cells(row: LabelRow) -> list[str]:
    marks = [] if row.level is None else [str(row.level)]
    flags = (row.cancer, row.interval_cancer, row.large_invasive_cancer, row.composite)
    return [
        row.filename,
        *marks,
        *(_number(position) for position in row.experts),
        *(str(int(flag)) for flag in flags),
        row.laterality,
        _number(row.window_center),
        _number(row.window_width),
        row.photometric_interpretation,
        _number(row.percent_density),
        _number(row.dense_area),
        _number(row.breast_area),
    ]


def _number(value: float | None) -> str:
    """The shortest text that reads back as the same number; whole numbers without a point."""
    if value is None:
        return ""
    return str(int(value)) if value == int(value) else repr(float(value))


def _expert_columns(count: int) -> list[str]:
    return [f"Expert_{number}" for number in range(1, count + 1)]
