"""The predictions parser: what is accepted, and the one sentence for everything that is not."""

import re
from pathlib import Path

import pytest

from evalsvc.domain.errors import PredictionsError
from evalsvc.domain.predictions import MAX_BYTES, MAX_LINE, Prediction, parse_predictions

IMAGES = ("a.png", "b.png", "c.png")
DOCUMENT = Path(__file__).parents[2] / "docs" / "predictions.md"

SCORES = {"a.png": Prediction(0.1), "b.png": Prediction(0.25), "c.png": Prediction(-3.0)}
LEVELS = {"a.png": Prediction(0.1, 1), "b.png": Prediction(0.25, 8), "c.png": Prediction(-3.0, 4)}

PLAIN = b"Filename,Score\na.png,0.1\nb.png,0.25\nc.png,-3\n"
WITH_LEVELS = b"Filename,Score,Level\na.png,0.1,1\nb.png,0.25,8\nc.png,-3,4\n"


def file(score: str = "0.5", level: str | None = None, name: str = "b.png") -> bytes:
    """A good file but for the score, level or name on line 3."""
    extra = ("", "", "", "") if level is None else (",Level", ",1", f",{level}", ",2")
    rows = ("Filename,Score", "a.png,0.1", f"{name},{score}", "c.png,3")
    return "\n".join(row + more for row, more in zip(rows, extra, strict=True)).encode()


ACCEPTED = [
    ("plain", PLAIN, SCORES),
    ("levels", WITH_LEVELS, LEVELS),
    ("semicolons", PLAIN.replace(b",", b";"), SCORES),
    ("semicolons and levels", WITH_LEVELS.replace(b",", b";"), LEVELS),
    ("byte order mark", b"\xef\xbb\xbf" + PLAIN, SCORES),
    ("CRLF", PLAIN.replace(b"\n", b"\r\n"), SCORES),
    ("CRLF and LF", PLAIN.replace(b"\n", b"\r\n", 2), SCORES),
    ("no line end at the end", PLAIN.rstrip(), SCORES),
    ("blank lines at the end", PLAIN + b"\n \r\n\t\n", SCORES),
    ("all cells quoted", re.sub(rb"[^,\n]+", rb'"\g<0>"', PLAIN), SCORES),
    ("names quoted", re.sub(rb"\w\.png", rb'"\g<0>"', PLAIN), SCORES),
    ("spaces", PLAIN.replace(b",", b" ,\t "), SCORES),
    ("spaces before quotes", re.sub(rb",([^,\n]+)", rb', "\g<1>"', PLAIN), SCORES),
    ("spaces inside quotes", PLAIN.replace(b"a.png", b'" a.png "'), SCORES),
    ("lower case header", PLAIN.replace(b"Filename,Score", b"filename,score"), SCORES),
    ("upper case header", PLAIN.replace(b"Filename,Score", b"FILENAME,SCORE"), SCORES),
    ("columns in another order", b"Level,Score,Filename\n1,0.1,a.png\n8,0.25,b.png\n4,-3,c.png\n", LEVELS),
    ("rows in another order", b"Filename,Score\nc.png,-3\na.png,0.1\nb.png,0.25", SCORES),
    ("exponents", b"Filename,Score\na.png,1e-1\nb.png,2.5E-01\nc.png,-.3e+1", SCORES),
    ("plus signs, bare points", b"Filename,Score\na.png,+.1\nb.png,+0.25\nc.png,-3.", SCORES),
    ("more digits than a float has", PLAIN.replace(b"0.25", b"0.25000000000000000000000000000001"), SCORES),
    ("levels written by pandas", re.sub(rb",(\d)\n", rb",\1.0\n", WITH_LEVELS), LEVELS),
    ("levels ending in a point", WITH_LEVELS.replace(b",8", b",8."), LEVELS),
]

