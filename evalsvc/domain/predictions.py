"""The strict parser of `predictions.csv`, the one thing a submission says.

The file comes from code nobody here has read.  What a person would expect is accepted (either separator, quotes,
a byte order mark, any order of columns and rows); whatever could change a meaning in silence is refused with one
sentence.  The work done is linear in the file's size, and a file over the cap is not looked at.
"""

import csv
import math
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from evalsvc.domain.errors import PredictionsError

MAX_BYTES: Final = 4 << 20
"""The default cap: forty times what the largest published split needs."""

MAX_LINE: Final = 1024
"""Characters in one line; a file name has at most 255."""

_COLUMNS: Final = ("filename", "score", "level")
_BLANK: Final = " \t"
_HEADER_RULE: Final = "the first line must be Filename,Score (or Filename,Score,Level)"
# Python's float() also takes 1_000, other scripts' digits and surrounding line breaks.
_NUMBER: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_NOT_FINITE: Final = re.compile(r"[+-]?(nan|inf|infinity)", re.IGNORECASE)
_LEVEL: Final = re.compile(r"[1-8](\.0*)?")
_LONE_CR: Final = re.compile(r"\r(?!\n)")
_MAGIC: Final = (
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
    (b"PK\x03\x04", "an Excel workbook or zip archive"),
    (b"\x1f\x8b", "compressed by gzip"),
)


@dataclass(frozen=True)
class Prediction:
    """A higher score means more masking; `level` (1-8) only if the submission gives levels."""

    score: float
    level: int | None = None


@dataclass(frozen=True)
class _Layout:
    """Where the header puts each column; `level` is None when there is none."""

    delimiter: str
    width: int
    filename: int
    score: int
    level: int | None


def parse_predictions(data: bytes, expected: Collection[str], max_bytes: int = MAX_BYTES) -> dict[str, Prediction]:
    """Parse `Filename,Score[,Level]` for exactly the `expected` file names; the order is the file's.

    Expected names have no line breaks and no surrounding blanks.  Either every image has a level or none.
    Raises `PredictionsError` with one sentence and, where there is one, the line number.
    """
    names = frozenset(expected)
    lines = _lines(_decode(data, max_bytes))
    layout = _layout(*next(lines), names)
    found: dict[str, Prediction] = {}
    seen: dict[str, int] = {}
    for number, line in lines:
        cells = _row(line, layout, number)
        name = _known(cells[layout.filename], names, number)
        if name in seen:
            raise PredictionsError(f"{_show(name)} is also on line {seen[name]}; give each image one row.", number)
        seen[name] = number
        level = None if layout.level is None else _level(cells[layout.level], number)
        found[name] = Prediction(_score(cells[layout.score], number), level)
    _complete(found, names)
    return found


def _decode(data: bytes, max_bytes: int) -> str:
    if len(data) > max_bytes:
        raise PredictionsError(f"The file has more than the {max_bytes} bytes allowed; write one row per image.")
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            raise PredictionsError(f"The file is {kind}; write plain UTF-8 text.")
    if (nul := data.find(0)) >= 0:
        raise PredictionsError("a NUL byte, so this is not plain text; write UTF-8 text.", _line_at(data, nul))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # `error.object` is what the codec was given, without the byte order mark.
        line = error.object.count(b"\n", 0, error.start) + 1
        raise PredictionsError(
            f"byte 0x{error.object[error.start]:02x} is not UTF-8; save the file as UTF-8.", line
        ) from error
    if lone := _LONE_CR.search(text):
        raise PredictionsError(
            r'a lone carriage return; end lines with \n or \r\n (in Python: open(path, "w", newline="")).',
            text.count("\n", 0, lone.start()) + 1,
        )
    return text


