"""Per-image settings of the text removal, from a small table that a person writes by hand."""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Final

from evalsvc.domain.errors import InputError
from evalsvc.imaging.preprocess import DEFAULT_REMOVAL, TextRemoval

COLUMNS: Final = ("Filename", "Kernel", "Min_area", "Max_area", "Skip")
_LARGEST_KERNEL: Final = 512


def read_overrides(path: Path) -> dict[str, TextRemoval]:
    """`Filename;Kernel;Min_area;Max_area;Skip` by file name; a blank cell keeps the default, Skip is 0 or 1.

    Raises `InputError` naming the file and line.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text ({error}); check the path and the encoding.") from error
    reader = csv.reader(lines, delimiter=";")
    if tuple(cell.strip() for cell in next(reader, [])) != COLUMNS:
        raise InputError(f"{path}:1: the header must be {';'.join(COLUMNS)}.")
    overrides: dict[str, TextRemoval] = {}
    for cells in reader:
        if any(cell.strip() for cell in cells):
            name, removal = _removal(path, reader.line_num, [cell.strip() for cell in cells])
            if name in overrides:
                raise InputError(f"{path}:{reader.line_num}: {name} has an earlier line too; keep one.")
            overrides[name] = removal
    return overrides


def _removal(path: Path, line: int, cells: list[str]) -> tuple[str, TextRemoval]:
    where = f"{path}:{line}"
    if len(cells) != len(COLUMNS):
        raise InputError(f"{where}: {len(cells)} cells; {';'.join(COLUMNS)} are {len(COLUMNS)}.")
    name, kernel, min_area, max_area, skip = cells
    if not name:
        raise InputError(f"{where}: Filename is blank; name the image as in the label file.")
    if skip not in {"", "0", "1"}:
        raise InputError(f"{where}: Skip is {skip!r}; it must be 0 or 1, or blank.")
    given = {"kernel": kernel, "min_area": min_area, "max_area": max_area}
    numbers = {key: _whole(where, key.capitalize(), cell) for key, cell in given.items() if cell}
    removal = replace(DEFAULT_REMOVAL, **numbers, skip=skip == "1")
    if not 1 <= removal.kernel <= _LARGEST_KERNEL or removal.min_area >= removal.max_area:
        raise InputError(f"{where}: Kernel must be 1 to {_LARGEST_KERNEL}, and Min_area below Max_area.")
    return name, removal


def _whole(where: str, column: str, cell: str) -> int:
    if not (cell.isascii() and cell.isdigit()):
        raise InputError(f"{where}: {column} is {cell!r}; it must be a whole number, or blank.")
    return int(cell)
