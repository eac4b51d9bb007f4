"""A submission that takes all it can of one thing, named in behaviour.txt; prints one line of JSON."""

import json
import os
import signal
import time
from pathlib import Path


def say(**what: object) -> None:
    print(json.dumps(what))


def memory() -> None:
    hoard = []
    while True:
        hoard.append(b"x" * (16 << 20))


def memory_of_a_child() -> None:
    """Only the child is killed; this one ends well."""
    if (child := os.fork()) == 0:
        Path("/proc/self/oom_score_adj").write_text("1000")
        memory()
    _, status = os.waitpid(child, 0)
    say(signal=os.WTERMSIG(status))
    Path("/output/predictions.csv").write_text("Filename,Score\n")


def memory_by_files() -> None:
    """What lies in /tmp and /dev/shm counts as memory too."""
    for name in ("/tmp/a", "/dev/shm/b"):
        with Path(name).open("wb") as file:
            for _ in range(48):
                file.write(b"x" * (1 << 20))


def processes() -> None:
    children = []
    try:
        for _ in range(10_000):
            if (child := os.fork()) == 0:
                time.sleep(60)
                os._exit(0)
            children.append(child)
    except OSError as error:
        say(forks=len(children), error=os.strerror(error.errno or 0))
    for child in children:
        os.kill(child, signal.SIGKILL)


def filled(folder: str) -> tuple[int, str]:
    written = 0
    try:
        with (Path(folder) / "fill").open("wb", buffering=0) as file:
            while True:
                written += file.write(b"x" * (1 << 16))
    except OSError as error:
        return written, os.strerror(error.errno or 0)


def space() -> None:
    say(**{folder: filled(folder) for folder in ("/output", "/tmp", "/dev/shm", "/shadowed")})


def many_files() -> None:
    made = 0
    try:
        for made in range(100_000):
            (Path("/output") / str(made)).touch()
    except OSError as error:
        say(files=made, error=os.strerror(error.errno or 0))


def descriptors() -> None:
    opened = []
    try:
        while True:
            opened.append(os.open("/dev/null", os.O_RDONLY))
    except OSError as error:
        say(opened=len(opened), error=os.strerror(error.errno or 0))


def processor() -> None:
    """Two busy processes for two seconds; prints the CPU seconds they got."""
    end = time.monotonic() + 2
    child = os.fork()
    while time.monotonic() < end:
        pass
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    used = os.times()
    say(cpu=used.user + used.system + used.children_user + used.children_system)


def core() -> None:
    """A child dies in a way that would leave its memory, images and all, wherever the host keeps such things."""
    if (child := os.fork()) == 0:
        os.chdir("/tmp")
        os.kill(os.getpid(), signal.SIGSEGV)
    _, status = os.waitpid(child, 0)
    say(signal=os.WTERMSIG(status), dumped=os.WCOREDUMP(status))


if __name__ == "__main__":
    globals()[Path(__file__).with_name("behaviour.txt").read_text().strip()]()