HEADER = "the first line must be Filename,Score (or Filename,Score,Level)."
CELLS = "separate cells by {} and write numbers with a point, like 0.5."
NAMES = "is not one of the 3 images; use the names of the image files."
NAN = "is not finite; give every image a finite number."
TEXT = "is not a number; write one like 0.5 or 1.2e-3."
COMMA = "has a decimal comma; write a point, like 0.5."
LEVEL = "is not a whole number from 1 to 8."
NUL = "a NUL byte, so this is not plain text; write UTF-8 text."
EMPTY = "The file is empty; write the header Filename,Score and one row per image."
QUOTES = "quotes that do not match; put them around a whole cell or leave them out."
LONE_CR = r'a lone carriage return; end lines with \n or \r\n (in Python: open(path, "w", newline="")).'
NO_LEVEL = "no level; give every image one from 1 to 8, or leave the column out."

REFUSED = [
    # id, bytes, line, message
    ("empty file", b"", None, EMPTY),
    ("byte order mark alone", b"\xef\xbb\xbf", None, EMPTY),
    ("blank lines alone", b"\n\r\n  \n", None, EMPTY),
    ("header alone", b"Filename,Score\n", None, "The file has a header and no rows; write one row per image."),
    ("too many bytes", PLAIN + b"\n" * MAX_BYTES, None,
     f"The file has more than the {MAX_BYTES} bytes allowed; write one row per image."),
    ("UTF-16", PLAIN.decode().encode("utf-16"), None, "The file is UTF-16 text; write plain UTF-8 text."),
    ("UTF-16, big end first", b"\xfe\xff" + PLAIN.decode().encode("utf-16-be"), None,
     "The file is UTF-16 text; write plain UTF-8 text."),
    ("UTF-16 without a mark", PLAIN.decode().encode("utf-16-le"), 1, NUL),
    ("UTF-32", PLAIN.decode().encode("utf-32-be"), 1, NUL),
    ("Excel workbook", b"PK\x03\x04" + bytes(50), None,
     "The file is an Excel workbook or zip archive; write plain UTF-8 text."),
    ("gzip", b"\x1f\x8b\x08" + bytes(50), None, "The file is compressed by gzip; write plain UTF-8 text."),
    ("latin-1", PLAIN.replace(b"b.png", b"\xe9.png"), 3, "byte 0xe9 is not UTF-8; save the file as UTF-8."),
    ("latin-1 after a mark", b"\xef\xbb\xbf" + PLAIN.replace(b"c.png", b"\xfc.png"), 4,
     "byte 0xfc is not UTF-8; save the file as UTF-8."),
    ("binary", b"\x80\x04\x95\x10", 1, "byte 0x80 is not UTF-8; save the file as UTF-8."),
    ("NUL in a name", PLAIN.replace(b"b.png", b"b\x00.png"), 3, NUL),
    ("NUL bytes alone", bytes(64), 1, NUL),
    ("old Macintosh line ends", PLAIN.replace(b"\n", b"\r"), 1, LONE_CR),
    ("line ends translated twice", PLAIN.replace(b"\n", b"\r\r\n"), 1, LONE_CR),
    ("lone CR in a row", PLAIN.replace(b"0.25", b"0.\r25"), 3, LONE_CR),
    ("long line", PLAIN + b"x" * 5000 + b",1\n", 5, f"5002 characters, more than the {MAX_LINE} allowed; "
     "write one image per line."),
    ("long number", file("1" * 2000), 3, f"2006 characters, more than the {MAX_LINE} allowed; "
     "write one image per line."),
    ("empty first line", b"\n" + PLAIN, 1, "an empty line; take it out."),
    ("empty line between rows", PLAIN.replace(b"b.png", b"\nb.png"), 3, "an empty line; take it out."),
    # the header
    ("no header", b"a.png,0.1\nb.png,0.25\nc.png,-3\n", 1, f"there is no header; {HEADER}"),
    ("no header, other names", b"x.png,0.1\n", 1, f"there is no header; {HEADER}"),
    ("tabs", PLAIN.replace(b",", b"\t"), 1, f"unknown column 'Filename\\tScore'; {HEADER}"),
    ("both separators", b"Filename,Score;Level\n", 1,
     "the header has both , and ;; separate the columns by one of them."),
    ("index column", b",Filename,Score\n0,a.png,1\n", 1,
     f"a column without a name (pandas: to_csv(path, index=False)); {HEADER}"),
    ("separator at the header's end", b"Filename,Score,\na.png,1,\n", 1,
     f"a column without a name (pandas: to_csv(path, index=False)); {HEADER}"),
    ("unknown column", b"Filename,Score,Probability\n", 1, f"unknown column 'Probability'; {HEADER}"),
    ("misspelt column", b"Filename,Scores\n", 1, f"unknown column 'Scores'; {HEADER}"),
    ("homoglyph in the header", "Filename,S\u0441ore\n".encode(), 1, f"unknown column 'S\u0441ore'; {HEADER}"),
    ("two byte order marks", b"\xef\xbb\xbf" * 2 + PLAIN, 1, f"unknown column '\\ufeffFilename'; {HEADER}"),
    ("column twice", b"Filename,Score,score\n", 1, f"column Score is there more than once; {HEADER}"),
    ("no score column", b"Filename,Level\na.png,3\n", 1, f"column Score is missing; {HEADER}"),
    ("no name column", b"Score\n0.5\n", 1, f"column Filename is missing; {HEADER}"),
    ("JSON", b'{"a.png": 0.1}\n', 1, "unknown column '{\"a.png\": 0.1}'; " + HEADER),
    ("HTML", b"<html>\n", 1, f"unknown column '<html>'; {HEADER}"),
    ("hostile header", b"\x1b[2J" + b"x" * 500 + b"\n", 1, f"unknown column '\\x1b[2J{'x' * 33}...'; {HEADER}"),
    # the cells of a row
    ("cell missing", PLAIN.replace(b"b.png,0.25", b"b.png"), 3,
     f"expected 2 cells, found 1; {CELLS.format(',')}"),
    ("cell too many", PLAIN.replace(b"b.png,0.25", b"b.png,0.25,3"), 3,
     f"expected 2 cells, found 3; {CELLS.format(',')}"),
    ("decimal comma among commas", PLAIN.replace(b"0.25", b"0,25"), 3,
     f"expected 2 cells, found 3; {CELLS.format(',')}"),
    ("the other separator in a row", PLAIN.replace(b"b.png,", b"b.png;"), 3,
     f"expected 2 cells, found 1; {CELLS.format(',')}"),
    ("comma header, semicolon rows", b"Filename,Score\na.png;0,5\n", 2,
     f"'a.png;0' {NAMES}"),
    ("semicolon header, comma rows", b"Filename;Score\na.png,0.5\n", 2,
     f"expected 2 cells, found 1; {CELLS.format(';')}"),
    ("separator at the row's end", PLAIN.replace(b"0.25", b"0.25,"), 3,
     f"expected 2 cells, found 3; {CELLS.format(',')}"),
    ("quote not closed", PLAIN.replace(b"b.png", b'"b.png'), 3, QUOTES),
    ("text after a quote", PLAIN.replace(b"b.png", b'"b".png'), 3, QUOTES),
    ("quote over two lines", PLAIN.replace(b"b.png", b'"b\n.png"'), 3, QUOTES),
    ("quote not closed in the header", b'"Filename,Score\n', 1, QUOTES),
    ("two files in one", PLAIN + PLAIN, 5, f"'Filename' {NAMES}"),
    # names
    ("no name", file(name=""), 3, "no file name; write the name of one image."),
    ("unknown image", file(name="x.png"), 3, f"'x.png' {NAMES}"),
    ("one image too many", PLAIN + b"d.png,1\n", 5, f"'d.png' {NAMES}"),
    ("name with a folder", file(name="/input/images/b.png"), 3,
     "'/input/images/b.png' is not one of the 3 images; write 'b.png'."),
    ("name with a Windows folder", file(name="images\\b.png"), 3,
     "'images\\\\b.png' is not one of the 3 images; write 'b.png'."),
    ("name without its ending", file(name="b"), 3, "'b' is not one of the 3 images; write 'b.png'."),
    ("name in upper case", file(name="B.PNG"), 3, "'B.PNG' is not one of the 3 images; write 'b.png'."),
    ("invisible character in a name", file(name="b\u200b.png"), 3, f"'b\\u200b.png' {NAMES}"),
    ("direction override in a name", file(name="\u202eb.png"), 3, f"'\\u202eb.png' {NAMES}"),
    ("terminal escape in a name", file(name="\x1b]0;x\x07.png"), 3, f"'\\x1b]0;x\\x07.png' {NAMES}"),
    ("long name", file(name="x" * 300), 3, f"'{'x' * 37}...' {NAMES}"),
    ("image twice", file(name="a.png"), 3, "'a.png' is also on line 2; give each image one row."),
    ("image twice, same score", PLAIN + b"b.png,0.25\n", 5, "'b.png' is also on line 3; give each image one row."),
    ("image missing", PLAIN.replace(b"c.png,-3\n", b""), None,
     "No row for 1 of the 3 images, the first being 'c.png'; give every image one row."),
    ("images missing", b"Filename,Score\nc.png,1\n", None,
     "No row for 2 of the 3 images, the first being 'a.png'; give every image one row."),
    # scores
    ("no score", file(""), 3, "no score; give every image a number."),
    ("quoted emptiness", file('""'), 3, "no score; give every image a number."),
    ("NaN", file("nan"), 3, f"the score 'nan' {NAN}"),
    ("NaN in capitals", file("-NaN"), 3, f"the score '-NaN' {NAN}"),
    ("infinity", file("inf"), 3, f"the score 'inf' {NAN}"),
    ("infinity as a word", file("-Infinity"), 3, f"the score '-Infinity' {NAN}"),
    ("overflow", file("1e400"), 3, "the score '1e400' is too large for a float; scale the scores."),
    ("overflow below", file("-1e400"), 3, "the score '-1e400' is too large for a float; scale the scores."),
    ("overflow by digits", file("9" * 400), 3,
     f"the score '{'9' * 37}...' is too large for a float; scale the scores."),
    ("underflow", file("1e-400"), 3, "the score '1e-400' is too small for a float; scale the scores."),
    ("huge exponent", file("1e" + "9" * 500), 3,
     f"the score '1e{'9' * 35}...' is too large for a float; scale the scores."),
    ("text", file("high"), 3, f"the score 'high' {TEXT}"),
    ("None", file("None"), 3, f"the score 'None' {TEXT}"),
    ("NA", file("NA"), 3, f"the score 'NA' {TEXT}"),
    ("hexadecimal", file("0x10"), 3, f"the score '0x10' {TEXT}"),
    ("hexadecimal float", file("0x1p-3"), 3, f"the score '0x1p-3' {TEXT}"),
    ("underscore", file("1_000"), 3, f"the score '1_000' {TEXT}"),
    ("thousands", file('"1,000.5"'), 3, f"the score '1,000.5' {TEXT}"),
    ("decimal comma", PLAIN.replace(b",", b";").replace(b"0.25", b"0,25"), 3, f"the score '0,25' {COMMA}"),
    ("quoted decimal comma", file('"0,25"'), 3, f"the score '0,25' {COMMA}"),
    ("per cent", file("50%"), 3, f"the score '50%' {TEXT}"),
    ("complex", file("1+0j"), 3, f"the score '1+0j' {TEXT}"),
    ("fraction", file("1/3"), 3, f"the score '1/3' {TEXT}"),
    ("two signs", file("--1"), 3, f"the score '--1' {TEXT}"),
    ("minus sign of typographers", file("\u22121"), 3, f"the score '\u22121' {TEXT}"),
    ("point alone", file("."), 3, f"the score '.' {TEXT}"),
    ("exponent alone", file("e5"), 3, f"the score 'e5' {TEXT}"),
    ("Arabic-Indic digits", file("\u0663"), 3, f"the score '\u0663' {TEXT}"),
    ("full-width digits", file("\uff11"), 3, f"the score '\uff11' {TEXT}"),
    ("no-break space", file("\u00a01"), 3, f"the score '\\xa01' {TEXT}"),
    ("tensor", file("tensor(0.5)"), 3, f"the score 'tensor(0.5)' {TEXT}"),
    ("array", file("[0.5]"), 3, f"the score '[0.5]' {TEXT}"),
    ("truth value", file("True"), 3, f"the score 'True' {TEXT}"),
    ("formula", file("=1+1"), 3, f"the score '=1+1' {TEXT}"),
    # levels
    ("level 0", file(level="0"), 3, f"the level '0' {LEVEL}"),
    ("level 9", file(level="9"), 3, f"the level '9' {LEVEL}"),
    ("level below zero", file(level="-1"), 3, f"the level '-1' {LEVEL}"),
    ("level 12", file(level="12"), 3, f"the level '12' {LEVEL}"),
    ("level and a half", file(level="3.5"), 3, f"the level '3.5' {LEVEL}"),
    ("level by exponent", file(level="3e0"), 3, f"the level '3e0' {LEVEL}"),
    ("level in words", file(level="high"), 3, f"the level 'high' {LEVEL}"),
    ("level NaN", file(level="nan"), 3, f"the level 'nan' {LEVEL}"),
    ("level in other digits", file(level="\u0663"), 3, f"the level '\u0663' {LEVEL}"),
    ("level left out in one row", file(level=""), 3, NO_LEVEL),
    ("no level anywhere", re.sub(rb",\d\n", rb",\n", WITH_LEVELS), 2, NO_LEVEL),
]  # fmt: skip


