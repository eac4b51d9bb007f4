"""A submission image on the researcher's own machine: start from the template, try it out."""

import re
import shlex
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from evalsvc.cli.trial_view import Report
    from evalsvc.trial.session import Request

TEMPLATE = "submission_template"
NOT_ISOLATED = (
    "warning: the process executor isolates nothing: this program has your files, your network and no limits but "
    "the time."
)

NO_GPU = "note: running without a GPU; the service gives one."


def register(app: typer.Typer) -> None:
    """Add this module's commands to the command line."""
    app.command("init")(init)
    app.command("try")(try_)


def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make.")],
    force: Annotated[bool, typer.Option("--force", help="Write into a folder that is not empty.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Start a submission: copy the template, a complete example that scores percent density."""
    from evalsvc.cli import console

    files = copy_template(directory, force)
    if as_json:
        console.say_json({"directory": str(directory), "files": files})
        return
    console.say(f"{directory}: {len(files)} files, a submission that works as it is. Next:")
    console.say(f"  evalsvc try {shlex.quote(str(directory))}   # builds it and runs it on 8 sample images")
    console.say(f"Then put your own model into it: {directory / 'README.md'} says where.")


class ExecutorKind(StrEnum):
    DOCKER = "docker"
    PROCESS = "process"


def parse_size(text: str) -> int:
    """`16g`, `512m` or `1073741824` in bytes, as Docker reads them."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", text.strip().lower())
    if not found:
        raise typer.BadParameter(f"{text!r} is not a size: write 16g, 512m or a number of bytes.")
    return int(float(found[1]) * 1024 ** " kmgt".index(found[2] or " "))


def parse_duration(text: str) -> float:
    """`90`, `90s`, `10m` or `1h` in seconds."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip().lower())
    if not found or float(found[1]) == 0:
        raise typer.BadParameter(f"{text!r} is not a time: write 90, 90s, 10m or 1h.")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]


def try_(  # noqa: PLR0913 - one parameter per option is how typer reads them
    target: Annotated[
        str, typer.Argument(metavar="IMAGE_OR_DIR", help="An image, or a folder to build one from.")
    ],
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A data set, or a folder of 8-bit PNGs.  [default: made up]")
    ] = None,
    images: Annotated[int, typer.Option(min=1, metavar="N", help="How many images.")] = 8,
    executor: Annotated[ExecutorKind, typer.Option(help="process isolates nothing.")] = ExecutorKind.DOCKER,
    memory: Annotated[str, typer.Option(metavar="SIZE", help="Such as 16g or 512m.")] = "16g",
    cpus: Annotated[float, typer.Option(min=0.1, help="Cores.")] = 4.0,
    gpus: Annotated[int | None, typer.Option(min=0, help="[default: 1 if there is one]")] = None,
    timeout: Annotated[str, typer.Option(metavar="TIME", help="Such as 90s or 10m.")] = "60m",
    build_network: Annotated[str | None, typer.Option(metavar="NAME", help="For docker build: host.")] = None,
    keep_output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep predictions.csv there, the images under their own names."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run an image on sample images exactly as the service does, and say whether it follows the contract."""
    import signal
    from dataclasses import replace

    from evalsvc.cli import errors, trial_view
    from evalsvc.domain.errors import JobFailed
    from evalsvc.executors.base import Limits
    from evalsvc.trial.session import Request

    for end in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(end, signal.default_int_handler)  # as Ctrl-C: the containers have to go
    limits = replace(Limits(), memory=parse_size(memory), cpus=cpus, wall_time=parse_duration(timeout))
    report = _try(Request(target, data, images, limits, gpus, build_network), executor)
    if keep_output and report.outcome.written:
        _write(keep_output, trial_view.kept(report))
    (trial_view.show_json if as_json else trial_view.show)(report)
    if report.outcome.cause:
        raise typer.Exit(errors.exit_code(JobFailed(report.outcome.cause, report.outcome.detail)))


def _try(request: "Request", kind: ExecutorKind) -> "Report":
    """Prepare and run, with live status."""
    from contextlib import ExitStack

    from evalsvc.cli import console, trial_view
    from evalsvc.trial.session import open_parts, prepare, run

    samples = _samples(request)
    with ExitStack() as stack:
        with trial_view.busy("preparing the engine"):
            parts = stack.enter_context(open_parts(kind.value))
        if not parts.executor.isolated:
            console.note(NOT_ISOLATED)
        prepared = prepare(parts, request, samples)
        if parts.executor.isolated and not prepared.trial.limits.gpus:
            console.note(NO_GPU)
        try:
            with trial_view.live() as watch:
                outcome, peak = run(parts, prepared, watch)
        except KeyboardInterrupt:
            console.note("Stopped; nothing of the trial is left behind.")
            raise
        origin = f"from {request.data}" if request.data else "made up"
        return trial_view.Report(prepared, outcome, origin, parts.executor.name, parts.executor.isolated, peak)


def _samples(request: "Request") -> list[Path]:
    from evalsvc.cli import console
    from evalsvc.trial.session import choose_samples

    with console.progress() as bar:
        task = bar.add_task("making sample images", total=request.images)
        return choose_samples(request, lambda: bar.advance(task))


def template_folder() -> Path:
    """Where the template lies: inside the installed package, beside it in a checkout."""
    from importlib.resources import files

    package = Path(str(files("evalsvc")))
    installed, checkout = package / TEMPLATE, package.parent / TEMPLATE
    return installed if installed.is_dir() else checkout


def copy_template(directory: Path, force: bool) -> list[str]:
    """Copy the template's files into `directory`; returns their names, sorted.

    Raises `Conflict` when the folder holds something and `force` is not given, `InputError` when it cannot be
    written.
    """
    import shutil

    from evalsvc.domain.errors import Conflict, InputError

    try:
        if directory.is_dir() and any(directory.iterdir()) and not force:
            raise Conflict(
                f"{directory} is not empty. Name a new folder, or use --force to overwrite the template's files."
            )
        directory.mkdir(parents=True, exist_ok=True)
        names = sorted(path.name for path in template_folder().iterdir() if path.is_file())
        for name in names:
            shutil.copyfile(template_folder() / name, directory / name)
    except OSError as error:
        raise InputError(f"{directory}: {error.strerror}. Name a folder that can be written.") from error
    return names


def _write(path: Path, data: bytes) -> None:
    from evalsvc.domain.errors import InputError

    try:
        path.write_bytes(data)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}. Name a file that can be written.") from error
