"""Each published preprocessing step on arrays small enough to work out by hand, then all of them together."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from evalsvc.domain.errors import InputError
from evalsvc.imaging.preprocess import (
    DEFAULT_REMOVAL,
    ImageMetadata,
    TextRemoval,
    breast_contour,
    centre_on,
    centroid_column,
    fit,
    invert_if_needed,
    point_right,
    preprocess,
    remove_text,
    window,
)
from evalsvc.imaging.raw import raw_shape, resize_to_raw

LEFT = ImageMetadata("L", 2047, 4096, "MONOCHROME2")
RIGHT = ImageMetadata("R", 2047, 4096, "MONOCHROME2")
BREAST, TEXT = 2000, 4095


def raw_image(rows: int = 632, columns: int = 512) -> NDArray[np.uint16]:
    """A left breast 200 columns wide over all but the last rows, and two "letters" at the upper right of it."""
    image = np.zeros((rows, columns), np.uint16)
    image[: rows - 40, :200] = BREAST
    image[20:32, 300:308] = TEXT
    image[20:32, 314:322] = TEXT
    return image


def mirrored(image: NDArray[np.uint16]) -> NDArray[np.uint16]:
    return np.ascontiguousarray(image[:, ::-1])


def expected(rows: int) -> NDArray[np.uint8]:
    """`raw_image` as it must come out: 200 columns around the middle one, no letters."""
    image = np.zeros((632, 512), np.uint8)
    top = (632 - rows) // 2
    # The contour runs through pixel centres 0 to 199: its centroid is 99.5, truncated to 99, which lands on 256.
    image[top : top + rows - 40, 256 - 99 : 256 - 99 + 200] = int((BREAST + 1) / 4096 * 255)
    return image


class TestStep1:
    @pytest.mark.parametrize(
        ("original", "raw"),
        [
            ((4096, 3328), (632, 512)),
            ((3328, 2560), (514, 394)),
            ((632, 512), (632, 512)),
            ((514, 394), (514, 394)),
            ((2294, 1914), (614, 512)),
            ((4000, 1000), (632, 158)),
            ((100, 50), (100, 50)),
        ],
    )
    def test_the_raw_size(self, original: tuple[int, int], raw: tuple[int, int]) -> None:
        assert raw_shape(*original) == raw

    def test_bilinear_interpolation_of_stored_values(self) -> None:
        ramp = np.broadcast_to(np.arange(3328, dtype=np.uint16), (4096, 3328))
        resized = resize_to_raw(np.ascontiguousarray(ramp))
        assert resized.dtype == np.uint16
        centres = (np.arange(512) + 0.5) * 3328 / 512 - 0.5
        assert np.abs(resized[0] - centres).max() <= 0.5

    def test_a_raw_image_is_its_own(self) -> None:
        image = raw_image()
        assert resize_to_raw(image) is image


class TestSteps2To4:
    def test_only_right_breasts_are_mirrored(self) -> None:
        image = np.array([[1, 2, 3]], np.uint16)
        assert point_right(image, "R").tolist() == [[3, 2, 1]]
        assert point_right(image, "L").tolist() == [[1, 2, 3]]

    def test_the_window_clips_scales_and_truncates(self) -> None:
        image = np.array([[0, 100, 149, 150, 151, 200, 65535]], np.uint16)
        # 49/100 * 255 = 124.95; 50/100 * 255 = 127.5; 51/100 * 255 = 130.05
        assert window(image, center=150, width=100).tolist() == [[0, 0, 124, 127, 130, 255, 255]]

    @given(
        center=st.floats(-5000, 70000),
        width=st.floats(1, 70000),
        values=st.lists(st.integers(0, 65535), min_size=1, max_size=20),
    )
    def test_the_window_is_the_formula_at_every_value(
        self, center: float, width: float, values: list[int]
    ) -> None:
        low, high = center - width / 2, center + width / 2
        plain = [int((min(max(value, low), high) - low) / (high - low) * 255) for value in values]
        assert window(np.array([values], np.uint16), center, width)[0].tolist() == plain

    def test_monochrome1_is_inverted(self) -> None:
        image = np.array([[0, 5, 255]], np.uint8)
        assert invert_if_needed(image, "MONOCHROME1").tolist() == [[255, 250, 0]]
        assert invert_if_needed(image, "MONOCHROME2") is image


class TestSteps5And6:
    def test_the_breast_is_the_largest_area_and_its_centroid_is_truncated(self) -> None:
        image = np.zeros((50, 60), np.uint8)
        image[10:40, 5:16] = 7  # columns 5 to 15: centroid 10
        image[0:4, 40:44] = 255
        assert centroid_column(breast_contour(image)) == 10
        image[10:40, 16] = 7  # columns 5 to 16: centroid 10.5
        assert centroid_column(breast_contour(image)) == 10

    @pytest.mark.parametrize("dots", [[], [(3, 3)]], ids=["nothing", "a single pixel"])
    def test_no_breast(self, dots: list[tuple[int, int]]) -> None:
        image = np.zeros((20, 20), np.uint8)
        for dot in dots:
            image[dot] = 1
        with pytest.raises(InputError, match="no breast found"):
            breast_contour(image)

    @pytest.mark.parametrize(("column", "left", "right"), [(10, 20, 0), (30, 0, 20), (20, 0, 0)])
    def test_padding_brings_the_column_to_the_middle(self, column: int, left: int, right: int) -> None:
        image = np.zeros((2, 40), np.uint8)
        image[:, column] = 200
        centred = centre_on(image, column, air=9)
        assert centred.shape == (2, 40 + left + right)
        assert centred[0, centred.shape[1] // 2] == 200
        assert (centred[:, :left] == 9).all()
        assert (centred[:, 40 + left :] == 9).all()

    @given(rows=st.integers(1, 1400), half=st.integers(1, 700))
    def test_the_middle_column_stays_the_middle_column(self, rows: int, half: int) -> None:
        image = np.full((rows, 2 * half), 5, np.uint8)
        image[:, half] = 200
        fitted = fit(image)
        assert fitted.shape == (632, 512)
        assert (fitted[:, 256] == 200).sum() == min(rows, 632)

    def test_a_smaller_image_is_padded_with_zeros_not_with_air(self) -> None:
        fitted = fit(np.full((514, 400), 9, np.uint8))
        assert (fitted[59 : 59 + 514, 56 : 56 + 400] == 9).all()
        assert fitted.sum() == 9 * 514 * 400


class TestStep7:
    def image(self) -> NDArray[np.uint8]:
        image = np.zeros((632, 512), np.uint8)
        image[0:500, 100:300] = 90
        return image

    def test_letters_go_and_the_breast_stays(self) -> None:
        image = self.image()
        image[20:32, 400:408] = image[20:32, 414:422] = 255
        assert (remove_text(image, 0, DEFAULT_REMOVAL) == self.image()).all()

    def test_it_is_painted_with_the_air_value(self) -> None:
        image = self.image()
        image[20:32, 400:408] = 255
        painted = remove_text(image, 3, DEFAULT_REMOVAL)
        assert (painted[20:32, 400:408] == 3).all()

    def test_without_text_nothing_changes(self) -> None:
        assert (remove_text(self.image(), 0, DEFAULT_REMOVAL) == self.image()).all()

    def test_what_starts_below_the_breast_at_the_chest_wall_is_not_text(self) -> None:
        image = self.image()
        image[520:540, 400:420] = 255
        assert (remove_text(image, 0, DEFAULT_REMOVAL) == image).all()

    def test_of_two_the_one_that_reaches_further_right_goes(self) -> None:
        image = self.image()
        image[20:32, 350:362] = image[100:112, 450:462] = 255
        cleaned = remove_text(image, 0, DEFAULT_REMOVAL)
        assert cleaned[100:112, 450:462].max() == 0
        assert cleaned[20:32, 350:362].min() == 255

    @pytest.mark.parametrize(
        ("removal", "removed"),
        [
            (TextRemoval(), True),
            (TextRemoval(skip=True), False),
            (TextRemoval(min_area=1000), False),
            (TextRemoval(max_area=100), False),
        ],
    )
    def test_overrides(self, removal: TextRemoval, removed: bool) -> None:
        raw = raw_image()
        assert ((preprocess(raw, LEFT, removal) == expected(632)).all()) == removed

    def test_a_larger_kernel_merges_letters_that_stand_apart(self) -> None:
        image = self.image()
        image[20:32, 400:408] = image[20:32, 420:428] = 255
        assert remove_text(image, 0, TextRemoval(kernel=10)).max() == 255
        assert (remove_text(image, 0, TextRemoval(kernel=15)) == self.image()).all()


@pytest.mark.parametrize("shape", [(632, 512), (514, 394)], ids=str)
@pytest.mark.parametrize("laterality", ["L", "R"])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_all_steps_together(shape: tuple[int, int], laterality: str, photometric: str) -> None:
    raw: Any = raw_image(*shape)
    if photometric == "MONOCHROME1":
        raw = 4095 - raw
    if laterality == "R":
        raw = mirrored(raw)
    before = raw.copy()
    out = preprocess(raw, ImageMetadata(laterality, 2047, 4096, photometric))
    wanted = expected(shape[0])
    if photometric == "MONOCHROME1":
        # Truncation comes before the inversion, so that tissue comes out up to one grey value brighter.
        wanted[wanted > 0] = 255 - int((4095 - BREAST + 1) / 4096 * 255)
    assert out.dtype == np.uint8
    assert (out == wanted).all()
    assert (raw == before).all()


def test_an_image_of_nothing_but_air_has_no_breast() -> None:
    with pytest.raises(InputError, match="no breast found"):
        preprocess(np.zeros((632, 512), np.uint16), RIGHT)
