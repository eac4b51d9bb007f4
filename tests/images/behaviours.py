"""A submission that does what the word in behaviour.txt beside it says; `predict.py` of many test images."""

import csv
import os
import signal
import sys
import time
from pathlib import Path

INPUT = Path(os.environ.get("EVALSVC_INPUT", "/input"))
OUTPUT = Path(os.environ.get("EVALSVC_OUTPUT", "/output"))
PREDICTIONS = OUTPUT / "predictions.csv"


def honest() -> None:
    """Scores each image by its size."""
    with (INPUT / "images.csv").open(newline="") as lines:
        names = [row["Filename"] for row in csv.DictReader(lines)]
    rows = [f"{name},{(INPUT / 'images' / name).stat().st_size}\n" for name in names]
    PREDICTIONS.write_text("Filename,Score\n" + "".join(rows))
    print(f"scored {len(names)} images")


def crash() -> None:
    honest()
    print("about to fail", file=sys.stderr)
    sys.exit(3)


def hang() -> None:
    """Ignores every polite request to stop."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    honest()
    sys.stdout.flush()
    time.sleep(600)


def slow() -> None:
    time.sleep(1.5)
    honest()


def silent() -> None:
    pass


def symlink() -> None:
    PREDICTIONS.symlink_to("/etc/passwd")


def fifo() -> None:
    os.mkfifo(PREDICTIONS)


def directory() -> None:
    PREDICTIONS.mkdir()


def hard_link() -> None:
    honest()
    (OUTPUT / "other.csv").hardlink_to(PREDICTIONS)


def unreadable() -> None:
    """The owner's own right to read is taken away (nothing to root, who may read all)."""
    honest()
    PREDICTIONS.chmod(0)


def large() -> None:
    """Above the limit the tests set for predictions, below the one for /output."""
    PREDICTIONS.write_bytes(b"x" * (2 << 20))


def sparse() -> None:
    """A tebibyte without a byte in it."""
    with PREDICTIONS.open("wb") as file:
        file.truncate(1 << 40)


def fill() -> None:
    """Writes to /output more than it may hold, then reports the failure as a program would."""
    with (OUTPUT / "junk").open("wb") as file:
        for _ in range(64):
            file.write(b"x" * (1 << 20))


def chatty() -> None:
    for number in range(400_000):
        print(f"{number:08d} all work and no play makes a long line for the log")
    honest()
    print("the last word")


def orphan() -> None:
    """Ends well, and leaves a process behind that would rewrite the answer."""
    honest()
    if os.fork() == 0:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        time.sleep(2)
        PREDICTIONS.write_text("Filename,Score\nforged,1\n")


if __name__ == "__main__":
    globals()[Path(__file__).with_name("behaviour.txt").read_text().strip()]()
