"""docs/metrics.md is true: its examples run, and each metric of a report has a section with one."""

import doctest
import re
from pathlib import Path

import pytest

from evalsvc.scoring.agreement import agreement
from evalsvc.scoring.report import Concordance, LevelScores

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
TEXT = DOCUMENT.read_text("utf-8")
FENCED = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def sections() -> dict[str, str]:
    """The text below each heading of the second order."""
    parts = re.split(r"^## (.+)$", TEXT, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_every_example_runs() -> None:
    """One namespace for the whole page, as for someone who reads on and types along."""
    source = "\n".join(FENCED.findall(TEXT))
    example = doctest.DocTestParser().get_doctest(source, {}, "metrics.md", str(DOCUMENT), 0)
    assert len(example.examples) > 25
    failures: list[str] = []
    doctest.DocTestRunner(verbose=False).run(example, out=failures.append)
    assert not failures, "".join(failures)


@pytest.mark.parametrize("section", [name for name in sections() if name not in {"Comparators", "The report"}])
def test_every_section_of_a_metric_has_an_example(section: str) -> None:
    assert FENCED.search(sections()[section])


def test_every_metric_has_a_section() -> None:
    metrics = {*Concordance.__annotations__, *LevelScores.__annotations__, "auc", "odds_ratio", "p_value"}
    described = {
        "Kendall's tau-b": {"tau_b"},
        "AMAE": {"amae"},
        "F1 of low and of high masking": {"f1_low", "f1_high"},
        "AUC": {"auc"},
        "Odds ratio and p-value": {"odds_ratio", "p_value"},
    }
    assert set().union(*described.values()) == metrics
    assert described.keys() <= sections().keys()
    assert agreement.__name__ in sections()["Experts and agreement"]
