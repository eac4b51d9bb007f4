"""Laws of the predictions parser: it reads back what anyone may write, and fails in one way only."""

import csv
import io
import math
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evalsvc.domain.errors import PredictionsError
from evalsvc.domain.predictions import Prediction, parse_predictions

EXPECTED = ("a.png", "b.png")


@dataclass(frozen=True)
class Dialect:
    """One way a person or a program may write the file."""

    delimiter: str
    line_end: str
    quoting: int
    mark: bool
    final_line_end: bool
    columns: tuple[str, ...]
    upper: bool


@st.composite
def dialects(draw: st.DrawFn, columns: tuple[str, ...]) -> Dialect:
    return Dialect(
        delimiter=draw(st.sampled_from(",;")),
        line_end=draw(st.sampled_from(("\n", "\r\n"))),
        quoting=draw(st.sampled_from((csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC))),
        mark=draw(st.booleans()),
        final_line_end=draw(st.booleans()),
        columns=tuple(draw(st.permutations(columns))),
        upper=draw(st.booleans()),
    )


def write(predictions: dict[str, Prediction], dialect: Dialect) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(
        buffer, delimiter=dialect.delimiter, lineterminator=dialect.line_end, quoting=dialect.quoting
    )
    writer.writerow([name.upper() if dialect.upper else name for name in dialect.columns])
    for name, prediction in predictions.items():
        cells = {"Filename": name, "Score": prediction.score, "Level": prediction.level}
        writer.writerow([cells[column] for column in dialect.columns])
    text = buffer.getvalue()
    if not dialect.final_line_end:
        text = text.removesuffix(dialect.line_end)
    return text.encode("utf-8-sig" if dialect.mark else "utf-8")


def is_a_name(text: str) -> bool:
    """File names without control characters and surrounding blanks, as every data set of ours has them."""
    return text == text.strip() and all(unicodedata.category(char) not in ("Cc", "Cs") for char in text)


NAMES = st.text(min_size=1, max_size=100).filter(is_a_name)
SCORES = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def files(draw: st.DrawFn) -> tuple[dict[str, Prediction], bytes]:
    levels = draw(st.booleans())
    prediction = st.builds(Prediction, SCORES, st.integers(1, 8) if levels else st.none())
    predictions = draw(st.dictionaries(NAMES, prediction, min_size=1, max_size=20))
    dialect = draw(dialects(("Filename", "Score", "Level") if levels else ("Filename", "Score")))
    return predictions, write(predictions, dialect)


@settings(deadline=None)
@given(files())
def test_every_dialect_reads_back(written: tuple[dict[str, Prediction], bytes]) -> None:
    predictions, data = written
    parsed = parse_predictions(data, predictions)
    assert parsed == predictions
    assert list(parsed) == list(predictions)


@settings(deadline=None)
@given(st.binary() | st.text().map(str.encode) | st.text('Filename,Scorel;ab.png"01eE+-\r\n \t').map(str.encode))
@example(b'"')
@example(b"\xef\xbb\xbf\xff")
def test_arbitrary_bytes_fail_in_one_way(data: bytes) -> None:
    with pytest.raises(PredictionsError) as caught:
        parse_predictions(data, EXPECTED)
    assert str(caught.value).isprintable()


@settings(deadline=None)
@given(st.text("0123456789.eE+-_, \u0663\uff11naif", max_size=12), st.text("0123456789.e- \u0663", max_size=4))
def test_a_score_is_what_its_ascii_decimal_says(score: str, level: str) -> None:
    data = f"Filename;Score;Level\na.png;{score};{level}\nb.png;1;1\n".encode()
    with suppress(PredictionsError):
        prediction = parse_predictions(data, EXPECTED)["a.png"]
        assert score.isascii()
        assert math.isfinite(prediction.score)
        assert prediction.score == float(Decimal(score.strip()))
        assert prediction.level == Decimal(level.strip())
        assert prediction.level in range(1, 9)


@settings(deadline=None)
@given(files(), st.data())
def test_a_lost_line_never_passes(written: tuple[dict[str, Prediction], bytes], data: st.DataObject) -> None:
    predictions, content = written
    lines = content.rstrip(b"\r\n").split(b"\n")
    lost = data.draw(st.integers(0, len(lines) - 1))
    with pytest.raises(PredictionsError):
        parse_predictions(b"\n".join(lines[:lost] + lines[lost + 1 :]), predictions)
