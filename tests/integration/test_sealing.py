"""A data set is sealed whole or not at all, and a sealed one that changed is refused."""

import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from evalsvc.domain.dataset import Manifest, Split
from evalsvc.domain.errors import DatasetError, Unavailable
from evalsvc.domain.labels import LabelTable, read_labels, write_labels
from evalsvc.store import sealing
from tests.integration.published_files import (
    COLUMNS,
    ROWS,
    encode,
    grey_png,
    label_row,
    make_published,
    mark_synthetic,
)

TEST = "images/preprocessed/test"
PRIVATE = "images/preprocessed/private"


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, sealing.Sealed]:
    """A folder with a source and its sealed copy, made once; each test damages copies of its own."""
    folder = tmp_path_factory.mktemp("pristine")
    return folder, sealing.seal(make_published(folder / "source"), folder / "data")


@pytest.fixture
def source(tmp_path: Path, pristine: tuple[Path, sealing.Sealed]) -> Path:
    return shutil.copytree(pristine[0] / "source", tmp_path / "source")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def sealed(root: Path, pristine: tuple[Path, sealing.Sealed]) -> sealing.Sealed:
    shutil.copytree(pristine[0] / "data", root)
    return pristine[1]


def version_folder(root: Path, sealed: sealing.Sealed) -> Path:
    return root / "datasets" / sealed.version


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}


def refusal(source: Path, root: Path) -> str:
    """The message of a refused import, of which nothing may be left."""
    with pytest.raises(DatasetError) as caught:
        sealing.seal(source, root)
    assert files_below(root / "datasets") <= {".lock"}
    assert not [path for path in (root / "datasets").iterdir() if path.is_dir()]
    return str(caught.value)


def test_what_is_sealed(source: Path, root: Path, sealed: sealing.Sealed) -> None:
    folder = version_folder(root, sealed)
    public = {f"test_{number}.png" for number in range(1, 13)}
    private = {f"private_{number}.png" for number in range(1, 7)}
    sample = {f"test_{number}.png" for number in (1, 10, 11, 12, 5, 6, 7, 8)}  # the first by name of each level
    assert files_below(folder) == {
        "seal.json",
        "labels/CSAW-M_test.csv",
        "labels/CSAW-M_test_private.csv",
        "images/manifest.json",
        "sample/manifest.json",
        *(f"images/test/{name}" for name in public),
        *(f"images/private/{name}" for name in private),
        *(f"sample/sample/{name}" for name in sample),
    }
    assert sealed.images == {"private": 6, "test": 12}
    assert sealed.version == hashlib.sha256((folder / "seal.json").read_bytes()).hexdigest()


