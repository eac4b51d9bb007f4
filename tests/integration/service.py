"""A small service of real parts: a sealed data set of a few images, a database, and the process executor."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from evalsvc.admission import Admission, AdmissionRules
from evalsvc.domain.submission import State
from evalsvc.executors.base import Limits, RunLimits
from evalsvc.executors.process import FolderImages, ProcessExecutor
from evalsvc.registry.image_policy import ImagePolicy
from evalsvc.store import submissions
from evalsvc.store.session import Store
from evalsvc.store.tables import Submission, Team
from evalsvc.worker import Worker, WorkerRules

# Sizes of the splits: a trial sees 8 images, an evaluation all of these.
PUBLIC, PRIVATE = 16, 24

GOOD = """
import csv, os, pathlib
names = [row["Filename"] for row in csv.DictReader(open(os.environ["EVALSVC_INPUT"] + "/images.csv"))]
print("saw", len(names), "images")
{extra}
rows = [f"{{name}},{{int(name[:8], 16)}}" for name in names]
pathlib.Path(os.environ["EVALSVC_OUTPUT"], "predictions.csv").write_text("\\n".join(["Filename,Score", *rows]))
"""
ON_PRIVATE = "if len(names) > 8: "


@dataclass
class Clock:
    """The real time, which a test may move on."""

    offset: timedelta = field(default_factory=timedelta)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def advance(self, seconds: float) -> None:
        self.offset += timedelta(seconds=seconds)


@dataclass
class Service:
    """What the tests of the worker and of the API share; every worker it makes is a fresh one."""

    data: Path
    store: Store
    team: Team
    clock: Clock
    limit: int = 3
    allowance: int = 50
    step: float = 0.0

    @property
    def admission(self) -> Admission:
        rules = AdmissionRules(self.limit, self.allowance, isolated=False, policy=ImagePolicy(), step=self.step)
        return Admission(self.store, FolderImages(self.data / "process"), rules, self.clock)

    @cached_property
    def executor(self) -> ProcessExecutor:
        return ProcessExecutor(self.data / "process")

    def worker(self, wall_time: float = 60.0, retries: int = 3, step: float = 0.0) -> Worker:
        limits = RunLimits(Limits(gpus=0, wall_time=wall_time), trial_wall_time=wall_time)
        rules = WorkerRules(limits, concurrency=1, tick=0.05, retries=retries, step=step)
        return Worker(self.store, self.executor, self.data, rules, self.clock)

    def model(self, extra: str = "", name: str = "model") -> str:
        """A folder with a predict.py that runs `extra` before it writes its predictions."""
        folder = self.data.parent / name
        folder.mkdir(exist_ok=True)
        (folder / "predict.py").write_text(GOOD.format(extra=extra))
        return str(folder)

    def submit(self, extra: str = "", name: str = "model") -> str:
        return self.admission.submit(self.team.id, self.model(extra, name)).submission_id

    def find(self, submission_id: str) -> Submission:
        with self.store.read() as session:
            return submissions.submission_of(session, submission_id)

    def states(self, submission_id: str) -> list[State]:
        with self.store.read() as session:
            return [change.state for change in submissions.histories(session, [submission_id])[submission_id]]

    def work_until(self, reached: Callable[[], bool], worker: Worker | None = None, seconds: float = 30.0) -> None:
        """Tick until `reached`; without a worker given, a fresh one for every tick, as if each had crashed."""
        end = time.monotonic() + seconds
        while not reached():
            assert time.monotonic() < end, "the worker did not get there in time"
            (worker or self.worker()).tick()
            time.sleep(0.02)

    def work_until_state(self, submission_id: str, *states: State, worker: Worker | None = None) -> Submission:
        self.work_until(lambda: self.find(submission_id).state in states, worker)
        return self.find(submission_id)

    def end(self, submission_id: str, worker: Worker | None = None) -> Submission:
        """Work until the submission has ended and nothing of its jobs is left."""
        self.work_until(lambda: self.find(submission_id).state.ended and not self.executor.observe(), worker)
        return self.find(submission_id)
