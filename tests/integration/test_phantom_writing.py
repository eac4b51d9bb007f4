"""The stand-in on disk: the same bytes however many processes draw it, resumable, and never over real data."""

import hashlib
import itertools
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.stats import kendalltau

from evalsvc.domain.dataset import Split
from evalsvc.domain.errors import DatasetError
from evalsvc.domain.labels import read_labels
from evalsvc.imaging.density import breast_mask, measure_density, pectoral_mask
from evalsvc.imaging.parallel import run_all
from evalsvc.imaging.phantom.cases import StandIn, draw_women
from evalsvc.imaging.phantom.drawing import draw
from evalsvc.imaging.phantom.render import render
from evalsvc.imaging.phantom.streams import Stream, stream
from evalsvc.imaging.phantom.writing import Extent, prepare
from evalsvc.imaging.png import read_png16
from evalsvc.imaging.preprocess import preprocess

TESTS = Extent((Split.PUBLIC, Split.PRIVATE))


def synthesize(root: Path, stand_in: StandIn, extent: Extent = TESTS, jobs: int = 1) -> int:
    return sum(run_all(draw, prepare(root, stand_in, extent), jobs))


def contents(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_same_bytes_for_any_number_of_processes(tmp_path: Path) -> None:
    assert synthesize(tmp_path / "one", StandIn(3, 9), jobs=1) == 18
    assert synthesize(tmp_path / "two", StandIn(3, 9), jobs=2) == 18
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_the_published_layout(tmp_path: Path) -> None:
    synthesize(tmp_path, StandIn(0, 2), Extent(dicom=1))
    assert sorted(contents(tmp_path)) == sorted(
        [
            "SYNTHETIC.json",
            *(f"labels/CSAW-M_{name}.csv" for name in ("train", "test", "test_private")),
            *(f"cross_validation/CSAW-M_cross_validation_split{fold}.txt" for fold in range(1, 6)),
            *(
                f"images/{kind}/{split}/{split}_{number}.png"
                for kind in ("raw", "preprocessed")
                for split in ("train", "test", "private")
                for number in (1, 2)
            ),
            *(f"images/dicom/{split}/{split}_1.dcm" for split in ("train", "test", "private")),
        ]
    )


def test_another_seed_is_another_set(tmp_path: Path) -> None:
    synthesize(tmp_path / "a", StandIn(0, 2))
    synthesize(tmp_path / "b", StandIn(1, 2))
    first, second = contents(tmp_path / "a"), contents(tmp_path / "b")
    assert first.keys() == second.keys()
    assert all(first[name] != second[name] for name in first)


def test_an_interrupted_run_is_completed_and_nothing_is_drawn_twice(tmp_path: Path) -> None:
    synthesize(tmp_path, StandIn(0, 3))
    before = contents(tmp_path)
    (tmp_path / "images/raw/test/test_2.png").unlink()
    (tmp_path / "labels/CSAW-M_test.csv").write_text("half a fi")
    assert synthesize(tmp_path, StandIn(0, 3)) == 1
    assert contents(tmp_path) == before


def test_splits_can_be_added_one_by_one(tmp_path: Path) -> None:
    for split in (Split.PUBLIC, Split.PRIVATE):
        synthesize(tmp_path / "parts", StandIn(0, 2), Extent((split,)))
    synthesize(tmp_path / "whole", StandIn(0, 2))
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


def test_the_mark_lists_the_label_files_as_they_are(tmp_path: Path) -> None:
    synthesize(tmp_path, StandIn(7, 2), Extent((Split.PRIVATE,), preprocessed=False))
    mark = json.loads((tmp_path / "SYNTHETIC.json").read_text())
    data = (tmp_path / "labels/CSAW-M_test_private.csv").read_bytes()
    assert mark["labels"] == {"CSAW-M_test_private.csv": hashlib.sha256(data).hexdigest()}
    assert mark["seed"] == 7
    assert mark["splits"]["private"]["images"] == 2
    assert not (tmp_path / "images/preprocessed").exists()


def test_a_real_data_set_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/CSAW-M_test.csv").write_text("precious")
    with pytest.raises(DatasetError, match=r"has no SYNTHETIC\.json: it may be real data"):
        prepare(tmp_path, StandIn(), TESTS)
    assert contents(tmp_path).keys() == {"labels/CSAW-M_test.csv"}


@pytest.mark.parametrize("other", [StandIn(1, 2), StandIn(0, 3), StandIn(0, None)])
def test_another_stand_in_is_not_mixed_in(tmp_path: Path, other: StandIn) -> None:
    prepare(tmp_path, StandIn(0, 2), TESTS)
    with pytest.raises(DatasetError, match="another seed, size or generator"):
        prepare(tmp_path, other, TESTS)


def test_a_damaged_mark_is_refused(tmp_path: Path) -> None:
    for text in ("{", "[]"):
        (tmp_path / "SYNTHETIC.json").write_text(text)
        with pytest.raises(DatasetError, match="choose a new folder"):
            prepare(tmp_path, StandIn(), TESTS)


def test_the_folds_part_the_training_images_evenly_over_the_levels(tmp_path: Path) -> None:
    prepare(tmp_path, StandIn(0, 400), Extent((Split.TRAIN,)))
    level = {row.filename: row.level for row in read_labels(tmp_path / "labels/CSAW-M_train.csv").rows}
    folds = [path.read_text().split() for path in sorted((tmp_path / "cross_validation").iterdir())]
    assert sorted(name for fold in folds for name in fold) == sorted(level)
    assert [len(fold) for fold in folds] == [80] * 5
    means = [np.mean([level[name] or 0 for name in fold]) for fold in folds]
    assert max(means) - min(means) < 0.1


def test_images_are_what_their_labels_say(tmp_path: Path) -> None:
    synthesize(tmp_path, StandIn(2, 24), Extent((Split.PRIVATE,)))
    for row in read_labels(tmp_path / "labels/CSAW-M_test_private.csv").rows:
        raw = read_png16(tmp_path / "images/raw/private" / row.filename)
        assert raw.shape in {(632, 512), (514, 394)}
        shown = raw if row.photometric_interpretation == "MONOCHROME2" else raw.max() - raw
        chest_wall, far_side = shown[300, :40], shown[300, -40:]
        if row.laterality == "R":
            chest_wall, far_side = far_side, chest_wall
        assert chest_wall.mean() > far_side.mean() + 300
        image = cv2.imread(str(tmp_path / "images/preprocessed/private" / row.filename), cv2.IMREAD_UNCHANGED)
        assert image is not None
        assert image.shape == (632, 512)
        assert image.dtype == np.uint8
        assert image[~breast_mask(image)].max() == 0, "burnt-in text is left"


@pytest.mark.slow
def test_texture_tells_more_than_density() -> None:
    """A plain regression on density and texture, fitted on one half, ranks the other half better than density."""
    women = draw_women(StandIn(11, 200), Split.PUBLIC)
    features = []
    for index, anatomy in enumerate(women.anatomies):
        image = preprocess(render(anatomy, stream(11, Split.PUBLIC, Stream.PIXELS, index)), anatomy.metadata)
        breast = breast_mask(image)
        breast &= ~pectoral_mask(image, breast)
        blurred = [cv2.GaussianBlur(image.astype(np.float32), (0, 0), scale) for scale in (1, 2, 4, 8, 16)]
        bands = [np.log(np.var((fine - coarse)[breast])) for fine, coarse in itertools.pairwise(blurred)]
        features.append([1.0, np.log1p(measure_density(image).percent), *bands])
    table, half = np.array(features), np.arange(200) < 100
    fitted = np.linalg.lstsq(table[half], women.latent[half], rcond=None)[0]
    density = kendalltau(table[~half, 1], women.latent[~half]).statistic
    texture = kendalltau(table[~half] @ fitted, women.latent[~half]).statistic
    assert density < 0.65
    assert texture > density + 0.1
    assert texture > 0.65
