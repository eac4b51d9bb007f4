"""PNG files, read with every fault named and written so that a file that is there is a whole file."""

import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from evalsvc.domain.errors import ImageError

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def read_png16(path: Path) -> NDArray[np.uint16]:
    """A 16-bit grey PNG as (rows, columns).  Raises `ImageError`."""
    data = path.read_bytes()
    fault = _fault(data)
    try:
        image = None if fault else cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:  # more pixels than OpenCV is willing to decode
        image = None
    if image is None:
        raise ImageError(path, f"{fault or 'cannot be decoded as a PNG'}; copy the file again.")
    if image.ndim != 2 or image.dtype != np.uint16:
        channels = 1 if image.ndim == 2 else image.shape[2]
        raise ImageError(
            path,
            f"has {8 * image.dtype.itemsize} bits and {channels} channel(s); raw images are 16-bit grey. "
            "Is this an image that was preprocessed already?",
        )
    return image.astype(np.uint16, copy=False)


def encode_png(image: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    """The same bytes for the same pixels (with one version of OpenCV); quick rather than small."""
    encoded, data = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not encoded:
        raise ValueError(f"OpenCV cannot encode {image.dtype} {image.shape} as PNG")
    return data.tobytes()


def write_whole(path: Path, data: bytes) -> None:
    """Write under another name, then rename: an interrupted run leaves no half file under `path`."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _fault(data: bytes) -> str | None:
    """What is wrong with the file around the pixels; decoders differ in what they let pass."""
    if not data:
        return "is empty"
    if not data.startswith(_SIGNATURE):
        return "is not a PNG"
    position = len(_SIGNATURE)
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        end = position + 12 + length
        if end > len(data):
            break
        if struct.pack(">I", zlib.crc32(data[position + 4 : end - 4])) != data[end - 4 : end]:
            return "is damaged (a checksum does not match)"
        if data[position + 4 : position + 8] == b"IEND":
            return None
        position = end
    return "is truncated"
