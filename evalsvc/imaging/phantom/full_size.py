"""Full-size DICOM originals of the stand-in: reduced, one gives exactly the raw image it was made from."""

import io
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

from evalsvc.imaging.phantom.render import STORED_MAX
from evalsvc.imaging.preprocess import ImageMetadata
from evalsvc.imaging.raw import RAW_SHAPES, resize_to_raw

Grey16 = NDArray[np.uint16]

_ORIGINAL_SHAPES: Final = {raw: original for original, raw in RAW_SHAPES.items()}
_MAMMOGRAPHY_FOR_PRESENTATION: Final = UID("1.2.840.10008.5.1.4.1.1.1.2")


def enlarge(raw: Grey16) -> Grey16:
    """An original (4096 x 3328 or 3328 x 2560) such that `resize_to_raw` of it is `raw`, pixel for pixel.

    A smooth enlargement, corrected blockwise by what it misses; where that leaves the 12 bits, the block is flat.
    """
    rows, columns = _ORIGINAL_SHAPES[raw.shape[0], raw.shape[1]]

    def blocks(image: NDArray[np.int32]) -> NDArray[np.int32]:
        return cv2.resize(image, (columns, rows), interpolation=cv2.INTER_NEAREST).astype(np.int32, copy=False)

    smooth = cv2.resize(raw, (columns, rows), interpolation=cv2.INTER_LINEAR).astype(np.uint16, copy=False)
    missed = raw.astype(np.int32) - resize_to_raw(smooth)
    full = np.clip(smooth.astype(np.int32) + blocks(missed), 0, STORED_MAX).astype(np.uint16)
    wrong = blocks((resize_to_raw(full) != raw).astype(np.int32)) > 0
    full[wrong] = blocks(raw.astype(np.int32))[wrong]
    return np.asarray(full)


def encode_dicom(full: Grey16, metadata: ImageMetadata, name: str) -> bytes:
    """An uncompressed DICOM file of one original; the same bytes for the same arguments."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = _MAMMOGRAPHY_FOR_PRESENTATION
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["evalsvc stand-in", name])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, preamble=b"\0" * 128, file_meta=meta)
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.Modality = "MG"
    dataset.PatientName, dataset.PatientID = "Synthetic^Stand-in", name
    dataset.ViewPosition, dataset.ImageLaterality = "MLO", metadata.laterality
    dataset.BurnedInAnnotation = "YES"
    dataset.ImagerPixelSpacing = [0.07, 0.07]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, metadata.photometric_interpretation
    dataset.Rows, dataset.Columns = full.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.WindowCenter, dataset.WindowWidth = metadata.window_center, metadata.window_width
    dataset.PixelData = full.astype("<u2").tobytes()
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
