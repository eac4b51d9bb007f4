"""The threat model cites tests; each of them is in the file that is named with it."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
USUAL = "test_isolation.py"


def promises() -> Iterator[tuple[str, str]]:
    """Row and test cell of each promise in the table."""
    lines = (ROOT / "docs/security.md").read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("| a submission cannot"))
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            return
        cells = line.strip("|").split("|")
        yield cells[0].strip(), cells[-1].strip()


def cited(cell: str) -> Iterator[tuple[str, str]]:
    """(test, file) of each test; a file in brackets is that of all tests since the last one, or semicolon."""
    for group in cell.split(";"):
        since: list[str] = []
        for name, file in re.findall(r"`(test_\w+)`|\(([\w/]+\.py)\)", group):
            if name:
                since.append(name)
            else:
                yield from ((test, file) for test in since)
                since = []
        yield from ((test, USUAL) for test in since)


def written(file: str) -> set[str]:
    folder = ROOT / "tests" / ("unit" if file.startswith("unit/") else "integration")
    text = (folder / Path(file).name).read_text()
    return set(re.findall(r"^def (test_\w+)\(", text, flags=re.MULTILINE))


def test_every_promise_names_tests_that_are_where_it_says() -> None:
    tests = {promise: list(cited(cell)) for promise, cell in promises()}
    assert len(tests) > 20
    assert [promise for promise, found in tests.items() if not found] == []
    assert [(t, file) for found in tests.values() for t, file in found if t not in written(file)] == []
