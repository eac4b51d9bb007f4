"""The images: preprocess real ones, synthesize a stand-in."""

import itertools
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from evalsvc.domain.dataset import Split
    from evalsvc.imaging.batch import Outcome

Jobs = Annotated[int | None, typer.Option("--jobs", min=1, help="Processes; one per core by default.")]
_SHOWN_FAILURES = 20
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def register(app: typer.Typer) -> None:
    """Add this module's commands to the command line."""
    app.command("preprocess")(preprocess)
    data = typer.Typer(help="Data sets on this machine.", no_args_is_help=True)
    data.command("synthesize")(synthesize)
    app.add_typer(data, name="data")


def preprocess(  # noqa: PLR0913 - one parameter per option is how typer works
    raw_dir: Annotated[
        Path, typer.Argument(metavar="RAW_DIR", help="Folder of originals: DICOM files or 16-bit PNGs.")
    ],
    out_dir: Annotated[Path, typer.Argument(metavar="OUT_DIR", help="Folder for the 8-bit PNGs; made if needed.")],
    labels: Annotated[Path, typer.Option("--labels", help="Label file that names the images.")],
    overrides: Annotated[
        Path | None, typer.Option("--overrides", help="CSV file: Filename;Kernel;Min_area;Max_area;Skip.")
    ] = None,
    raw_out: Annotated[Path | None, typer.Option("--raw-out", help="Also keep the 16-bit raw PNGs here.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Redo images that exist already.")] = False,
    jobs: Jobs = None,
    as_json: AsJson = False,
) -> None:
    """Turn raw mammograms into the 8-bit images that models see.

    An image that fails is reported and stops nothing else; run again after mending it: finished images are kept.
    """
    from evalsvc.domain.errors import InputError
    from evalsvc.domain.labels import read_labels
    from evalsvc.imaging import batch
    from evalsvc.imaging.overrides import read_overrides
    from evalsvc.imaging.parallel import run_all

    table = read_labels(labels)
    destination = batch.Destination(out_dir, raw_out, overwrite)
    tasks, known = batch.plan(table, raw_dir, destination, read_overrides(overrides) if overrides else {})
    for folder in (out_dir, raw_out):
        if folder is not None:
            _make_folder(folder)
    outcomes = _watched(known, run_all(batch.process, tasks, jobs or os.cpu_count() or 1), len(known) + len(tasks))
    counts = _report(outcomes, out_dir, as_json)
    if counts["failed"]:
        raise InputError(
            f"{counts['failed']} of {len(outcomes)} images failed. Mend these and run it again: the rest is kept."
        )


def synthesize(  # noqa: PLR0913 - one parameter per option is how typer works
    directory: Annotated[Path, typer.Argument(help="New folder, or one to complete.", metavar="DIR")],
    images: Annotated[int | None, typer.Option("--images", min=1, help="At most so many per split.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Everything follows from it.")] = 0,
    split: Annotated[list[str] | None, typer.Option("--split", help="train, test or private; repeatable.")] = None,
    dicom: Annotated[int, typer.Option("--dicom", min=0, help="Full-size DICOM files per split.")] = 0,
    no_preprocess: Annotated[bool, typer.Option("--no-preprocess", help="Raw images only.")] = False,
    jobs: Jobs = None,
    as_json: AsJson = False,
) -> None:
    """Make the synthetic stand-in: images and labels in the layout and with the statistics of the real data.

    Run it again to complete an interrupted run: finished images are kept.
    """
    from evalsvc.cli import console
    from evalsvc.imaging.parallel import run_all
    from evalsvc.imaging.phantom import writing
    from evalsvc.imaging.phantom.cases import StandIn
    from evalsvc.imaging.phantom.drawing import draw

    splits = _chosen_splits(split)
    extent = writing.Extent(splits, dicom, not no_preprocess)
    with console.progress() as bar:
        shown = bar.add_task("labels", total=None)
        tasks = writing.prepare(directory, StandIn(seed, images), extent)
        bar.update(shown, description="images", total=len(tasks))
        drawn = 0
        for new in run_all(draw, tasks, jobs or os.cpu_count() or 1):
            drawn += new
            bar.advance(shown)
    counts = {name.value: sum(task.split is name for task in tasks) for name in splits}
    if as_json:
        console.say_json({"dir": str(directory), "seed": seed, "images": counts, "drawn": drawn})
    else:
        numbers = ", ".join(f"{count} {name}" for name, count in counts.items())
        console.say(f"{numbers} images, {drawn} of them new -> {directory}")


def _chosen_splits(names: list[str] | None) -> "tuple[Split, ...]":
    from evalsvc.domain.dataset import Split

    choices = (Split.TRAIN, Split.PUBLIC, Split.PRIVATE)
    for name in names or ():
        if name not in choices:
            raise typer.BadParameter(f"{name!r} is not one of train, test, private.", param_hint="--split")
    return tuple(choice for choice in choices if not names or choice in names)


def _watched(known: "Iterable[Outcome]", outcomes: "Iterable[Outcome]", total: int) -> "list[Outcome]":
    """All outcomes, the first failures noted as they come, under a progress bar."""
    from evalsvc.cli import console

    seen: list[Outcome] = []
    failures = 0
    with console.progress() as bar:
        task = bar.add_task("preprocessing", total=total)
        # What is known beforehand (labels without an image) comes last: there may be very many.
        for outcome in itertools.chain(outcomes, known):
            seen.append(outcome)
            failures += bool(outcome.message)
            if outcome.message and failures <= _SHOWN_FAILURES:
                console.note(f"failed: {outcome.message}")
            bar.update(task, completed=len(seen))
    if failures > _SHOWN_FAILURES:
        console.note(f"failed: {failures - _SHOWN_FAILURES} more (--json lists them all)")
    return seen


def _report(outcomes: "list[Outcome]", out_dir: Path, as_json: bool) -> Counter[str]:
    from evalsvc.cli import console

    counts = Counter({"written": 0, "skipped": 0, "failed": 0})
    counts.update(outcome.status.value for outcome in outcomes)
    if as_json:
        failures = [{"filename": o.filename, "error": o.message} for o in outcomes if o.message]
        console.say_json({**counts, "out": str(out_dir), "failures": failures})
    else:
        numbers = ", ".join(f"{count} {status}" for status, count in counts.items())
        console.say(f"{len(outcomes)} images: {numbers} -> {out_dir}")
    return counts


def _make_folder(folder: Path) -> None:
    from evalsvc.domain.errors import InputError

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be made ({error.strerror}); choose another folder.") from error
