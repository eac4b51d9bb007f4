"""A data set as the service knows it: its splits, a manifest of its images that carries no label, and its seal."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from evalsvc.domain.errors import DatasetError


class Split(StrEnum):
    """The published splits; the value is the folder under `images/preprocessed/` and the file name's prefix."""

    TRAIN = "train"
    PUBLIC = "test"
    PRIVATE = "private"
    SAMPLE = "sample"
    """Eight images of the public test split, for trials; never scored."""

    @property
    def label_file(self) -> str:
        """The label file's name under `labels/`."""
        return {
            Split.TRAIN: "CSAW-M_train.csv",
            Split.PUBLIC: "CSAW-M_test.csv",
            Split.SAMPLE: "CSAW-M_test.csv",
            Split.PRIVATE: "CSAW-M_test_private.csv",
        }[self]


IMAGE_ROWS = 632
IMAGE_COLUMNS = 512
SAMPLE_SIZE: Final = 8

_IMAGE_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*\.png")
_SPLIT_NAME: Final = re.compile(r"[a-z]+")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


def is_image_name(name: str) -> bool:
    """Whether `name` is plain enough for every place it will appear in: a path, a CSV cell, a command line."""
    return _IMAGE_NAME.fullmatch(name) is not None


def is_sha256(text: str) -> bool:
    """Whether `text` is a SHA-256 in lower-case hexadecimal, as versions and blobs are named."""
    return _SHA256.fullmatch(text) is not None


@dataclass(frozen=True)
class ManifestImage:
    """One sealed image.  `path` is relative to the manifest's folder: `<split>/<filename>`; sizes in bytes."""

    path: str
    sha256: str
    size: int

    @property
    def split(self) -> str:
        return self.path.split("/", 1)[0]

    @property
    def filename(self) -> str:
        return self.path.split("/", 1)[1]


@dataclass(frozen=True)
class Manifest:
    """All images that a data set's version seals, without any label."""

    images: tuple[ManifestImage, ...]

    def to_json(self) -> str:
        """The one text of this manifest: the same images give the same bytes, whatever their order here."""
        return _canonical({"images": _image_values(self)})

    @classmethod
    def from_json(cls, text: str) -> "Manifest":
        """Read what `to_json` wrote.  Raises `DatasetError` for anything else, repeated paths included."""
        return _images(_object(_parsed(text), {"images"})["images"])


@dataclass(frozen=True)
class Seal:
    """Everything a data set's version stands for: a change of any part is another version.

    images, sample
        The two folders that are handed to jobs: the images to evaluate on, and those for trials.
    labels
        SHA-256 of each label file, by file name.
    synthetic
        Whether the images and labels are the stand-in, which alone may run without isolation.
    """

    images: Manifest
    sample: Manifest
    labels: Mapping[str, str]
    synthetic: bool

    @property
    def version(self) -> str:
        """SHA-256 of `to_json`, so that `sha256sum seal.json` shows it too."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    @property
    def counts(self) -> dict[str, int]:
        """Number of images of each split."""
        splits = [image.split for image in self.images.images]
        return {split: splits.count(split) for split in sorted(set(splits))}

    def files(self) -> dict[str, str]:
        """Every sealed file but the seal itself: path in the version's folder -> SHA-256."""
        return {
            **{f"images/{image.path}": image.sha256 for image in self.images.images},
            **{f"sample/{image.path}": image.sha256 for image in self.sample.images},
            **{f"labels/{name}": digest for name, digest in self.labels.items()},
            "images/manifest.json": hashlib.sha256(self.images.to_json().encode()).hexdigest(),
            "sample/manifest.json": hashlib.sha256(self.sample.to_json().encode()).hexdigest(),
        }

    def to_json(self) -> str:
        """The one text of this seal; see `Manifest.to_json`."""
        return _canonical(
            {
                "images": _image_values(self.images),
                "labels": dict(self.labels),
                "sample": _image_values(self.sample),
                "synthetic": self.synthetic,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> "Seal":
        """Read what `to_json` wrote.  Raises `DatasetError` for anything else."""
        values = _object(_parsed(text), {"images", "labels", "sample", "synthetic"})
        labels = values["labels"]
        if not isinstance(labels, dict) or not all(map(_is_digest, labels.values())):
            raise DatasetError("The seal's labels are not SHA-256 digests by file name.")
        if not isinstance(values["synthetic"], bool):
            raise DatasetError("The seal does not say whether the data set is synthetic.")
        return cls(_images(values["images"]), _images(values["sample"]), labels, values["synthetic"])


def choose_sample(levels: Mapping[str, int], size: int = SAMPLE_SIZE) -> tuple[str, ...]:
    """`size` file names (all of them where there are fewer), spread over the levels; always the same ones.

    `levels` gives each file's level.  Each level in turn gives its next file by name, until there are enough.
    """
    by_level: dict[int, list[str]] = {}
    for name in sorted(levels):
        by_level.setdefault(levels[name], []).append(name)
    turns = [(turn, level, name) for level, names in by_level.items() for turn, name in enumerate(names)]
    return tuple(sorted(name for _, _, name in sorted(turns)[:size]))


def _canonical(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":")) + "\n"


def _image_values(manifest: Manifest) -> list[dict[str, Any]]:
    return [
        {"path": image.path, "sha256": image.sha256, "size": image.size}
        for image in sorted(manifest.images, key=lambda image: image.path)
    ]


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"The manifest is not JSON ({error}).") from error


def _object(value: object, keys: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict) or value.keys() != keys:
        raise DatasetError(f"The manifest is not an object with exactly {', '.join(sorted(keys))}.")
    return value


def _images(values: object) -> Manifest:
    if not isinstance(values, list):
        raise DatasetError("The manifest's images are not a list.")
    images = tuple(_image(value) for value in values)
    _refuse_repeats(image.path for image in images)
    return Manifest(tuple(sorted(images, key=lambda image: image.path)))


def _image(value: object) -> ManifestImage:
    cells = _object(value, {"path", "sha256", "size"})
    path, digest, size = cells["path"], cells["sha256"], cells["size"]
    if not isinstance(path, str) or not _is_image_path(path):
        raise DatasetError(f"The manifest's path {path!r} is not <split>/<filename>.png.")
    if not _is_digest(digest):
        raise DatasetError(f"The manifest's sha256 of {path} is not 64 hexadecimal digits.")
    if type(size) is not int or size < 1:
        raise DatasetError(f"The manifest's size of {path} is not a number of bytes.")
    return ManifestImage(path, digest, size)


def _is_image_path(path: str) -> bool:
    split, _, name = path.partition("/")
    return _SPLIT_NAME.fullmatch(split) is not None and is_image_name(name)


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


def _refuse_repeats(paths: Iterable[str]) -> None:
    seen: set[str] = set()
    for path in paths:
        if path in seen:
            raise DatasetError(f"The manifest has {path} twice.")
        seen.add(path)
