"""The images a trial runs on: a folder of the researcher's, or ones made up here.  None of them is secret."""

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import numpy as np
import platformdirs
from scipy.stats import norm

from evalsvc import __version__
from evalsvc.domain.dataset import IMAGE_COLUMNS, IMAGE_ROWS, Manifest, ManifestImage, Split
from evalsvc.domain.errors import ImageError, InputError, NotFound
from evalsvc.imaging.phantom.anatomy import draw_anatomy
from evalsvc.imaging.phantom.render import render
from evalsvc.imaging.phantom.streams import Stream, stream
from evalsvc.imaging.png import encode_png, write_whole
from evalsvc.imaging.preprocess import preprocess

PUBLISHED: Final = Path("images", "preprocessed", Split.PUBLIC)
_SEED: Final = 1
_GOLDEN: Final = (5**0.5 - 1) / 2
"""Its multiples, modulo 1, are spread evenly however many are taken."""
_DIGITS: Final = re.compile(r"(\d+)")


def find_samples(data: Path, count: int) -> list[Path]:
    """The first `count` 8-bit PNGs of a data set in the published layout, or of a folder that holds PNGs itself.

    In natural order (`test_2` before `test_10`).  Raises `NotFound` when there is none.
    """
    folder = data / PUBLISHED if (data / PUBLISHED).is_dir() else data
    found = sorted(folder.glob("*.png"), key=_natural)
    if not found:
        raise NotFound(
            f"There are no PNGs in {data} nor in {data / PUBLISHED}. Name a data set's folder or a folder of "
            "8-bit PNGs (`evalsvc preprocess` makes them), or leave --data out to try on made-up images."
        )
    return found[:count]


def synthesized_samples(count: int, made: Callable[[], None]) -> list[Path]:
    """`count` images of the synthetic stand-in, of every masking potential, kept in the user's cache folder.

    `made` is called after each image that had to be made.  Raises `InputError` when the cache cannot be written.
    """
    folder = platformdirs.user_cache_path("evalsvc") / f"samples-{__version__}"
    paths = [folder / f"sample_{index + 1}.png" for index in range(count)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for index, path in enumerate(paths):
            if not path.exists():
                write_whole(path, _synthesize(index))
                made()
    except OSError as error:
        raise InputError(
            f"{folder}: {error.strerror}. Made-up images are kept there; free it, or name images with --data DIR."
        ) from error
    return paths


def _synthesize(index: int) -> bytes:
    """One 8-bit PNG, the same for the same index however many are made."""
    latent = float(norm.ppf((index + 1) * _GOLDEN % 1))
    anatomy = draw_anatomy(latent, stream(_SEED, Split.TRAIN, Stream.ANATOMY, index))
    raw = render(anatomy, stream(_SEED, Split.TRAIN, Stream.PIXELS, index))
    return encode_png(preprocess(raw, anatomy.metadata))


def seal_samples(images: Sequence[Path], folder: Path) -> tuple[ManifestImage, ...]:
    """Copy the images into `folder` as the stage step wants its source: `sample/*.png` and `manifest.json`.

    Raises `ImageError` for a file that is not an 8-bit grey image of 632 rows x 512 columns.
    """
    target = folder / Split.SAMPLE
    target.mkdir()
    sealed = tuple(_seal(image, target) for image in images)
    manifest = Manifest(images=sealed)
    (folder / "manifest.json").write_text(json.dumps(asdict(manifest)))
    return sealed


def _seal(image: Path, target: Path) -> ManifestImage:
    _check(image)
    copy = target / image.name
    shutil.copyfile(image, copy)
    data = copy.read_bytes()
    return ManifestImage(f"{target.name}/{image.name}", hashlib.sha256(data).hexdigest(), len(data))


def _check(path: Path) -> None:
    """Raises `ImageError` unless the service itself could hand out this image."""
    import cv2

    try:
        encoded = np.fromfile(path, np.uint8)
    except OSError as error:
        raise ImageError(path, f"cannot be read ({error.strerror})") from error
    pixels = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED) if encoded.size else None
    if pixels is None:
        raise ImageError(path, "this is not a PNG, or it is damaged")
    if pixels.dtype != np.uint8 or pixels.shape != (IMAGE_ROWS, IMAGE_COLUMNS):
        raise ImageError(
            path,
            f"this is {pixels.dtype} of shape {pixels.shape}, not 8-bit grey of {IMAGE_ROWS} rows x "
            f"{IMAGE_COLUMNS} columns: `evalsvc preprocess` makes such images",
        )


def _natural(path: Path) -> list[str | int]:
    return [int(part) if part.isdigit() else part for part in _DIGITS.split(path.name)]
