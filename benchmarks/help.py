"""How long `evalsvc --help` takes, against importing the two libraries every such command needs."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 15


def seconds(command: list[str]) -> float:
    """Wall time of one run."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Alternate the two, so that both meet the same machine, and compare medians."""
    ours = [str(Path(sys.executable).with_name("evalsvc")), "--help"]
    opponent = [sys.executable, "-c", "import typer, httpx"]
    pairs = [(seconds(ours), seconds(opponent)) for _ in range(ROUNDS + 1)][1:]  # the first one warms the disk
    mine, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"evalsvc --help           {mine * 1000:6.0f} ms (median of {ROUNDS})")
    print(f"import typer, httpx      {theirs * 1000:6.0f} ms")
    print(f"help: {mine / theirs:.2f}x importing typer and httpx")
