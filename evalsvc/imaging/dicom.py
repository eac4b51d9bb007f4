"""Reading one DICOM file: its stored pixels, and the four facts of its header that the preprocessing needs."""

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from evalsvc.domain.errors import ImageError
from evalsvc.imaging.header import Header


def read_dicom(path: Path) -> tuple[NDArray[np.uint16], Header]:
    """The stored pixels (rows, columns), with no rescaling or lookup table applied, and the header.

    Raises `ImageError` for a file that is no DICOM, is truncated, or holds something else than one grey image.
    """
    try:
        dataset = pydicom.dcmread(path)
    except InvalidDicomError as error:
        raise ImageError(path, "is not a DICOM file; remove it, or export it again.") from error
    except Exception as error:  # pydicom raises whatever the damage makes it meet
        raise ImageError(path, f"cannot be read as DICOM ({_first_line(error)}); copy the file again.") from error
    return _stored_pixels(path, dataset), _header(dataset)


def _stored_pixels(path: Path, dataset: Dataset) -> NDArray[np.uint16]:
    if "PixelData" not in dataset:
        raise ImageError(path, "has no pixels: the file is truncated, or is no image; copy it again.")
    try:
        pixels = dataset.pixel_array
    except Exception as error:  # as above: the codecs' errors have no common ancestor
        raise ImageError(
            path,
            f"the pixels cannot be read ({_first_line(error)}); the file is truncated, or compressed "
            "in a way that needs another decoder (save it uncompressed).",
        ) from error
    if pixels.ndim != 2:
        raise ImageError(path, f"holds pixels of shape {pixels.shape}; one grey image is expected.")
    if not np.issubdtype(pixels.dtype, np.integer) or pixels.min() < 0 or pixels.max() > np.iinfo(np.uint16).max:
        raise ImageError(path, "has pixel values outside 0 to 65535; it cannot be stored in 16 bits.")
    return pixels.astype(np.uint16, copy=False)


def _header(dataset: Dataset) -> Header:
    return Header(
        laterality=_text(dataset, "ImageLaterality") or _text(dataset, "Laterality"),
        window_center=_first_number(dataset, "WindowCenter"),
        window_width=_first_number(dataset, "WindowWidth"),
        photometric_interpretation=_text(dataset, "PhotometricInterpretation"),
    )


def _text(dataset: Dataset, keyword: str) -> str | None:
    return str(dataset.get(keyword) or "").strip() or None


def _first_number(dataset: Dataset, keyword: str) -> float | None:
    """The first value where a header gives several alternatives."""
    value: Any = dataset.get(keyword)
    if isinstance(value, pydicom.multival.MultiValue):
        value = value[0] if value else None
    return None if value is None or value == "" else float(value)


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0].rstrip(".")[:160]