@pytest.mark.parametrize(("data", "expected"), [case[1:] for case in ACCEPTED], ids=[case[0] for case in ACCEPTED])
def test_accepted(data: bytes, expected: dict[str, Prediction]) -> None:
    assert parse_predictions(data, IMAGES) == expected


@pytest.mark.parametrize(
    ("data", "line", "message"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_refused(data: bytes, line: int | None, message: str) -> None:
    with pytest.raises(PredictionsError) as caught:
        parse_predictions(data, IMAGES)
    assert str(caught.value) == (message if line is None else f"line {line}: {message}")
    assert caught.value.line == line
    assert str(caught.value).isprintable()


def test_a_missing_header_is_seen_by_the_names_of_the_images_too() -> None:
    with pytest.raises(PredictionsError, match="line 1: there is no header"):
        parse_predictions(b"scan-1,0.5\n", {"scan-1"})


def test_the_cap_is_an_argument() -> None:
    assert parse_predictions(PLAIN, IMAGES, max_bytes=len(PLAIN)) == SCORES
    with pytest.raises(PredictionsError, match=f"more than the {len(PLAIN) - 1} bytes allowed"):
        parse_predictions(PLAIN, IMAGES, max_bytes=len(PLAIN) - 1)


class TwoGigabytes(bytes):
    """Claims to be a file of 2 GB, and fails if anything but its size is looked at."""

    def __len__(self) -> int:
        return 2 << 30

    def _touched(self, *_: object) -> bytes:
        raise AssertionError("a file over the cap was read")

    startswith = find = decode = count = __getitem__ = __iter__ = _touched  # type: ignore[assignment]


def test_two_gigabytes_are_refused_unread() -> None:
    with pytest.raises(PredictionsError, match=f"more than the {MAX_BYTES} bytes allowed"):
        parse_predictions(TwoGigabytes(), IMAGES)


def shape(message: str) -> str:
    """A message without the parts that vary."""
    message = re.sub(r"^line \d+: ", "", message)
    message = re.sub(r"'.*?'", "'...'", message)
    return re.sub(r"0x[0-9a-f]{2}|(?<![\w.-])\d+(?! to| file)", "N", message)


def test_every_message_is_documented_and_every_documented_message_occurs() -> None:
    listed = re.findall(r"^- `(.+)`$", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    assert {shape(message) for message in listed} == {shape(case[3]) for case in REFUSED}
