"""Grey PNG files, reduced to what makes the pixels.

A PNG may carry text, times and whole EXIF blocks, and whatever follows its last chunk: any of these could name
the woman or her label, and the submission's container reads the file.  So a sealed image is rebuilt from the two
chunks that a grey image needs.  The compressed pixels are kept byte for byte, never encoded anew: the same
original gives the same sealed file with every version of every library.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from evalsvc.store.durable import UnusableFile

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_HEADER: Final = struct.Struct(">IIBBBBB")
_GREY: Final = 0


@dataclass(frozen=True)
class _Header:
    """IHDR, as the PNG specification has it."""

    width: int
    height: int
    depth: int
    colour: int
    compression: int
    filtering: int
    interlace: int


def plain_png(data: bytes, rows: int, columns: int) -> bytes:
    """The same 8-bit grey image of `rows` x `columns`, with nothing in the file but its pixels.

    Raises `UnusableFile` for any other kind of image, and for one that is damaged or incomplete: every checksum is
    checked and every pixel decoded.
    """
    header, pixels = _critical_chunks(data)
    _require_grey(_header(header), rows, columns)
    stream = _whole_stream(pixels, rows * (columns + 1))
    plain = SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", stream) + _chunk(b"IEND", b"")
    decoded = decode_grey(plain)
    if decoded.shape != (rows, columns) or decoded.dtype != np.uint8:
        raise UnusableFile(f"decodes to {decoded.shape} {decoded.dtype}, not to {rows} x {columns} bytes")
    return plain


def decode_grey(data: bytes) -> NDArray[np.generic]:
    """The pixels as stored.  Raises `UnusableFile` when OpenCV cannot read them."""
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise UnusableFile("cannot be decoded") from error
    if pixels is None:
        raise UnusableFile("cannot be decoded")
    return pixels


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each chunk's type and content, up to and with IEND; every checksum is checked on the way."""
    if not data.startswith(SIGNATURE):
        raise UnusableFile("is not a PNG file")
    position, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        length = int.from_bytes(data[position : position + 4], "big")
        kind, end = data[position + 4 : position + 8], position + 12 + length
        if end > len(data):
            raise UnusableFile("is cut off; copy the file again")
        if zlib.crc32(data[position + 4 : end - 4]).to_bytes(4, "big") != data[end - 4 : end]:
            raise UnusableFile("is damaged (a checksum does not match); copy the file again")
        yield kind, data[position + 8 : end - 4]
        position = end


def _critical_chunks(data: bytes) -> tuple[bytes, bytes]:
    """IHDR's content, and that of all IDAT chunks joined.  Chunks named in lower case may be dropped by anyone."""
    header, pixels = b"", []
    for number, (kind, content) in enumerate(chunks(data)):
        if (number == 0) != (kind == b"IHDR"):
            raise UnusableFile("is not a PNG file: its header is not where it must be")
        if kind == b"IHDR":
            header = content
        elif kind == b"IDAT":
            pixels.append(content)
        elif kind != b"IEND" and kind[:1].isupper() and kind != b"PLTE":
            raise UnusableFile(f"has a PNG chunk {kind!r} that nobody knows")
    return header, b"".join(pixels)


def _header(content: bytes) -> _Header:
    if len(content) != _HEADER.size:
        raise UnusableFile("is not a PNG file: its header has the wrong length")
    return _Header(*_HEADER.unpack(content))


def _require_grey(header: _Header, rows: int, columns: int) -> None:
    if header.colour != _GREY:
        raise UnusableFile("is in colour or has transparency; it must be 8-bit grey with one channel")
    if header.depth != 8:
        raise UnusableFile(f"has {header.depth} bits per pixel; it must be 8-bit grey: run `evalsvc preprocess`")
    if (header.height, header.width) != (rows, columns):
        raise UnusableFile(
            f"has {header.height} rows x {header.width} columns; it must have {rows} x {columns}: "
            "run `evalsvc preprocess`"
        )
    if header.interlace or header.compression or header.filtering:
        raise UnusableFile("is interlaced; save it as a plain PNG")


def _whole_stream(pixels: bytes, length: int) -> bytes:
    """The compressed pixels alone: bytes after the end of the stream are where something could hide."""
    decompressor = zlib.decompressobj()
    try:
        unpacked = decompressor.decompress(pixels, length + 1)
    except zlib.error as error:
        raise UnusableFile("is damaged (its pixels cannot be unpacked); copy the file again") from error
    if len(unpacked) != length or not decompressor.eof:
        raise UnusableFile("does not hold exactly the pixels its header promises; copy the file again")
    return pixels[: len(pixels) - len(decompressor.unused_data)]


def _chunk(kind: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")
