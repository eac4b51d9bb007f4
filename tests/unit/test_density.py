"""The density estimator on images whose density is known because they were made so."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import kendalltau

from evalsvc.domain.dataset import Split
from evalsvc.imaging.density import PIXEL_CM2, Density, measure_density
from evalsvc.imaging.phantom.breast import breast_pixels
from evalsvc.imaging.phantom.cases import StandIn, draw_women
from evalsvc.imaging.phantom.render import render
from evalsvc.imaging.phantom.streams import Stream, stream
from evalsvc.imaging.preprocess import preprocess

IMAGES = 60


def half_ellipse(dense: float, muscle: bool, exposure: float = 1.0) -> NDArray[np.uint8]:
    """A fatty breast whose lower rows, a share `dense` of what is not muscle, are twice as bright."""
    y, x = np.mgrid[0:632, 0:512]
    breast = (x >= 150) & (((x - 150) / 240) ** 2 + ((y - 300) / 280) ** 2 < 1)
    pectoral = breast & ((x - 150) / 130 + (y - 20) / 260 < 1) if muscle else np.zeros_like(breast)
    image = np.where(breast, 60, 0)
    free = np.flatnonzero(breast & ~pectoral)
    image.ravel()[free[len(free) - round(dense * len(free)) :]] = 120
    image[pectoral] = 150
    return np.rint(image * exposure).astype(np.uint8)


@pytest.mark.parametrize("dense", [0.0, 0.1, 0.3, 0.6])
@pytest.mark.parametrize("exposure", [0.7, 1.0, 1.4])
def test_a_known_share_is_found_at_any_exposure(dense: float, exposure: float) -> None:
    image = half_ellipse(dense, muscle=True, exposure=exposure)
    assert measure_density(image).percent == pytest.approx(100 * dense, abs=4)


def test_the_muscle_is_not_breast() -> None:
    with_muscle, without = measure_density(half_ellipse(0.2, muscle=True)), half_ellipse(0.2, muscle=False)
    whole = np.count_nonzero(without) * PIXEL_CM2
    muscle = np.count_nonzero(half_ellipse(0.0, muscle=True) == 150) * PIXEL_CM2
    assert with_muscle.breast_area == pytest.approx(whole - muscle, rel=0.05)


def test_areas_are_in_square_centimetres_and_fit_together() -> None:
    density = measure_density(half_ellipse(0.3, muscle=True))
    assert density.dense_area == pytest.approx(density.breast_area * density.percent / 100)
    # 0.07 mm x 4096 / 632 = 0.4537 mm
    assert pytest.approx(0.04537**2, rel=1e-3) == PIXEL_CM2


@pytest.mark.parametrize("value", [0, 255])
def test_an_image_without_a_breast_still_gets_an_answer(value: int) -> None:
    density = measure_density(np.full((632, 512), value, np.uint8))
    assert density.percent == 0
    assert density.dense_area == 0
    if value == 0:
        assert density == Density(0, 0, 0)


def test_specks_and_tiny_images_do_no_harm() -> None:
    speck = np.zeros((632, 512), np.uint8)
    speck[5, 5] = 9
    assert measure_density(speck).percent == 0
    assert measure_density(np.full((3, 3), 7, np.uint8)).percent == 0


@pytest.fixture(scope="module")
def stand_in() -> NDArray[np.float64]:
    """(images, 4): latent, true percent, measured percent, measured per true breast area."""
    women = draw_women(StandIn(5, IMAGES), Split.PUBLIC)
    rows = []
    for index, (latent, anatomy) in enumerate(zip(women.latent, women.anatomies, strict=True)):
        raw = render(anatomy, stream(5, Split.PUBLIC, Stream.PIXELS, index))
        density = measure_density(preprocess(raw, anatomy.metadata))
        area = breast_pixels(anatomy) * PIXEL_CM2
        rows.append((latent, 100 * anatomy.dense_fraction, density.percent, density.breast_area / area))
    return np.array(rows)


def test_it_follows_the_true_density_of_the_stand_in(stand_in: NDArray[np.float64]) -> None:
    assert kendalltau(stand_in[:, 1], stand_in[:, 2]).statistic > 0.65
    assert np.abs(stand_in[:, 1] - stand_in[:, 2]).mean() < 8
    assert np.abs(stand_in[:, 3] - 1).mean() < 0.1


def test_it_explains_only_a_part_of_masking(stand_in: NDArray[np.float64]) -> None:
    assert 0.3 < kendalltau(stand_in[:, 0], stand_in[:, 2]).statistic < 0.65