def test_the_sealed_pixels_and_labels_are_those_of_the_source(
    source: Path, root: Path, sealed: sealing.Sealed
) -> None:
    for split, name in (("test", "test_3.png"), ("private", "private_6.png")):
        original = cv2.imread(str(source / "images/preprocessed" / split / name), cv2.IMREAD_UNCHANGED)
        copy = cv2.imread(str(version_folder(root, sealed) / "images" / split / name), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(original, copy)
    for split in (Split.PUBLIC, Split.PRIVATE):
        labels = sealing.load_labels(root, sealed.version, split)
        assert labels == read_labels(source / "labels" / split.label_file)


def test_the_manifests_name_every_image_with_its_hash_and_no_label(root: Path, sealed: sealing.Sealed) -> None:
    for sample in (False, True):
        folder = sealing.image_folder(root, sealed.version, sample=sample)
        manifest = sealing.manifest(root, sealed.version, sample=sample)
        assert Manifest.from_json((folder / "manifest.json").read_text()) == manifest
        assert {image.path for image in manifest.images} == files_below(folder) - {"manifest.json"}
        for image in manifest.images:
            data = (folder / image.path).read_bytes()
            assert (image.sha256, image.size) == (hashlib.sha256(data).hexdigest(), len(data))


def test_no_label_lies_where_a_stage_step_looks(root: Path, sealed: sealing.Sealed) -> None:
    folder = version_folder(root, sealed)
    for sample in (False, True):
        mounted = sealing.image_folder(root, sealed.version, sample=sample)
        assert {Path(name).suffix for name in files_below(mounted)} == {".png", ".json"}
        assert not any(b"Expert" in (mounted / name).read_bytes() for name in files_below(mounted))
        assert folder / "labels" not in {mounted, *mounted.rglob("*")}


def test_only_the_owner_can_read_and_nobody_can_write(root: Path, sealed: sealing.Sealed) -> None:
    folder = version_folder(root, sealed)
    for path in [root / "datasets", folder, *folder.rglob("*")]:
        expected = 0o700 if path.is_dir() else 0o400
        assert stat.S_IMODE(path.stat().st_mode) == expected, path


def test_a_wide_open_umask_opens_nothing(source: Path, root: Path) -> None:
    before = os.umask(0)
    try:
        sealed = sealing.seal(source, root)
    finally:
        os.umask(before)
    test_only_the_owner_can_read_and_nobody_can_write(root, sealed)


def test_a_label_in_a_text_chunk_is_gone_after_sealing(source: Path, root: Path) -> None:
    secret = b"Comment\0level 8, interval cancer"
    path = source / PRIVATE / "private_2.png"
    data = path.read_bytes()
    text = len(secret).to_bytes(4, "big") + b"tEXt" + secret
    checksum = zlib.crc32(b"tEXt" + secret).to_bytes(4, "big")
    path.write_bytes(data[:33] + text + checksum + data[33:] + secret)
    sealed = sealing.seal(source, root)
    copy = version_folder(root, sealed) / "images/private/private_2.png"
    assert b"interval" in path.read_bytes()
    assert b"interval" not in copy.read_bytes()
    assert np.array_equal(cv2.imread(str(copy), -1), cv2.imread(str(path), -1))


def test_importing_twice_gives_the_same_version_and_keeps_the_files(
    source: Path, root: Path, sealed: sealing.Sealed
) -> None:
    before = {path: path.stat().st_ino for path in version_folder(root, sealed).rglob("*")}
    assert sealing.seal(source, root) == sealed
    assert {path: path.stat().st_ino for path in version_folder(root, sealed).rglob("*")} == before
    assert {path.name for path in (root / "datasets").iterdir()} == {".lock", sealed.version}


def test_importing_again_refuses_a_sealed_copy_that_has_changed(
    source: Path, root: Path, sealed: sealing.Sealed
) -> None:
    change_byte(version_folder(root, sealed) / "images/test/test_1.png")
    with pytest.raises(DatasetError, match=r"images/test/test_1\.png: has changed"):
        sealing.seal(source, root)


def test_other_pixels_or_other_labels_are_another_version(
    source: Path, root: Path, sealed: sealing.Sealed
) -> None:
    (source / TEST / "test_1.png").write_bytes(grey_png(77))
    other_pixels = sealing.seal(source, root)
    path = source / "labels" / Split.PRIVATE.label_file
    path.write_text(path.read_text().replace(";12.5;", ";12.6;"))
    other_labels = sealing.seal(source, root)
    assert len({sealed.version, other_pixels.version, other_labels.version}) == 3
    sealing.verify(root, sealed.version)


def test_progress_counts_every_image(source: Path, root: Path) -> None:
    seen: list[tuple[int, int]] = []
    sealing.seal(source, root, lambda done, total: seen.append((done, total)))
    assert seen == [(done, 18) for done in range(1, 19)]


# What may count as the synthetic stand-in


def test_the_marker_makes_a_data_set_synthetic_and_another_version(
    source: Path, root: Path, sealed: sealing.Sealed
) -> None:
    assert not sealed.synthetic
    mark_synthetic(source)
    marked = sealing.seal(source, root)
    assert marked.synthetic
    assert marked.version != sealed.version


@pytest.mark.parametrize(
    "marker",
    [
        "",
        "{}",
        "[]",
        "null",
        "[" * 100_000,
        '{"labels": []}',
        '{"labels": {}}',
        '{"labels": {"CSAW-M_test.csv": "OWN"}}',
        '{"labels": {"CSAW-M_test.csv": "OWN", "CSAW-M_test_private.csv": "x"}}',
    ],
)
def test_a_marker_that_does_not_vouch_for_every_label_file_is_none(source: Path, root: Path, marker: str) -> None:
    own = hashlib.sha256((source / "labels/CSAW-M_test.csv").read_bytes()).hexdigest()
    (source / "SYNTHETIC.json").write_text(marker.replace("OWN", own))
    assert not sealing.seal(source, root).synthetic


def test_a_marker_of_other_labels_is_none(source: Path, root: Path) -> None:
    mark_synthetic(source)
    path = source / "labels" / Split.PRIVATE.label_file
    path.write_text(path.read_text().replace(";12.5;", ";12.6;"))
    assert not sealing.seal(source, root).synthetic


# What is refused


def put(name: str, data: bytes) -> Callable[[Path], object]:
    return lambda source: (source / name).write_bytes(data)


def cut(name: str) -> Callable[[Path], object]:
    def shorten(source: Path) -> None:
        data = (source / name).read_bytes()
        (source / name).write_bytes(data[: len(data) // 2])

    return shorten


def link(name: str, target: str) -> Callable[[Path], object]:
    def replace(source: Path) -> None:
        (source / name).unlink()
        (source / name).symlink_to(target)

    return replace


def relabel(split: Split, *names: str, level: int | None) -> Callable[[Path], object]:
    rows = tuple(label_row(name, line, level) for line, name in enumerate(names, 2))
    return lambda source: write_labels(source / "labels" / split.label_file, LabelTable(rows))


GREY = np.zeros((ROWS, COLUMNS), np.uint8)
COLOUR = np.zeros((ROWS, COLUMNS, 3), np.uint8)
PUBLIC_NAMES = [f"test_{number}.png" for number in range(1, 13)]


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (
            lambda source: (source / TEST / "test_4.png").unlink(),
            f"{TEST}/test_4.png: is missing; labels/CSAW-M_test",
        ),
        (put(f"{TEST}/test_99.png", grey_png(1)), f"{TEST}/test_99.png: has no line in labels/CSAW-M_test.csv"),
        (
            put(f"{PRIVATE}/notes.txt", b"level 8"),
            f"{PRIVATE}/notes.txt: has no line in labels/CSAW-M_test_private",
        ),
        (lambda source: (source / TEST / "more").mkdir(), f"{TEST}/more: has no line in"),
        (cut(f"{PRIVATE}/private_1.png"), f"{PRIVATE}/private_1.png: is cut off"),
        (put(f"{TEST}/test_1.png", b""), f"{TEST}/test_1.png: is not a PNG file"),
        (put(f"{TEST}/test_1.png", cv2.imencode(".jpg", GREY)[1].tobytes()), "test_1.png: is not a PNG file"),
        (put(f"{TEST}/test_1.png", encode(COLOUR)), "test_1.png: is in colour"),
        (put(f"{TEST}/test_1.png", encode(GREY.astype(np.uint16))), "test_1.png: has 16 bits per pixel"),
        (put(f"{TEST}/test_1.png", encode(GREY[:514, :394])), "test_1.png: has 514 rows x 394 columns"),
        (link(f"{TEST}/test_1.png", "test_2.png"), f"{TEST}/test_1.png: is a symbolic link"),
        (link(f"{TEST}/test_1.png", "/nowhere"), f"{TEST}/test_1.png: is a symbolic link"),
        (lambda source: shutil.rmtree(source / PRIVATE), f"{PRIVATE}: the folder cannot be read"),
        (lambda source: (source / "labels/CSAW-M_test.csv").unlink(), "labels/CSAW-M_test.csv: is missing"),
        (put("labels/CSAW-M_test.csv", b"Filename;Label\n"), "CSAW-M_test.csv:1: the header lacks"),
        (link("labels/CSAW-M_test.csv", "/nowhere"), "labels/CSAW-M_test.csv: is a symbolic link"),
        (relabel(Split.PUBLIC, *PUBLIC_NAMES, level=None), "labels/CSAW-M_test.csv: has no Label column"),
        (relabel(Split.PRIVATE, "private_1.png", level=3), "labels/CSAW-M_test_private.csv: has a Label column"),
        (relabel(Split.PUBLIC, "test 1.png", level=3), "line 2: 'test 1.png' is not a plain image name"),
        (relabel(Split.PUBLIC, "test_1.jpg", level=3), "line 2: 'test_1.jpg' is not a plain image name"),
        (relabel(Split.PUBLIC, "../private/private_1.png", level=3), "without a folder"),
    ],
)
def test_each_problem_is_named_with_its_file(
    source: Path, root: Path, damage: Callable[[Path], object], problem: str
) -> None:
    damage(source)
    assert problem in refusal(source, root)


def test_one_name_in_both_splits_is_refused(source: Path, root: Path) -> None:
    names = ["test_1.png", *(f"private_{number}.png" for number in range(1, 7))]
    relabel(Split.PRIVATE, *names, level=None)(source)
    put(f"{PRIVATE}/test_1.png", grey_png(3))(source)
    assert f"{PRIVATE}/test_1.png: an image of the public test split has the same name" in refusal(source, root)


def test_all_problems_are_reported_together(source: Path, root: Path) -> None:
    (source / TEST / "test_4.png").unlink()
    put(f"{TEST}/test_5.png", encode(COLOUR))(source)
    put(f"{PRIVATE}/private_9.png", grey_png(1))(source)
    message = refusal(source, root)
    assert "(3 problems): correct it and import again." in message
    assert [line.strip().split(":")[0] for line in message.splitlines()[1:]] == [
        f"{TEST}/test_4.png",
        f"{PRIVATE}/private_9.png",
        f"{TEST}/test_5.png",
    ]


def test_of_many_problems_twenty_are_named_and_the_rest_counted(source: Path, root: Path) -> None:
    for number in range(100, 125):
        put(f"{TEST}/test_{number}.png", b"")(source)
    lines = refusal(source, root).splitlines()
    assert len(lines) == 22
    assert lines[-1] == "  and 5 more"


def test_a_folder_that_is_not_there(tmp_path: Path, root: Path) -> None:
    with pytest.raises(DatasetError, match=r"nowhere is not a folder: give the one that has images/ and labels/"):
        sealing.seal(tmp_path / "nowhere", root)


def test_files_of_a_file_manager_are_passed_over(source: Path, root: Path) -> None:
    put(f"{TEST}/.DS_Store", b"x")(source)
    sealed = sealing.seal(source, root)
    assert not any(".DS_Store" in name for name in files_below(root / "datasets" / sealed.version))


# What is found after sealing


def change_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(bytes(data))


SEALED_FILES = [
    "images/test/test_3.png",
    "images/private/private_1.png",
    "sample/sample/test_5.png",
    "images/manifest.json",
    "sample/manifest.json",
    "labels/CSAW-M_test.csv",
    "labels/CSAW-M_test_private.csv",
    "seal.json",
]


@pytest.mark.parametrize("name", SEALED_FILES)
def test_a_changed_byte_is_found(root: Path, sealed: sealing.Sealed, name: str) -> None:
    sealing.verify(root, sealed.version)
    change_byte(version_folder(root, sealed) / name)
    with pytest.raises(DatasetError, match=f"\n  {name}: has changed$"):
        sealing.verify(root, sealed.version)


@pytest.mark.parametrize("name", SEALED_FILES)
def test_a_missing_file_is_found(root: Path, sealed: sealing.Sealed, name: str) -> None:
    (version_folder(root, sealed) / name).unlink()
    with pytest.raises(DatasetError, match=f"\n  {name}: is missing$"):
        sealing.verify(root, sealed.version)


@pytest.mark.parametrize("name", ["images/labels.csv", "images/test/test_13.png", "labels/x", "more/x", ".hidden"])
def test_an_added_file_is_found(root: Path, sealed: sealing.Sealed, name: str) -> None:
    path = version_folder(root, sealed) / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x")
    with pytest.raises(DatasetError, match=f"\n  {name}: was added$"):
        sealing.verify(root, sealed.version)


def test_a_link_to_the_labels_is_found(root: Path, sealed: sealing.Sealed) -> None:
    (version_folder(root, sealed) / "images" / "labels").symlink_to("../labels")
    with pytest.raises(DatasetError, match=r"images/labels: was added"):
        sealing.verify(root, sealed.version)


def test_a_file_that_became_a_link_to_its_own_content_is_found(root: Path, sealed: sealing.Sealed) -> None:
    path = version_folder(root, sealed) / "images/test/test_3.png"
    path.rename(root / "moved.png")
    path.symlink_to(root / "moved.png")
    with pytest.raises(DatasetError, match=r"images/test/test_3\.png: is a symbolic link"):
        sealing.verify(root, sealed.version)


def test_a_seal_made_to_match_changed_labels_is_found(root: Path, sealed: sealing.Sealed) -> None:
    folder = version_folder(root, sealed)
    change_byte(folder / "labels/CSAW-M_test.csv")
    record = json.loads((folder / "seal.json").read_text())
    digest = hashlib.sha256((folder / "labels/CSAW-M_test.csv").read_bytes()).hexdigest()
    record["labels"]["CSAW-M_test.csv"] = digest
    (folder / "seal.json").chmod(0o600)
    (folder / "seal.json").write_text(json.dumps(record, sort_keys=True, separators=(",", ":")) + "\n")
    with pytest.raises(DatasetError, match=r"seal\.json: has changed"):
        sealing.load_labels(root, sealed.version, Split.PUBLIC)


def test_labels_and_manifests_that_changed_are_not_used(root: Path, sealed: sealing.Sealed) -> None:
    folder = version_folder(root, sealed)
    change_byte(folder / "labels/CSAW-M_test_private.csv")
    change_byte(folder / "images/manifest.json")
    with pytest.raises(DatasetError, match=r"labels/CSAW-M_test_private\.csv: has changed"):
        sealing.load_labels(root, sealed.version, Split.PRIVATE)
    with pytest.raises(DatasetError, match=r"images/manifest\.json: has changed"):
        sealing.manifest(root, sealed.version)
    assert len(sealing.manifest(root, sealed.version, sample=True).images) == 8


def test_labels_that_were_not_sealed_are_not_there(root: Path, sealed: sealing.Sealed) -> None:
    with pytest.raises(DatasetError, match=r"has no labels/CSAW-M_train\.csv"):
        sealing.load_labels(root, sealed.version, Split.TRAIN)


@pytest.mark.parametrize("version", ["", "..", "../labels", "0" * 63, "0" * 64 + "/..", "F" * 64])
def test_what_is_not_a_version_leads_nowhere(root: Path, sealed: sealing.Sealed, version: str) -> None:
    with pytest.raises(DatasetError, match="is not a data set's version"):
        sealing.image_folder(root, version)


def test_a_version_that_is_gone_is_refused(root: Path, sealed: sealing.Sealed) -> None:
    with pytest.raises(DatasetError, match=r"seal\.json: is missing"):
        sealing.verify(root, "0" * 64)


# What a crash leaves

KILLED = """
import os, signal, sys
from pathlib import Path
from evalsvc.store import sealing
def progress(done, total):
    if done == 5:
        print(*Path(sys.argv[2], "datasets").glob(".sealing-*/images/test/*"), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
sealing.seal(Path(sys.argv[1]), Path(sys.argv[2]), progress)
"""


def test_a_kill_in_the_middle_leaves_nothing_sealed_and_the_next_import_cleans_up(
    source: Path, root: Path
) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(source), str(root)], capture_output=True, text=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert "/.sealing-" in killed.stdout  # it had begun to write
    (left,) = [path for path in (root / "datasets").iterdir() if path.is_dir()]
    assert left.name.startswith(".sealing-")
    sealed = sealing.seal(source, root)
    assert {path.name for path in (root / "datasets").iterdir()} == {".lock", sealed.version}
    sealing.verify(root, sealed.version)


class Interrupted(Exception):
    """Stands for anything that can go wrong in the middle."""


def test_an_error_in_the_middle_leaves_nothing(source: Path, root: Path) -> None:
    def progress(done: int, total: int) -> None:
        if done == 5:
            raise Interrupted

    with pytest.raises(Interrupted):
        sealing.seal(source, root, progress)
    assert {path.name for path in (root / "datasets").iterdir()} == {".lock"}


def test_two_imports_at_once_agree(source: Path, root: Path) -> None:
    command = "import sys; from pathlib import Path; from evalsvc.store import sealing; "
    command += "print(sealing.seal(Path(sys.argv[1]), Path(sys.argv[2])).version)"
    running = [
        subprocess.Popen(
            [sys.executable, "-c", command, str(source), str(root)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    versions = {process.communicate()[0].strip() for process in running}
    assert [process.returncode for process in running] == [0, 0]
    assert len(versions) == 1
    sealing.verify(root, versions.pop())


def test_a_data_folder_that_cannot_be_written_is_said_in_one_sentence(source: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match=r"could not be kept in .*file \(Not a directory\): make room"):
        sealing.seal(source, tmp_path / "file")
