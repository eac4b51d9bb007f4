"""The files around the preprocessing: overrides, raw PNGs, and matching originals with labels."""

import zlib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from evalsvc.domain.errors import ImageError, InputError
from evalsvc.domain.labels import LabelRow, LabelTable
from evalsvc.imaging.batch import Destination, plan, resolve
from evalsvc.imaging.header import Header
from evalsvc.imaging.overrides import read_overrides
from evalsvc.imaging.png import encode_png, read_png16, write_whole
from evalsvc.imaging.preprocess import DEFAULT_REMOVAL, ImageMetadata, TextRemoval

HEADER = "Filename;Kernel;Min_area;Max_area;Skip"
ROW = LabelRow(
    filename="test_1.png",
    line=2,
    level=3,
    experts=(),
    cancer=False,
    interval_cancer=False,
    large_invasive_cancer=False,
    composite=False,
    laterality="L",
    window_center=2047,
    window_width=4096,
    photometric_interpretation="MONOCHROME2",
    percent_density=None,
    dense_area=None,
    breast_area=None,
)


class TestOverrides:
    def test_blank_cells_keep_the_default(self, tmp_path: Path) -> None:
        path = tmp_path / "overrides.csv"
        path.write_text(f"\ufeff{HEADER}\r\na.png;15;;;\r\n\r\nb.png;;200;500;0\r\nc.png;;;;1\r\n")
        assert read_overrides(path) == {
            "a.png": TextRemoval(kernel=15),
            "b.png": TextRemoval(min_area=200, max_area=500),
            "c.png": TextRemoval(skip=True),
        }

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", ":1: the header must be Filename;Kernel;Min_area;Max_area;Skip"),
            ("Filename,Kernel\n", ":1: the header must be"),
            (f"{HEADER}\na.png;15\n", ":2: 2 cells"),
            (f"{HEADER}\n;15;;;\n", ":2: Filename is blank"),
            (f"{HEADER}\na.png;big;;;\n", ":2: Kernel is 'big'"),
            (f"{HEADER}\na.png;0;;;\n", ":2: Kernel must be 1 to 512"),
            (f"{HEADER}\na.png;999999;;;\n", ":2: Kernel must be 1 to 512"),
            (f"{HEADER}\na.png;;-1;;\n", ":2: Min_area is '-1'"),
            (f"{HEADER}\na.png;;500;200;\n", ":2: Kernel must be 1 to 512, and Min_area below Max_area"),
            (f"{HEADER}\na.png;;;;yes\n", ":2: Skip is 'yes'"),
            (f"{HEADER}\na.png;;;;1\na.png;;;;1\n", ":3: a.png has an earlier line"),
        ],
    )
    def test_a_bad_line_is_named(self, tmp_path: Path, text: str, said: str) -> None:
        path = tmp_path / "overrides.csv"
        path.write_text(text)
        with pytest.raises(InputError) as caught:
            read_overrides(path)
        assert f"{path}{said}" in str(caught.value)

    def test_no_such_file(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="cannot be read"):
            read_overrides(tmp_path / "none.csv")


