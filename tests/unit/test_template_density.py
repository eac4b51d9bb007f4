"""The template cannot import evalsvc, so its density is a copy: here the copy is held to the original."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import kendalltau, norm

from evalsvc.domain.dataset import Split
from evalsvc.imaging.density import measure_density
from evalsvc.imaging.phantom.anatomy import draw_anatomy
from evalsvc.imaging.phantom.render import render
from evalsvc.imaging.phantom.streams import Stream, stream
from evalsvc.imaging.preprocess import preprocess

SOURCE = Path(__file__).parents[2] / "submission_template" / "density.py"
LATENTS = norm.ppf((np.arange(24) + 0.5) / 24)


@pytest.fixture(scope="module")
def score_image() -> Callable[[None, np.ndarray], float]:
    spec = importlib.util.spec_from_file_location("template_density", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.score_image


@pytest.fixture(scope="module")
def phantoms() -> list[np.ndarray]:
    """Synthetic mammograms of rising masking potential."""
    made = []
    for index, latent in enumerate(LATENTS):
        anatomy = draw_anatomy(float(latent), stream(3, Split.TRAIN, Stream.ANATOMY, index))
        raw = render(anatomy, stream(3, Split.TRAIN, Stream.PIXELS, index))
        made.append(preprocess(raw, anatomy.metadata))
    return made


def test_it_is_the_services_own_percent_density(
    score_image: Callable[[None, np.ndarray], float], phantoms: list[np.ndarray]
) -> None:
    scores = [score_image(None, image) for image in phantoms]
    np.testing.assert_allclose(scores, [measure_density(image).percent for image in phantoms], rtol=1e-9)
    assert len(set(scores)) == len(scores)


def test_a_higher_score_means_more_masking(
    score_image: Callable[[None, np.ndarray], float], phantoms: list[np.ndarray]
) -> None:
    assert kendalltau(LATENTS, [score_image(None, image) for image in phantoms]).statistic > 0.3


# Coarse blocks: what a decoder could hand over, from nothing at all to a few specks.
IMAGES = arrays(np.uint8, (8, 6), elements=st.sampled_from([0, 0, 0, 1, 60, 255])).map(
    lambda blocks: np.kron(blocks, np.ones((5, 7), np.uint8))
)


@settings(max_examples=60, deadline=None)
@given(image=IMAGES)
def test_it_agrees_on_images_that_show_no_breast_too(
    score_image: Callable[[None, np.ndarray], float], image: np.ndarray
) -> None:
    score = score_image(None, image)
    assert 0 <= score <= 100
    assert score == pytest.approx(measure_density(image).percent, abs=1e-9)


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (9, 3), (3, 9)])
def test_a_speck_gets_a_finite_score(
    score_image: Callable[[None, np.ndarray], float], shape: tuple[int, int]
) -> None:
    image = np.zeros((40, 40), np.uint8)
    image[10 : 10 + shape[0], 5 : 5 + shape[1]] = 90
    assert score_image(None, image) == pytest.approx(measure_density(image).percent, abs=1e-9)
