"""How `evalsvc try` shows a trial: live while it runs, then the log, the predictions and a verdict that helps."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from evalsvc.cli import console
from evalsvc.domain.submission import EXPLANATIONS, Cause

if TYPE_CHECKING:
    from evalsvc.executors.base import Observation
    from evalsvc.trial.run import Outcome
    from evalsvc.trial.session import Prepared

LOG_LINES: Final = 100
TABLE_ROWS: Final = 20
OK: Final = "this image follows the contract"

ADVICE: Final[dict[Cause, str]] = {
    Cause.IMAGE_REFUSED: "Change the Dockerfile as it says.",
    Cause.TRIAL_FAILED: "Read the log above.",
    Cause.CRASHED: (
        "Read the end of the log above. Only /output, /tmp and /dev/shm can be written to; there is no network."
    ),
    Cause.OUT_OF_MEMORY: (
        "Use smaller batches, or free what is not needed: files in /tmp, /dev/shm and /output are memory too."
    ),
    Cause.TIMED_OUT: "Use larger batches, and check that it waits for nothing: there is no network.",
    Cause.NO_PREDICTIONS: "Write Filename,Score to /output/predictions.csv before the program ends.",
    Cause.INVALID_PREDICTIONS: "Correct what writes the file; --keep-output FILE keeps it for you to look at.",
    Cause.OUTPUT_TOO_LARGE: "Write nothing to /output but predictions.csv, one row per image.",
    Cause.INFRASTRUCTURE: "Check the Docker engine (`docker info`) and try again.",
}
"""What a researcher can do about each cause on her own machine, where nothing is sealed."""

WHAT: Final = EXPLANATIONS | {Cause.INFRASTRUCTURE: "It could not be run here, which says nothing about the model"}

# What a terminal would obey, or cannot show; a tab and a line break are meant.
_CONTROL: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Report:
    """All that is shown.  `samples` says where the images came from; `peak` memory in bytes if it was seen."""

    prepared: "Prepared"
    outcome: "Outcome"
    samples: str
    executor: str
    isolated: bool
    peak: int | None

    @property
    def ok(self) -> bool:
        return self.outcome.cause is None


@contextmanager
def busy(text: str) -> Iterator[None]:
    """A spinner for a step of unknown length; nothing where nobody looks at a screen."""
    if not console.ERR.is_terminal:
        yield
        return
    with console.ERR.status(text):
        yield


@contextmanager
def live() -> Iterator[Callable[["Observation"], None]]:
    """A spinner with the current phase and the time; one plain line per phase where nobody looks at a screen."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    terminal = console.ERR.is_terminal
    shown = "starting"
    with Progress(*columns, console=console.ERR, transient=True, disable=not terminal) as bar:
        task = bar.add_task(shown)

        def watch(seen: "Observation") -> None:
            nonlocal shown
            if seen.phase in {shown, "finished"}:
                return
            shown = str(seen.phase)
            bar.reset(task, description=shown)
            if not terminal:
                console.note(f"{shown} ...")

        yield watch


def kept(report: Report) -> bytes:
    """The predictions under the images' own names, as `evalsvc score` wants them; invalid ones as written."""
    found = report.outcome.predictions
    if not found:
        return report.outcome.written
    levels = any(each.level is not None for each in found.values())
    rows = ["Filename,Score,Level" if levels else "Filename,Score"]
    rows += [f"{name},{each.score!r}" + (f",{each.level}" if levels else "") for name, each in found.items()]
    return ("\n".join(rows) + "\n").encode()


def verdict(report: Report) -> str:
    """One sentence: `ok`, or the cause, what is known of it, and what to do next."""
    outcome = report.outcome
    if outcome.cause is None:
        return f"ok: {OK}"
    told = outcome.detail and outcome.cause is not Cause.NO_PREDICTIONS  # whose detail says the same again
    known = f" ({outcome.detail.rstrip('.')})" if told else ""
    return f"{outcome.cause}: {WHAT[outcome.cause].rstrip('.')}{known}. {ADVICE[outcome.cause]}"


def show(report: Report) -> None:
    """The whole report as text."""
    if report.outcome.cause is not Cause.INFRASTRUCTURE:
        _show_log(report.outcome.log)
        _show_predictions(report)
        console.say(_facts(report))
    console.say(verdict(report))
    if report.ok and report.isolated:
        console.say(f"Next: evalsvc submit {report.prepared.image.reference} --watch")


def show_json(report: Report) -> None:
    """The whole report for programs; sizes in bytes, times in seconds."""
    outcome, image = report.outcome, report.prepared.image
    value: dict[str, Any] = {
        "ok": report.ok,
        "cause": outcome.cause,
        "verdict": verdict(report),
        "image": image.reference,
        "digest": image.digest,
        "executor": report.executor,
        "isolated": report.isolated,
        "samples": report.samples,
        "images": len(report.prepared.trial.samples),
        "limits": asdict(report.prepared.trial.limits),
        "seconds": round(outcome.seconds, 3),
        "peak_memory": report.peak,
        "predictions": [{"filename": name, **asdict(each)} for name, each in outcome.predictions.items()],
        "log": printable(outcome.log),
    }
    console.say_json(value)


def printable(log: bytes) -> str:
    """The log without what could take over a terminal."""
    return _CONTROL.sub("", log.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n"))


def _show_log(log: bytes) -> None:
    lines = printable(log).strip("\n").splitlines()
    if not lines:
        console.say("It printed nothing.\n")
        return
    cut = f", the last {LOG_LINES} lines" if len(lines) > LOG_LINES else ""
    console.say(f"What it printed{cut}:")
    console.say("\n".join(f"  | {line}" for line in lines[-LOG_LINES:]) + "\n")


def _show_predictions(report: Report) -> None:
    found = report.outcome.predictions
    if not found:
        return
    leveled = any(each.level is not None for each in found.values())
    columns = ("Image", "Score", "Level") if leveled else ("Image", "Score")
    rows = [(name, f"{each.score:.6g}", str(each.level))[: len(columns)] for name, each in found.items()]
    console.say_table(None, columns, rows[:TABLE_ROWS], numeric=len(columns) - 1)
    if len(rows) > TABLE_ROWS:
        console.say(f"... and {len(rows) - TABLE_ROWS} more")
    console.say("")


def _facts(report: Report) -> str:
    limits, seconds = report.prepared.trial.limits, report.outcome.seconds
    facts = [f"{len(report.prepared.trial.samples)} images ({report.samples})", f"{seconds:.1f} s"]
    if report.isolated:
        facts[-1] += f" of {limits.wall_time:g} s"
    if report.peak is not None:
        facts.append(f"about {size(report.peak)} of {size(limits.memory)} memory at its highest")
    return ", ".join(facts) + "."


def size(count: int) -> str:
    """Bytes as a person says them."""
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB")):
        if count >= unit:
            return f"{count / unit:.3g} {name}"
    return f"{count} bytes"
