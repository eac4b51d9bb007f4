"""A sealed PNG holds the pixels and nothing else, and a damaged one is never sealed."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evalsvc.store.durable import UnusableFile
from evalsvc.store.png import SIGNATURE, chunks, decode_grey, plain_png

ROWS, COLUMNS = 5, 7
SECRET = b"private_17.png;level=8"
PIXELS = (np.arange(ROWS * COLUMNS, dtype=np.uint8) * 7).reshape(ROWS, COLUMNS)

pixels = arrays(np.uint8, (ROWS, COLUMNS))
ancillary = st.tuples(
    st.sampled_from([b"tEXt", b"iTXt", b"zTXt", b"eXIf", b"tIME", b"gAMA", b"pHYs", b"tRNS", b"bKGD", b"prVt"]),
    st.binary(max_size=20).map(lambda tail: SECRET + tail),
)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def header(depth: int = 8, colour: int = 0, interlace: int = 0, size: tuple[int, int] = (ROWS, COLUMNS)) -> bytes:
    return struct.pack(">IIBBBBB", size[1], size[0], depth, colour, 0, 0, interlace)


def stream(image: np.ndarray) -> bytes:
    return zlib.compress(b"".join(b"\0" + row.tobytes() for row in image))


def png(*parts: tuple[bytes, bytes]) -> bytes:
    return SIGNATURE + b"".join(chunk(*part) for part in parts)


def simple(image: np.ndarray = PIXELS) -> bytes:
    return png((b"IHDR", header()), (b"IDAT", stream(image)), (b"IEND", b""))


def encoded(image: np.ndarray, *parameters: int) -> bytes:
    return cv2.imencode(".png", image, parameters)[1].tobytes()


@st.composite
def decorated(draw: st.DrawFn) -> tuple[np.ndarray, bytes]:
    """An image, and a PNG of it with chunks before, between and after its pieces, and bytes after its end."""
    image = draw(pixels)
    packed = stream(image) + draw(st.sampled_from([b"", SECRET]))
    cuts = sorted(draw(st.lists(st.integers(0, len(packed)), max_size=4)))
    pieces = [packed[a:b] for a, b in zip([0, *cuts], [*cuts, len(packed)], strict=True)]
    body = [(b"IDAT", piece) for piece in pieces]
    for extra in draw(st.lists(ancillary, max_size=6)):
        body.insert(draw(st.integers(0, len(body))), extra)
    tail = draw(st.sampled_from([b"", SECRET, chunk(b"tEXt", SECRET)]))
    return image, png((b"IHDR", header()), *body, (b"IEND", b"")) + tail


@given(decorated())
def test_only_the_pixels_are_kept(made: tuple[np.ndarray, bytes]) -> None:
    image, data = made
    plain = plain_png(data, ROWS, COLUMNS)
    assert np.array_equal(decode_grey(plain), image)
    assert SECRET not in plain
    assert [kind for kind, _ in chunks(plain)] == [b"IHDR", b"IDAT", b"IEND"]
    assert plain == simple(image)
    assert plain_png(plain, ROWS, COLUMNS) == plain


@given(pixels, st.sampled_from(range(10)))
def test_what_opencv_writes_keeps_its_pixels(image: np.ndarray, compression: int) -> None:
    plain = plain_png(encoded(image, cv2.IMWRITE_PNG_COMPRESSION, compression), ROWS, COLUMNS)
    assert np.array_equal(decode_grey(plain), image)


@given(st.integers(0, len(simple()) - 1))
def test_a_file_that_is_cut_off_is_refused(length: int) -> None:
    with pytest.raises(UnusableFile):
        plain_png(simple()[:length], ROWS, COLUMNS)


@settings(max_examples=300)
@given(st.integers(0, len(simple()) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused(position: int, difference: int) -> None:
    damaged = bytearray(simple())
    damaged[position] ^= difference
    with pytest.raises(UnusableFile):
        plain_png(bytes(damaged), ROWS, COLUMNS)


IDAT, IEND = (b"IDAT", stream(PIXELS)), (b"IEND", b"")
COLOUR = np.zeros((ROWS, COLUMNS, 3), np.uint8)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is not a PNG file"),
        (b"Filename;Label\n", "is not a PNG file"),
        (cv2.imencode(".jpg", PIXELS)[1].tobytes(), "is not a PNG file"),
        (SIGNATURE, "is cut off"),
        (png((b"IHDR", header()), IDAT), "is cut off"),
        (png(IDAT, (b"IHDR", header()), IEND), "header is not where"),
        (png((b"IHDR", header()), (b"IHDR", header()), IDAT, IEND), "header is not where"),
        (png((b"IHDR", header()[:-1]), IDAT, IEND), "wrong length"),
        (png((b"IHDR", header()), (b"ABCD", b""), IDAT, IEND), "chunk b'ABCD'"),
        (png((b"IHDR", header()), IEND), "exactly the pixels"),
        (png((b"IHDR", header()), (b"IDAT", stream(PIXELS[:-1])), IEND), "exactly the pixels"),
        (png((b"IHDR", header()), (b"IDAT", stream(np.vstack([PIXELS, PIXELS]))), IEND), "exactly the pixels"),
        (png((b"IHDR", header()), (b"IDAT", stream(PIXELS)[:-1]), IEND), "exactly the pixels"),
        (png((b"IHDR", header()), (b"IDAT", stream(PIXELS)[:-1] + b"\0"), IEND), "cannot be unpacked"),
        (png((b"IHDR", header()), (b"IDAT", b"no stream"), IEND), "cannot be unpacked"),
        (png((b"IHDR", header()), (b"IDAT", zlib.compress(b"\x09" * (ROWS * (COLUMNS + 1)))), IEND), "be decoded"),
        (png((b"IHDR", header(interlace=1)), IDAT, IEND), "is interlaced"),
        (encoded(COLOUR), "is in colour"),
        (encoded(np.dstack([COLOUR, PIXELS])), "is in colour or has transparency"),
        (encoded(PIXELS.astype(np.uint16)), "has 16 bits per pixel"),
        (encoded(PIXELS, cv2.IMWRITE_PNG_BILEVEL, 1), "has 1 bits per pixel"),
        (encoded(PIXELS.T), "has 7 rows x 5 columns; it must have 5 x 7"),
    ],
)
def test_what_cannot_be_sealed(data: bytes, problem: str) -> None:
    with pytest.raises(UnusableFile, match=problem):
        plain_png(data, ROWS, COLUMNS)


def test_an_image_that_unpacks_to_gigabytes_is_refused_without_unpacking_it() -> None:
    bomb = zlib.compress(bytes(1 << 28))
    with pytest.raises(UnusableFile, match="exactly the pixels"):
        plain_png(png((b"IHDR", header()), (b"IDAT", bomb), IEND), ROWS, COLUMNS)
