"""Whatever the parser of predictions admits, the scorer scores: a model cannot make scoring fail."""

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalsvc.domain.labels import LabelTable
from evalsvc.domain.predictions import parse_predictions
from evalsvc.scoring.report import endpoints_to_json, score_clinical, score_split
from tests.integration.published_files import label_row

PUBLIC = LabelTable(tuple(label_row(f"test_{n}.png", n, n % 8 + 1) for n in range(2, 26)))
PRIVATE = LabelTable(tuple(label_row(f"private_{n}.png", n, None) for n in range(2, 26)))
EXTREME = (0.0, -0.0, 5e-324, 2.2e-308, 1.7976931348623157e308, -1.7976931348623157e308, 1.0, 1.0 + 2**-52)
SCORES = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(EXTREME)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    scores=st.lists(SCORES, min_size=24, max_size=24) | SCORES.map(lambda score: [score] * 24),
    levels=st.none() | st.lists(st.integers(1, 8), min_size=24, max_size=24),
)
def test_what_is_admitted_is_scored(scores: list[float], levels: list[int] | None) -> None:
    parts = []
    for table in (PUBLIC, PRIVATE):
        rows = [f"{row.filename},{score!r}" for row, score in zip(table.rows, scores, strict=True)]
        if levels is not None:
            rows = [f"{row},{level}" for row, level in zip(rows, levels, strict=True)]
        text = "\n".join(["Filename,Score" + (",Level" if levels is not None else ""), *rows])
        found = parse_predictions(text.encode(), [row.filename for row in table.rows])
        json.dumps(score_split(table, found).to_json(), allow_nan=False)
        parts.append((table, found))
    json.dumps(endpoints_to_json(score_clinical(parts)), allow_nan=False)
