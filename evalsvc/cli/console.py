"""How the command line talks: results to standard output, everything else to standard error."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

OUT = Console(highlight=False, soft_wrap=True)
ERR = Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """A result, as it is (no markup is interpreted)."""
    OUT.print(visible(text), markup=False)


def note(text: str) -> None:
    """Something to know that is not the result."""
    ERR.print(visible(text), markup=False)


def write(text: str) -> None:
    """Text of somebody else's, as it is but for control characters."""
    safe = visible(text)
    sys.stdout.write(safe if safe.endswith("\n") or not safe else safe + "\n")


def visible(text: str) -> str:
    """`text` with control characters, which could repaint a terminal, written out."""
    return "".join(c if c.isprintable() or c in "\n\t" else f"\\x{ord(c):02x}" for c in text)


def say_json(value: Any) -> None:  # noqa: ANN401 - any JSON value
    """A result for programs: keys in the order given, NaN refused, ASCII so that no terminal is at its mercy."""
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False) + "\n")


def say_table(title: str | None, columns: Sequence[str], rows: Iterable[Sequence[str]], numeric: int = 0) -> None:
    """An aligned table; the last `numeric` columns are aligned right."""
    heading = None if title is None else _plain(title)
    table = Table(title=heading, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        right = index >= len(columns) - numeric
        table.add_column(_plain(column), justify="right" if right else "left", no_wrap=right)
    for row in rows:
        table.add_row(*map(_plain, row))
    OUT.print(table)


def _plain(text: str) -> Text:
    return Text(visible(text))


@contextmanager
def progress() -> Iterator[Progress]:
    """A progress display on standard error that leaves nothing behind; silent where nobody looks."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=ERR,
        transient=True,
        disable=not ERR.is_terminal,
    )
    with bar:
        yield bar
