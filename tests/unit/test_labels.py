"""Label files: what is written is read back, and what is wrong is said with file and line."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalsvc.domain.errors import LabelsError
from evalsvc.domain.labels import LabelRow, LabelTable, read_labels, write_labels

TAIL = (
    "If_cancer;If_interval_cancer;If_large_invasive_cancer;If_composite;"
    "Dicom_image_laterality;Dicom_window_center;Dicom_window_width;Dicom_photometric_interpretation;"
    "Libra_percent_density;Libra_dense_area;Libra_breast_area"
)
TRAIN = f"Filename;Label;{TAIL}"
TEST = f"Filename;Label;Expert_1;Expert_2;Expert_3;Expert_4;Expert_5;{TAIL}"
PRIVATE = f"Filename;Expert_1;Expert_2;{TAIL}"
CELLS = "0;0;0;0;L;2047;4096;MONOCHROME2;23.5;31.25;133"


def read(folder: Path, text: str | bytes) -> LabelTable:
    path = folder / "labels.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_labels(path)


def refused(folder: Path, text: str | bytes) -> LabelsError:
    with pytest.raises(LabelsError) as caught:
        read(folder, text)
    return caught.value


def test_a_training_row(tmp_path: Path) -> None:
    (row,) = read(tmp_path, f"{TRAIN}\ntrain_1.png;3;1;0;1;1;R;2047.5;4096;MONOCHROME1;;;\n").rows
    assert row == LabelRow(
        filename="train_1.png",
        line=2,
        level=3,
        experts=(),
        cancer=True,
        interval_cancer=False,
        large_invasive_cancer=True,
        composite=True,
        laterality="R",
        window_center=2047.5,
        window_width=4096.0,
        photometric_interpretation="MONOCHROME1",
        percent_density=None,
        dense_area=None,
        breast_area=None,
    )


def test_five_experts_give_levels_and_the_table_is_not_ranked(tmp_path: Path) -> None:
    table = read(tmp_path, f"{TEST}\ntest_1.png;4;4;3;5;4;8;{CELLS}\n")
    assert table.rows[0].experts == (4, 3, 5, 4, 8)
    assert not table.ranked


def test_private_positions_may_have_gaps_and_run_past_the_split(tmp_path: Path) -> None:
    table = read(tmp_path, f"{PRIVATE}\nprivate_1.png;498;12.5;{CELLS}\n")
    assert table.ranked
    assert table.rows[0].level is None
    assert table.rows[0].experts == (498.0, 12.5)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"{TRAIN}\r\na.png;3;{CELLS}\r\n", id="crlf"),
        pytest.param(f"\ufeff{TRAIN}\na.png;3;{CELLS}\n", id="byte order mark"),
        pytest.param(f"{TRAIN}\na.png;3;{CELLS}", id="no newline at the end"),
        pytest.param(f"{TRAIN}\n\na.png;3;{CELLS}\n\n;;\n", id="blank lines"),
        pytest.param(f"{TRAIN}\n a.png ; 3;{CELLS}\n", id="spaces"),
        pytest.param(f"{TRAIN}\na.png;3.0;{CELLS}\n", id="a whole level with a point"),
        pytest.param(f"Note;{TRAIN};\nx;a.png;3;{CELLS};\n", id="unknown columns"),
        pytest.param(f'{TRAIN}\n"a.png";3;{CELLS}\n', id="quotes"),
    ],
)
def test_accepted_where_a_person_would_expect_it(tmp_path: Path, text: str) -> None:
    (row,) = read(tmp_path, text).rows
    assert (row.filename, row.level) == ("a.png", 3)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (f"a.png;0;{CELLS}", "Label is '0'; it must be a whole number from 1 to 8"),
        (f"a.png;9;{CELLS}", "Label is '9'"),
        (f"a.png;2.5;{CELLS}", "Label is '2.5'"),
        (f"a.png;nan;{CELLS}", "Label is 'nan'"),
        (f"a.png;;{CELLS}", "Label is ''"),
        (f";3;{CELLS}", "Filename is ''; it must be a plain file name"),
        (f"../a.png;3;{CELLS}", "Filename is '../a.png'"),
        (f"c:\\a.png;3;{CELLS}", "Filename"),
        (f"..;3;{CELLS}", "Filename is '..'"),
        ("a.png;3;2;0;0;0;L;2047;4096;MONOCHROME2;1;2;3", "If_cancer is '2'; it must be 0 or 1"),
        ("a.png;3;0;;0;0;L;2047;4096;MONOCHROME2;1;2;3", "If_interval_cancer is ''"),
        ("a.png;3;0;0;True;0;L;2047;4096;MONOCHROME2;1;2;3", "If_large_invasive_cancer is 'True'"),
        ("a.png;3;0;0;0;x;L;2047;4096;MONOCHROME2;1;2;3", "If_composite is 'x'"),
        ("a.png;3;0;0;0;0;B;2047;4096;MONOCHROME2;1;2;3", "Dicom_image_laterality is 'B'; it must be L or R"),
        ("a.png;3;0;0;0;0;L;wide;4096;MONOCHROME2;1;2;3", "Dicom_window_center is 'wide'"),
        ("a.png;3;0;0;0;0;L;2047;inf;MONOCHROME2;1;2;3", "Dicom_window_width is 'inf'"),
        ("a.png;3;0;0;0;0;L;2047;0;MONOCHROME2;1;2;3", "Dicom_window_width is '0'; it must be above 0"),
        ("a.png;3;0;0;0;0;L;2047;4096;RGB;1;2;3", "Dicom_photometric_interpretation is 'RGB'"),
        ("a.png;3;0;0;0;0;L;2047;4096;MONOCHROME2;a;2;3", "Libra_percent_density is 'a'"),
        ("a.png;3;0", "3 cells where the header has 13"),
        (f"a.png;3;{CELLS};1", "14 cells where the header has 13"),
        (f"first.png;3;{CELLS}", "first.png is already on line 2"),
        (f'"a.png;3;{CELLS}', "not well-formed CSV"),
    ],
)
def test_a_bad_cell_is_named_with_its_line(tmp_path: Path, row: str, said: str) -> None:
    error = refused(tmp_path, f"{TRAIN}\nfirst.png;1;{CELLS}\n{row}\n")
    assert said in str(error)
    assert str(error).startswith(f"{tmp_path / 'labels.csv'}:3: ")
    assert error.line == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "the file is empty"),
        (f"{TRAIN}\n".encode(), "no image"),
        (f"{TRAIN}\na\xff".encode("latin-1"), "not UTF-8"),
        (
            f"{TRAIN.replace('If_composite;', '').replace('Filename;', '')}\n".encode(),
            "lacks Filename, If_composite",
        ),
        (f"Filename;{TAIL}\na.png;{CELLS}\n".encode(), "neither Label nor Expert_1"),
        (
            f"Filename;Expert_2;{TAIL}\na.png;1;{CELLS}\n".encode(),
            "Expert_1, Expert_2, ... in order, not Expert_2",
        ),
        (f"Label;{TRAIN}\n".encode(), "has Label more than once"),
        (f"{TRAIN}\n".replace(";", ",").encode(), "label files use ';'"),
    ],
)
def test_a_file_that_cannot_be_a_label_file(tmp_path: Path, text: bytes, said: str) -> None:
    assert said in str(refused(tmp_path, text))


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(LabelsError, match="No such file"):
        read_labels(tmp_path / "none.csv")


def test_the_written_header_is_the_published_one(tmp_path: Path) -> None:
    table = read(tmp_path, f"{TEST}\ntest_1.png;4;4;3;5;4;8;{CELLS}\n")
    write_labels(tmp_path / "copy.csv", table)
    assert (tmp_path / "copy.csv").read_text() == f"{TEST}\ntest_1.png;4;4;3;5;4;8;{CELLS}\n"


def test_a_table_of_mixed_rows_is_not_written(tmp_path: Path) -> None:
    levels = read(tmp_path, f"{TRAIN}\na.png;4;{CELLS}\n").rows
    ranks = read(tmp_path, f"{PRIVATE}\nb.png;4;5;{CELLS}\n").rows
    with pytest.raises(ValueError, match="same columns"):
        write_labels(tmp_path / "copy.csv", LabelTable(levels + ranks))


finite = st.floats(allow_nan=False, allow_infinity=False)
libra = st.none() | finite
names = st.from_regex(r"[A-Za-z0-9_;\" ,'-]{0,8}\.png", fullmatch=True).filter(lambda name: name == name.strip())


def rows(level: st.SearchStrategy[int | None], experts: st.SearchStrategy[tuple[float, ...]]) -> Any:
    flag = st.booleans()
    return st.builds(
        LabelRow,
        filename=names,
        line=st.just(0),
        level=level,
        experts=experts,
        cancer=flag,
        interval_cancer=flag,
        large_invasive_cancer=flag,
        composite=flag,
        laterality=st.sampled_from(["L", "R", ""]),
        window_center=libra,
        window_width=st.none() | st.floats(min_value=1e-3, max_value=1e9),
        photometric_interpretation=st.sampled_from(["MONOCHROME1", "MONOCHROME2", ""]),
        percent_density=libra,
        dense_area=libra,
        breast_area=libra,
    )


levels = st.integers(1, 8)
public = st.integers(0, 5).flatmap(
    lambda k: st.lists(rows(levels, st.tuples(*[levels.map(float)] * k)), min_size=1)
)
private = st.integers(1, 5).flatmap(lambda k: st.lists(rows(st.none(), st.tuples(*[finite] * k)), min_size=1))


@given(drawn=public | private)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_is_written_is_read_back(tmp_path: Path, drawn: list[LabelRow]) -> None:
    unique = {row.filename: row for row in drawn}.values()
    table = LabelTable(tuple(replace(row, line=number) for number, row in enumerate(unique, start=2)))
    write_labels(tmp_path / "labels.csv", table)
    assert read_labels(tmp_path / "labels.csv") == table
