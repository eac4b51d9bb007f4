"""Writes the sealed copy of a published data set, while verifying every image."""

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from evalsvc.domain.dataset import IMAGE_COLUMNS, IMAGE_ROWS, Manifest, ManifestImage, Seal, Split, choose_sample
from evalsvc.store.durable import PRIVATE_FOLDER, UnusableFile, read_file, sync_folder, write_file
from evalsvc.store.png import plain_png
from evalsvc.store.published import SPLITS, Published, SourceImage, is_synthetic, refuse_problems

Progress = Callable[[int, int], None]
"""Called with how many files are done, and of how many."""

SEAL: Final = "seal.json"
THREADS: Final = min(8, os.cpu_count() or 1)
_READ_ONLY: Final = 0o400


def write_copy(published: Published, workspace: Path, progress: Progress) -> Seal:
    """Write the whole version into `workspace`.  Raises `DatasetError` with every problem of the source."""
    for name in (*(f"images/{split}" for split in SPLITS), f"sample/{Split.SAMPLE}", "labels"):
        _make_folders(workspace, name)
    images = _write_images(published, workspace / "images", progress)
    refuse_problems(published.source, published.problems)
    sample = _write_sample(published, workspace)
    record = Seal(images, sample, published.digests, is_synthetic(published.source, published.digests))
    texts = {
        "images/manifest.json": images.to_json(),
        "sample/manifest.json": sample.to_json(),
        SEAL: record.to_json(),
    }
    files = {name: text.encode() for name, text in texts.items()}
    files |= {f"labels/{name}": data for name, data in published.labels.items()}
    for name, data in files.items():
        write_file(workspace / name, data, _READ_ONLY)
    for parent, _, _ in os.walk(workspace):
        sync_folder(Path(parent))
    return record


def _make_folders(workspace: Path, name: str) -> None:
    for part in (*reversed(Path(name).parents), Path(name)):
        (workspace / part).mkdir(mode=PRIVATE_FOLDER, exist_ok=True)


def _write_images(published: Published, folder: Path, progress: Progress) -> Manifest:
    """Verify and copy every image; what is wrong with one is added to the problems."""
    images: list[ManifestImage] = []
    with ThreadPoolExecutor(THREADS) as pool:
        outcomes = pool.map(lambda image: _write_image(image, folder), published.images)
        for done, outcome in enumerate(outcomes, 1):
            if isinstance(outcome, ManifestImage):
                images.append(outcome)
            else:
                published.problems.append(outcome)
            progress(done, len(published.images))
    return Manifest(tuple(images))


def _write_image(image: SourceImage, folder: Path) -> ManifestImage | str:
    """The sealed image, or the sentence that says why there is none."""
    try:
        data = plain_png(read_file(image.path), IMAGE_ROWS, IMAGE_COLUMNS)
    except UnusableFile as error:
        return f"{image.name}: {error}"
    path = f"{image.split}/{image.path.name}"
    write_file(folder / path, data, _READ_ONLY)
    return ManifestImage(path, hashlib.sha256(data).hexdigest(), len(data))


def _write_sample(published: Published, workspace: Path) -> Manifest:
    levels = {row.filename: row.level for row in published.tables[Split.PUBLIC].rows if row.level is not None}
    images = []
    for filename in choose_sample(levels):
        data = read_file(workspace / "images" / Split.PUBLIC / filename)
        path = f"{Split.SAMPLE}/{filename}"
        write_file(workspace / "sample" / path, data, _READ_ONLY)
        images.append(ManifestImage(path, hashlib.sha256(data).hexdigest(), len(data)))
    return Manifest(tuple(images))
