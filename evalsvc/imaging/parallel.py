"""Many images on many cores: the same results in the same order whatever the number of processes."""

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

import cv2

from evalsvc.domain.errors import EvalsvcError

T = TypeVar("T")
R = TypeVar("R")

_CHUNK = 4


def run_all(function: Callable[[T], R], tasks: Sequence[T], jobs: int) -> Iterator[R]:
    """`function` of each task, in order, as soon as it is there; in this process when `jobs` is 1.

    `function` must be importable and raise nothing that one bad input can cause.
    """
    jobs = min(jobs, -(-len(tasks) // _CHUNK))
    if jobs <= 1:
        yield from map(function, tasks)
        return
    # spawn: a fork would copy the progress display's thread in whatever state it is.
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), initializer=_one_thread)
    try:
        yield from pool.map(function, tasks, chunksize=_CHUNK)
    except BrokenProcessPool as error:
        raise EvalsvcError(
            "A worker process was killed, most likely for lack of memory. Run the command again with fewer "
            "--jobs; finished images are kept."
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _one_thread() -> None:
    """OpenCV's own threads would fight with ours; an interrupt is the parent's to handle."""
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
