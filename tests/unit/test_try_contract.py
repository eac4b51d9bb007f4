"""The contract page says what the code does: each of its tables is compared with the thing it describes."""

import re
from pathlib import Path

from evalsvc.cli.model import parse_duration, parse_size
from evalsvc.domain.predictions import parse_predictions
from evalsvc.domain.submission import Cause
from evalsvc.executors.base import Limits
from evalsvc.registry.image_policy import ImagePolicy

PAGE = (Path(__file__).parents[2] / "docs" / "submission-contract.md").read_text()


def table(header: str) -> dict[str, list[str]]:
    """The rows below the header that begins with `header`, by their first cell without backticks."""
    lines = PAGE[PAGE.index(f"| {header} |") :].split("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {row[0].strip("` "): row[1:] for row in cells}


def test_the_limits_are_the_defaults() -> None:
    said = {name: row[0] for name, row in table("limit").items()}
    limits = Limits()
    assert said.pop("GPUs") == str(limits.gpus)
    assert float(said.pop("CPU cores")) == limits.cpus
    assert parse_duration(said.pop("wall time").replace("min", "m")) == limits.wall_time
    assert int(said.pop("processes and threads")) == limits.pids
    assert {name: parse_size(text) for name, text in said.items()} == {
        "memory": limits.memory,
        "/output": limits.output,
        "/tmp": limits.tmp,
        "/dev/shm": limits.shm,
        "predictions.csv": limits.predictions,
    }


def test_every_cause_is_there_with_whether_it_is_charged() -> None:
    assert {name: row[1] for name, row in table("cause").items()} == {
        cause.value: "yes" if cause.charged else "no" for cause in Cause
    }


def test_the_image_policy_is_the_one_in_force() -> None:
    policy = ImagePolicy()
    assert f"another platform than `{policy.platform}`" in PAGE
    assert f"takes more than {policy.max_size >> 30} GiB" in PAGE


def test_the_example_is_a_file_that_the_parser_takes() -> None:
    (example,) = re.findall(r"```\n(Filename,Score,Level\n.*?)```", PAGE, re.DOTALL)
    names = [line.split(",")[0] for line in example.splitlines()[1:]]
    assert {found.level for found in parse_predictions(example.encode(), names).values()} == {7, 2}
