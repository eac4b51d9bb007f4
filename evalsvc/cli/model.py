"""A submission image on the researcher's own machine: start from the template, try it out."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

TEMPLATE = "submission_template"


def register(app: typer.Typer) -> None:
    """Add this module's commands to the command line."""
    app.command("init")(init)


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