def _line_at(data: bytes, offset: int) -> int:
    return data.count(b"\n", 0, offset) + 1


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Each line with its number; blank lines at the end are no lines.  Never empty."""
    text = text.rstrip(" \t\r\n")
    if not text:
        raise PredictionsError("The file is empty; write the header Filename,Score and one row per image.")
    for number, line in enumerate(text.split("\n"), start=1):
        if len(line) > MAX_LINE:
            raise PredictionsError(
                f"{len(line)} characters, more than the {MAX_LINE} allowed; write one image per line.",
                number,
            )
        if not (stripped := line.strip(" \t\r")):
            raise PredictionsError("an empty line; take it out.", number)
        yield number, stripped


def _cells(line: str, delimiter: str, number: int) -> list[str]:
    if '"' not in line:
        return [cell.strip(_BLANK) for cell in line.split(delimiter)]
    try:
        # A list of one line: a quoted cell cannot swallow the lines that follow.
        [cells] = csv.reader([line], delimiter=delimiter, strict=True, skipinitialspace=True)
    except csv.Error as error:
        raise PredictionsError(
            "quotes that do not match; put them around a whole cell or leave them out.", number
        ) from error
    return [cell.strip(_BLANK) for cell in cells]


def _layout(number: int, line: str, names: frozenset[str]) -> _Layout:
    """Read the header, whose columns may come in any order and in any case."""
    delimiter = ";" if ";" in line else ","
    if delimiter == ";" and "," in line:
        raise PredictionsError("the header has both , and ;; separate the columns by one of them.", number)
    cells = _cells(line, delimiter, number)
    if any(cell.lower() not in _COLUMNS and (cell in names or cell.endswith(".png")) for cell in cells):
        raise PredictionsError(f"there is no header; {_HEADER_RULE}.", number)
    where: dict[str, int] = {}
    for index, cell in enumerate(cells):
        if (column := _column(cell, number)) in where:
            raise PredictionsError(f"column {column.title()} is there more than once; {_HEADER_RULE}.", number)
        where[column] = index
    for column in _COLUMNS[:2]:
        if column not in where:
            raise PredictionsError(f"column {column.title()} is missing; {_HEADER_RULE}.", number)
    return _Layout(delimiter, len(cells), where["filename"], where["score"], where.get("level"))


def _column(cell: str, number: int) -> str:
    if not cell:
        raise PredictionsError(
            f"a column without a name (pandas: to_csv(path, index=False)); {_HEADER_RULE}.", number
        )
    if cell.lower() not in _COLUMNS:
        raise PredictionsError(f"unknown column {_show(cell)}; {_HEADER_RULE}.", number)
    return cell.lower()


def _row(line: str, layout: _Layout, number: int) -> list[str]:
    cells = _cells(line, layout.delimiter, number)
    if len(cells) != layout.width:
        raise PredictionsError(
            f"expected {layout.width} cells, found {len(cells)}; separate cells by {layout.delimiter} "
            "and write numbers with a point, like 0.5.",
            number,
        )
    return cells


def _known(name: str, names: frozenset[str], number: int) -> str:
    if name in names:
        return name
    if not name:
        raise PredictionsError("no file name; write the name of one image.", number)
    advice = "use the names of the image files"
    base = re.split(r"[/\\]", name)[-1]
    for guess in (base, f"{base}.png", base.lower()):
        if guess in names:
            advice = f"write {_show(guess)}"
            break
    raise PredictionsError(f"{_show(name)} is not one of the {len(names)} images; {advice}.", number)


def _score(text: str, number: int) -> float:
    if not text:
        raise PredictionsError("no score; give every image a number.", number)
    if _NUMBER.fullmatch(text):
        return _in_range(text, number)
    if _NOT_FINITE.fullmatch(text):
        raise PredictionsError(f"the score {_show(text)} is not finite; give every image a finite number.", number)
    if _NUMBER.fullmatch(text.replace(",", ".", 1)):
        raise PredictionsError(f"the score {_show(text)} has a decimal comma; write a point, like 0.5.", number)
    raise PredictionsError(f"the score {_show(text)} is not a number; write one like 0.5 or 1.2e-3.", number)


def _in_range(text: str, number: int) -> float:
    value = float(text)
    if math.isinf(value):
        raise PredictionsError(f"the score {_show(text)} is too large for a float; scale the scores.", number)
    # Two scores that both become 0 would be a tie the submission never meant.
    if value == 0 and re.search("[1-9]", re.split("[eE]", text)[0]):
        raise PredictionsError(f"the score {_show(text)} is too small for a float; scale the scores.", number)
    return value


def _level(text: str, number: int) -> int:
    if not text:
        raise PredictionsError("no level; give every image one from 1 to 8, or leave the column out.", number)
    if not _LEVEL.fullmatch(text):
        raise PredictionsError(f"the level {_show(text)} is not a whole number from 1 to 8.", number)
    return int(text[0])


def _complete(found: Collection[str], names: frozenset[str]) -> None:
    missing = names.difference(found)
    if missing and not found:
        raise PredictionsError("The file has a header and no rows; write one row per image.")
    if missing:
        raise PredictionsError(
            f"No row for {len(missing)} of the {len(names)} images, the first being {_show(min(missing))}; "
            "give every image one row."
        )


def _show(text: str) -> str:
    """Untrusted text for a message: short, on one line, without control or direction characters."""
    return repr(text if len(text) <= 40 else text[:37] + "...")
