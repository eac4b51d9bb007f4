"""Real DICOM files, whole and damaged."""

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.uid import JPEGLSLossless, RLELossless

from evalsvc.domain.dataset import Split
from evalsvc.domain.errors import ImageError
from evalsvc.imaging.dicom import read_dicom
from evalsvc.imaging.header import Header
from evalsvc.imaging.phantom.cases import StandIn, draw_women
from evalsvc.imaging.phantom.full_size import encode_dicom, enlarge
from evalsvc.imaging.phantom.render import render
from evalsvc.imaging.phantom.streams import Stream, stream
from evalsvc.imaging.preprocess import ImageMetadata
from evalsvc.imaging.raw import resize_to_raw

METADATA = ImageMetadata("R", 2047, 4096, "MONOCHROME1")
PIXELS = np.arange(60 * 40, dtype=np.uint16).reshape(60, 40)


def written(folder: Path, **changes: object) -> Path:
    """A small DICOM file, with elements changed, or deleted when the value is None."""
    dataset = pydicom.dcmread(io.BytesIO(encode_dicom(PIXELS, METADATA, "x")))
    for keyword, value in changes.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    dataset.save_as(folder / "x.dcm")
    return folder / "x.dcm"


def refused(path: Path) -> str:
    with pytest.raises(ImageError) as caught:
        read_dicom(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_stored_pixels_and_header(tmp_path: Path) -> None:
    pixels, header = read_dicom(written(tmp_path))
    assert pixels.dtype == np.uint16
    assert (pixels == PIXELS).all()
    assert header == Header("R", 2047, 4096, "MONOCHROME1")


def test_no_rescaling_is_applied(tmp_path: Path) -> None:
    pixels, _ = read_dicom(written(tmp_path, RescaleSlope=2, RescaleIntercept=-100))
    assert (pixels == PIXELS).all()


def test_the_first_of_several_windows_counts_and_an_older_laterality_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, WindowCenter=[1000, 9], WindowWidth=[500, 9], ImageLaterality=None, Laterality="L")
    assert read_dicom(path)[1] == Header("L", 1000, 500, "MONOCHROME1")


def test_a_header_without_a_window_says_so(tmp_path: Path) -> None:
    _, header = read_dicom(written(tmp_path, WindowCenter=None, WindowWidth="", ImageLaterality=None))
    assert header == Header(None, None, None, "MONOCHROME1")


def test_run_length_compression_is_read(tmp_path: Path) -> None:
    dataset = pydicom.dcmread(written(tmp_path))
    dataset.compress(RLELossless, generate_instance_uid=False)
    dataset.save_as(tmp_path / "x.dcm")
    assert (read_dicom(tmp_path / "x.dcm")[0] == PIXELS).all()


def test_not_a_dicom(tmp_path: Path) -> None:
    for data in (b"", b"hello", b"\x89PNG" * 100):
        (tmp_path / "x.dcm").write_bytes(data)
        assert "is not a DICOM file" in refused(tmp_path / "x.dcm")


@pytest.mark.parametrize("keep", [0.99, 0.5, 0.2, 0.1, 0.05])
def test_truncated(tmp_path: Path, keep: float) -> None:
    data = written(tmp_path).read_bytes()
    (tmp_path / "x.dcm").write_bytes(data[: int(keep * len(data))])
    assert "truncated" in refused(tmp_path / "x.dcm") or "copy the file again" in refused(tmp_path / "x.dcm")


def test_a_dicom_without_pixels(tmp_path: Path) -> None:
    assert "has no pixels" in refused(written(tmp_path, PixelData=None))


def test_colour_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0, Rows=20)
    assert "one grey image is expected" in refused(path)


def test_negative_pixels_are_refused(tmp_path: Path) -> None:
    data = np.full((60, 40), -3, np.int16)
    path = written(tmp_path, PixelRepresentation=1, BitsStored=16, HighBit=15, PixelData=data.tobytes())
    assert "outside 0 to 65535" in refused(path)


def test_a_compression_without_a_decoder_is_said(tmp_path: Path) -> None:
    dataset = pydicom.dcmread(written(tmp_path))
    dataset.PixelData = pydicom.encaps.encapsulate([b"\xff\xd8\xff\xf7"])
    dataset["PixelData"].VR = "OB"
    dataset.file_meta.TransferSyntaxUID = JPEGLSLossless
    dataset.save_as(tmp_path / "x.dcm")
    assert "the pixels cannot be read" in refused(tmp_path / "x.dcm")


def raws() -> list[NDArray[np.uint16]]:
    """One synthetic raw image from each detector."""
    women = draw_women(StandIn(0, 20), Split.PUBLIC)
    first = {anatomy.small: index for index, anatomy in reversed(list(enumerate(women.anatomies)))}
    return [render(women.anatomies[i], stream(0, Split.PUBLIC, Stream.PIXELS, i)) for i in first.values()]


def test_a_full_size_original_reduces_to_exactly_its_raw_image(tmp_path: Path) -> None:
    shapes = set()
    for raw in raws():
        (tmp_path / "x.dcm").write_bytes(encode_dicom(enlarge(raw), METADATA, "x"))
        stored, _ = read_dicom(tmp_path / "x.dcm")
        shapes.add(stored.shape)
        assert (resize_to_raw(stored) == raw).all()
    assert shapes == {(4096, 3328), (3328, 2560)}
