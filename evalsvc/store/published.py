"""The published layout of the data, as a maintainer received it: what is there, and all that is wrong with it.

Bad data raise nothing here.  A maintainer with 972 files wants all problems at once, so they are collected.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from evalsvc.domain.dataset import Split, is_image_name
from evalsvc.domain.errors import DatasetError, LabelsError
from evalsvc.domain.labels import LabelTable, read_labels
from evalsvc.store.durable import UnusableFile, read_file

SPLITS: Final = (Split.PUBLIC, Split.PRIVATE)
"""What is sealed; the training images never come near the service."""

SYNTHETIC_MARKER: Final = "SYNTHETIC.json"
"""`{"labels": {"<label file>": "<SHA-256>"}}`, beside `images/`: marks these very labels as the stand-in's."""

NAMED_PROBLEMS: Final = 20

_OTHER_KIND: Final = {
    True: "has no Label column; is it the private file?",
    False: "has a Label column; the private file has the experts' rankings alone",
}


@dataclass(frozen=True)
class SourceImage:
    """One labelled image.  `name` is its path below the source folder, for messages."""

    split: Split
    path: Path
    name: str


@dataclass
class Published:
    """What was found below `source`; `problems` are sentences that each begin with the file.

    labels
        The very bytes that `tables` were read from, by file name.
    """

    source: Path
    tables: dict[Split, LabelTable] = field(default_factory=dict)
    labels: dict[str, bytes] = field(default_factory=dict)
    images: list[SourceImage] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 of each label file."""
        return {name: hashlib.sha256(data).hexdigest() for name, data in self.labels.items()}


def read_published(source: Path) -> Published:
    """Read the label files below `source` and find their images, which are not opened yet.

    Raises `DatasetError` only when there is no such folder at all.
    """
    if not source.is_dir():
        raise DatasetError(f"{source} is not a folder: give the one that has images/ and labels/ in it.")
    published = Published(source)
    for split in SPLITS:
        _read_table(published, split)
        _find_images(published, split)
    public = {image.path.name for image in published.images if image.split is Split.PUBLIC}
    for image in published.images:
        if image.split is Split.PRIVATE and image.path.name in public:
            published.problems.append(f"{image.name}: an image of the public test split has the same name")
    return published


def refuse_problems(source: Path, problems: list[str]) -> None:
    """Raise `DatasetError` naming the problems; nothing when there are none."""
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise DatasetError(f"{source} was not imported ({count}): correct it and import again.{listing(problems)}")


def listing(problems: list[str]) -> str:
    """The first problems, a line each, and how many more there are."""
    rest = len(problems) - NAMED_PROBLEMS
    lines = problems[:NAMED_PROBLEMS] + ([f"and {rest} more"] if rest > 0 else [])
    return "".join(f"\n  {line}" for line in lines)


def is_synthetic(source: Path, digests: Mapping[str, str]) -> bool:
    """Whether the marker vouches for every one of these label files.  Without that, the data count as real."""
    try:
        marked = json.loads(read_file(source / SYNTHETIC_MARKER))["labels"]
    except (UnusableFile, ValueError, LookupError, TypeError, RecursionError):
        return False
    return isinstance(marked, dict) and all(marked.get(name) == digest for name, digest in digests.items())


def _read_table(published: Published, split: Split) -> None:
    path = published.source / "labels" / split.label_file
    name = f"labels/{split.label_file}"
    try:
        data = read_file(path)
        table = read_labels(path)
        changed = read_file(path) != data
    except UnusableFile as error:
        published.problems.append(f"{name}: {error}")
    except LabelsError as error:
        published.problems.append(str(error))
    else:
        published.problems.extend(f"{name}: {problem}" for problem in _table_problems(table, split, changed))
        published.labels[split.label_file], published.tables[split] = data, table


def _table_problems(table: LabelTable, split: Split, changed: bool) -> Iterator[str]:
    if changed:
        yield "changed while it was read"
    if table.ranked != (split is Split.PRIVATE):
        yield _OTHER_KIND[table.ranked]
    for row in table.rows:
        if not is_image_name(row.filename):
            yield (
                f"line {row.line}: {row.filename!r} is not a plain image name "
                "(letters, digits, '.', '_', '-', ending in .png)"
            )


def _find_images(published: Published, split: Split) -> None:
    """Match the split's folder with its labels, both ways.  Dot files are the file manager's and not looked at."""
    name = f"images/preprocessed/{split}"
    folder = published.source / name
    try:
        present = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    except OSError as error:
        published.problems.append(f"{name}: the folder cannot be read ({error.strerror})")
        return
    if split not in published.tables:
        return
    labelled = {row.filename: row.line for row in published.tables[split].rows if is_image_name(row.filename)}
    for filename in sorted(labelled.keys() - present):
        line = labelled[filename]
        published.problems.append(
            f"{name}/{filename}: is missing; labels/{split.label_file} has it on line {line}"
        )
    for filename in sorted(present - labelled.keys()):
        published.problems.append(f"{name}/{filename}: has no line in labels/{split.label_file}")
    published.images.extend(
        SourceImage(split, folder / filename, f"{name}/{filename}")
        for filename in sorted(labelled.keys() & present)
    )