class TestPng:
    def image(self) -> np.ndarray[tuple[int, int], np.dtype[np.uint16]]:
        return np.random.default_rng(0).integers(0, 65536, (40, 30)).astype(np.uint16).reshape(40, 30)

    def test_what_is_written_is_read_back_byte_for_byte_alike(self, tmp_path: Path) -> None:
        write_whole(tmp_path / "a.png", encode_png(self.image()))
        assert (read_png16(tmp_path / "a.png") == self.image()).all()
        assert encode_png(self.image()) == (tmp_path / "a.png").read_bytes()
        assert [path.name for path in tmp_path.iterdir()] == ["a.png"]

    def test_a_failed_write_leaves_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "a.png").mkdir()
        with pytest.raises(OSError, match=r"."):
            write_whole(tmp_path / "a.png", b"x")
        assert [path.name for path in tmp_path.iterdir()] == ["a.png"]

    def test_every_fault_is_named(self, tmp_path: Path) -> None:
        good = encode_png(self.image())
        flipped = good[:60] + bytes([good[60] ^ 1]) + good[61:]
        wrong_pixels = good.replace(good[41:61], good[41:61][::-1])
        length = int.from_bytes(wrong_pixels[33:37], "big")
        checksum = zlib.crc32(wrong_pixels[37 : 41 + length]).to_bytes(4, "big")
        undecodable = wrong_pixels[: 41 + length] + checksum + wrong_pixels[45 + length :]
        faults = {
            b"": "is empty",
            b"hello": "is not a PNG",
            good[:-1]: "is truncated",
            good[: len(good) // 2]: "is truncated",
            good[:8]: "is truncated",
            flipped: "a checksum does not match",
            undecodable: "cannot be decoded",
            encode_png(self.image().astype(np.uint8)): "8 bits and 1 channel",
            cv2.imencode(".png", np.zeros((4, 4, 3), np.uint16))[1].tobytes(): "16 bits and 3 channel",
        }
        for data, said in faults.items():
            (tmp_path / "a.png").write_bytes(data)
            with pytest.raises(ImageError, match=said):
                read_png16(tmp_path / "a.png")


class TestPlan:
    def planned(self, folder: Path, *names: str) -> tuple[list[str], list[str]]:
        for name in names:
            (folder / name).write_bytes(b"x")
        table = LabelTable(tuple(replace(ROW, filename=f"test_{number}.png") for number in (1, 2)))
        tasks, failures = plan(table, folder, Destination(folder / "out"), {})
        return [task.source.name for task in tasks], [failure.message for failure in failures]

    def test_originals_are_found_by_stem(self, tmp_path: Path) -> None:
        assert self.planned(tmp_path, "test_1.dcm", "test_2") == (["test_1.dcm", "test_2"], [])

    def test_a_label_without_an_image(self, tmp_path: Path) -> None:
        tried, failed = self.planned(tmp_path, "test_1.PNG")
        assert tried == ["test_1.PNG"]
        assert failed == [f"test_2.png: in the label file, but not in {tmp_path}."]

    def test_an_image_that_is_missing_from_the_labels(self, tmp_path: Path) -> None:
        tried, failed = self.planned(tmp_path, "test_1.png", "test_2.png", "test_3.dcm")
        assert len(tried) == 2
        assert failed == [f"{tmp_path / 'test_3.dcm'}: missing from the label file; remove it, or add its row."]

    def test_two_files_for_one_label(self, tmp_path: Path) -> None:
        tried, failed = self.planned(tmp_path, "test_1.png", "test_1.dcm", "test_2.png")
        assert tried == ["test_2.png"]
        assert failed == [f"{tmp_path / 'test_1.dcm'}: test_1.png has the same name; keep one."]

    def test_other_files_are_left_alone(self, tmp_path: Path) -> None:
        assert self.planned(tmp_path, "test_1.png", "test_2.png", "README.txt", ".hidden")[1] == []

    def test_an_override_that_names_no_image(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"The overrides name test_9\.png"):
            plan(LabelTable((ROW,)), tmp_path, Destination(tmp_path), {"test_9.png": DEFAULT_REMOVAL})

    def test_no_such_folder(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="is not a folder"):
            plan(LabelTable((ROW,)), tmp_path / "none", Destination(tmp_path), {})


class TestResolve:
    header = Header("R", 100, 50, "MONOCHROME1")
    blank = replace(ROW, laterality="", window_center=None, window_width=None, photometric_interpretation="")

    def test_the_label_file_is_the_authority(self) -> None:
        assert resolve(Path("x"), ROW, self.header) == ImageMetadata("L", 2047, 4096, "MONOCHROME2")

    def test_the_header_fills_what_is_blank(self) -> None:
        assert resolve(Path("x"), self.blank, self.header) == ImageMetadata("R", 100, 50, "MONOCHROME1")

    @pytest.mark.parametrize(
        ("header", "said"),
        [
            (replace(header, laterality=None), "no laterality.*Dicom_image_laterality"),
            (replace(header, laterality="B"), r"unusable value \(B\)"),
            (replace(header, window_center=None), "no window centre.*Dicom_window_center"),
            (replace(header, window_width=None), "no window width.*Dicom_window_width"),
            (replace(header, window_width=0), r"unusable value \(0\) for the window width"),
            (replace(header, photometric_interpretation="RGB"), r"unusable value \(RGB\)"),
        ],
    )
    def test_what_neither_has_is_named(self, header: Header, said: str) -> None:
        with pytest.raises(ImageError, match=said):
            resolve(Path("x"), self.blank, header)
