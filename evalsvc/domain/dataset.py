"""A data set as the service knows it: splits, and a manifest of its images that carries no label."""

from dataclasses import dataclass
from enum import StrEnum


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
