"""Whether as many jobs as may run at once fit the machine."""

from evalsvc.executors.base import GIB


def overcommit(memory: int, concurrency: int, machine_memory: int) -> str | None:
    """One sentence when `concurrency` jobs of `memory` bytes each are more than `machine_memory`, else None.

    A machine that runs out of memory kills whom it likes, and the engine shows that as an ordinary crash: a
    participant would be charged for it.
    """
    if memory * concurrency <= machine_memory:
        return None
    return (
        f"{concurrency} jobs at once of {memory / GIB:.1f} GiB each need more memory than the "
        f"{machine_memory / GIB:.1f} GiB this machine has: lower the memory limit or the concurrency."
    )
