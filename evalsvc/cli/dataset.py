"""A maintainer's data sets: import one, list them, verify that one is unchanged."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from evalsvc.store.tables import Dataset

Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]

_SHOWN_DIGITS = 12


def register(admin: typer.Typer) -> None:
    """Add `dataset` and its commands to the maintainer's commands."""
    app = typer.Typer(help="The sealed test images and labels.", no_args_is_help=True)
    app.command("import")(import_dataset)
    app.command("list")(list_datasets)
    app.command("verify")(verify_dataset)
    admin.add_typer(app, name="dataset")


def import_dataset(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The published layout: images/preprocessed/ and labels/.")
    ],
    name: Annotated[str, typer.Option(help="What people call it; by default the folder's name.")] = "",
    as_json: Json = False,
) -> None:
    """Verify every image against the labels and seal a copy; from then on submissions are evaluated on it."""
    from evalsvc.bootstrap import open_store, utc_now
    from evalsvc.cli.console import note, say, say_json
    from evalsvc.store import datasets, sealing

    store, data = open_store()
    try:
        with _progress("verifying") as progress:
            sealed = sealing.seal(folder, data, progress)
        with store.begin() as session:
            now = utc_now()
            dataset = datasets.import_dataset(session, sealed, name or folder.resolve().name, now)
            current = datasets.current_dataset(session)
    finally:
        store.close()
    if dataset.imported_at != now:
        note(f"These very files were imported before, as {dataset.name!r}; they are verified and unchanged.")
    if current.id != dataset.id:
        note(f"Submissions are evaluated on {current.name!r}, which was imported later.")
    if as_json:
        say_json(_values(dataset))
    else:
        counts = " and ".join(f"{count} {split}" for split, count in dataset.images.items())
        say(f"sealed {dataset.name}, version {dataset.version[:_SHOWN_DIGITS]}: {counts} images, {_kind(dataset)}")


def list_datasets(as_json: Json = False) -> None:
    """All data sets, the one that submissions are evaluated on first."""
    from evalsvc.bootstrap import open_store
    from evalsvc.cli.console import note, say_json, say_table
    from evalsvc.store import datasets

    store, _ = open_store()
    try:
        with store.begin() as session:
            found = datasets.list_datasets(session)
    finally:
        store.close()
    if as_json:
        say_json([_values(dataset) for dataset in found])
    elif found:
        say_table(None, ("version", "name", "data", "imported at (UTC)", "test", "private"), map(_cells, found), 2)
    else:
        note("There is no data set yet: import one with `evalsvc admin dataset import DIR`.")


def verify_dataset(
    version: Annotated[
        str, typer.Argument(help="A version or its first digits; by default the current one.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Read every sealed file again; any that changed, is missing or was added is named, and the exit code is 3."""
    from evalsvc.bootstrap import open_store
    from evalsvc.cli.console import say, say_json
    from evalsvc.store import datasets, sealing

    store, data = open_store()
    try:
        with store.begin() as session:
            found = datasets.find_dataset(session, version) if version else datasets.current_dataset(session)
    finally:
        store.close()
    with _progress("verifying") as progress:
        sealing.verify(data, found.version, progress)
    if as_json:
        say_json({**_values(found), "intact": True})
    else:
        say(f"{found.name}, version {found.version[:_SHOWN_DIGITS]}: every file is as it was sealed")


@contextmanager
def _progress(task: str) -> Iterator[Callable[[int, int], None]]:
    """A bar that counts files, on standard error."""
    from evalsvc.cli.console import progress

    with progress() as bar:
        row = bar.add_task(task, total=None)
        yield lambda done, total: bar.update(row, completed=done, total=total)


def _kind(dataset: "Dataset") -> str:
    return "synthetic" if dataset.synthetic else "real"


def _values(dataset: "Dataset") -> dict[str, Any]:
    return {
        "version": dataset.version,
        "name": dataset.name,
        "synthetic": dataset.synthetic,
        "images": dataset.images,
        "imported_at": dataset.imported_at.isoformat(),
    }


def _cells(dataset: "Dataset") -> tuple[str, ...]:
    return (
        dataset.version[:_SHOWN_DIGITS],
        dataset.name,
        _kind(dataset),
        f"{dataset.imported_at:%Y-%m-%d %H:%M:%S}",
        str(dataset.images.get("test", 0)),
        str(dataset.images.get("private", 0)),
    )
