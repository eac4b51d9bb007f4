"""Scoring a predictions.csv against labels one has, and how a score report looks to people.

The tables are made from the report's JSON, which is also what the service sends.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

Report = Mapping[str, Any]

SCALES: Final = {
    "rank": ("Against the median of the experts' rankings (AMAE in ranks)", ("tau_b", "amae")),
    "level": ("Against the levels 1-8 (AMAE in levels)", ("tau_b", "amae", "f1_low", "f1_high")),
}
HEADINGS: Final = {"tau_b": "tau-b", "amae": "AMAE", "f1_low": "F1 low", "f1_high": "F1 high"}
AMAE_DIGITS: Final = {"rank": 1, "level": 3}
UNITS: Final = {"rank": "ranks", "level": "levels"}
UNDEFINED: Final = "-"


def register(app: typer.Typer) -> None:
    """Add this module's commands to the command line."""
    app.command("score")(score)


def score(
    labels: Annotated[Path, typer.Argument(metavar="LABELS.csv", help="Label file, e.g. CSAW-M_test.csv.")],
    predictions: Annotated[
        str, typer.Argument(metavar="PREDICTIONS.csv", help="Filename,Score[,Level]; - reads standard input.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON, with every digit.")] = False,
) -> None:
    """Score predictions against labels you have, by the scorer that the service uses.

    Any label file with the published columns will do: train, public test or a private one of your own.
    """
    from evalsvc.cli.console import say_json
    from evalsvc.domain.errors import PredictionsError
    from evalsvc.domain.labels import read_labels
    from evalsvc.domain.predictions import parse_predictions

    table = read_labels(labels)
    try:
        found = parse_predictions(_read(predictions), [row.filename for row in table.rows])
    except PredictionsError as error:
        where = predictions if error.line is None else f"{predictions}:{error.line}"
        raise PredictionsError(f"{where}: {str(error).removeprefix(f'line {error.line}: ')}") from error
    # Not before the files are known to be good: importing scipy takes most of a second.
    from evalsvc.scoring.report import score_split

    report = score_split(table, found).to_json()
    if as_json:
        say_json(report)
    else:
        show_split(report)


def _read(path: str) -> bytes:
    """The file, or as much of it as shows that it is too large."""
    from evalsvc.domain.errors import InputError
    from evalsvc.domain.predictions import MAX_BYTES

    if path == "-":
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    try:
        with Path(path).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path.") from error


def show_split(report: Report) -> None:
    """One split's report (`SplitReport.to_json`) as tables on standard output."""
    from evalsvc.cli.console import say

    say(f"{report['split']} split, {report['images']} images\n")
    show_scales(report)
    show_endpoints({"model": report, **report["comparators"]})
    _show_agreement(report["agreement"])


def show_scales(report: Report) -> None:
    """The model against the label, on each scale that the labels have."""
    for scale in SCALES:
        if report[scale]:
            _show_scale(scale, report)


def _show_scale(scale: str, report: Report) -> None:
    """The model against the label; comparators and experts are its lines of reference."""
    title, metrics = SCALES[scale]
    scores = {"model": report[scale]} | {name: other[scale] for name, other in report["comparators"].items()}
    if report["agreement"]["scale"] == scale:
        scores |= report["experts"]
    digits = {metric: 4 for metric in metrics} | {"amae": AMAE_DIGITS[scale]}
    rows = [[_name(name), *(_cell(row.get(m), digits[m]) for m in metrics)] for name, row in scores.items()]
    _show(title, ["", *(HEADINGS[metric] for metric in metrics)], rows, scores)


def show_endpoints(scores: Mapping[str, Report]) -> None:
    """Clinical endpoints as a table: `scores` gives `{"endpoints": ...}` of the model and of each comparator."""
    rows = []
    for endpoint in next(iter(scores.values()))["endpoints"]:
        rows.append([_name(endpoint), *[""] * 7])
        rows += [
            [f"  {_name(name)}", *_endpoint_cells(report["endpoints"][endpoint])]
            for name, report in scores.items()
        ]
    title = "Clinical endpoints: AUC, odds ratios of quartiles 2-4 against 1, one-sided p"
    found = {name: report["endpoints"] for name, report in scores.items()}
    _show(title, ["", "AUC", "OR 2", "p", "OR 3", "p", "OR 4", "p"], rows, found)


def _endpoint_cells(report: Report) -> Iterator[str]:
    yield _cell(report["auc"], 4)
    for ratio, p in zip(report["odds_ratio"], report["p_value"], strict=True):
        yield _cell(ratio, 2)
        yield UNDEFINED if p is None else "<.001" if p < 0.001 else f"{p:.3f}"


def _show_agreement(tables: Report) -> None:
    """Each reader against each reference; within levels, against the first reference alone."""
    digits, unit = AMAE_DIGITS[tables["scale"]], UNITS[tables["scale"]]
    _show_readers("Agreement, tau-b (rows: the reference)", tables["tau_b"], 2)
    _show_readers(f"Agreement, AMAE in {unit} (rows: the reference)", tables["amae"], digits)
    label = next(iter(tables["amae"]))
    within = {f"levels {pair}": table[label] for pair, table in tables["amae_within"].items()}
    _show_readers(f"AMAE in {unit} within levels of the {label} (within an expert's: see --json)", within, digits)


def _show_readers(title: str, table: Report, digits: int) -> None:
    readers = list(next(iter(table.values())))
    rows = [[_name(row), *(_cell(metric, digits) for metric in cells.values())] for row, cells in table.items()]
    # Short, so that five experts and the model fit into a narrow terminal.
    _show(title, ["", *(_name(reader).replace("Expert ", "E") for reader in readers)], rows, table)


def _show(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], source: Report) -> None:
    """A table, and below it why numbers of its `source` are missing."""
    from evalsvc.cli.console import say, say_table

    say(title)
    say_table(None, columns, rows, numeric=len(columns) - 1)
    for reason in dict.fromkeys(_reasons(source)):
        say(f"{UNDEFINED}  {reason}")
    say("")


def _reasons(node: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    if isinstance(node, Mapping):
        if "reason" in node:
            yield node["reason"]
        for child in node.values():
            yield from _reasons(child)
    elif isinstance(node, list):
        for child in node:
            yield from _reasons(child)


def _cell(metric: Report | None, digits: int) -> str:
    if metric is None:
        return ""
    return UNDEFINED if metric["value"] is None else f"{metric['value']:.{digits}f}"


def _name(key: str) -> str:
    return key.replace("_", " ")
