"""What an evaluation by Docker costs beyond a bare `docker run` of the same image on the same 972 images."""

import hashlib
import json
import secrets
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import cv2
import numpy as np

from evalsvc.executors.base import JobSpec, Limits, Phase
from evalsvc.executors.docker import DockerExecutor
from evalsvc.executors.docker_engine import Engine
from evalsvc.executors.docker_images import DockerImages, archive
from evalsvc.pod.naming import staged_name

IMAGES = 972
ROUNDS = 5
TAG = "evalsvc-bench-predictor"
PREDICTOR = """\
import csv, pathlib
names = [row["Filename"] for row in csv.DictReader(open("/input/images.csv"))]
sizes = [len(pathlib.Path("/input/images", name).read_bytes()) for name in names]
rows = [f"{name},{size}\\n" for name, size in zip(names, sizes)]
pathlib.Path("/output/predictions.csv").write_text("Filename,Score\\n" + "".join(rows))
"""
DOCKERFILE = 'FROM python:3.11-slim-bookworm\nCOPY predict.py /predict.py\nENTRYPOINT ["python", "/predict.py"]\n'


@dataclass(frozen=True)
class Parts:
    """Seconds of one evaluation, from `create` to the harvested bytes.

    `create` is the holder and the start of stage; `stage` and `submission` last until we notice their end.
    """

    create: float
    stage: float
    submission: float
    collect: float
    total: float


def make_data_set(folder: Path) -> Path:
    """972 PNG files of the contract's size, with noise such that each takes about 170 kB, and their manifest."""
    (folder / "private").mkdir()
    rng = np.random.default_rng(0)
    entries = []
    for number in range(IMAGES):
        image = np.zeros((632, 512), np.uint8)
        image[:, :340] = rng.integers(60, 120, (632, 340), np.uint8)
        content = cv2.imencode(".png", image)[1].tobytes()
        path = f"private/private_{number}.png"
        (folder / path).write_bytes(content)
        entries.append({"path": path, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)})
    (folder / "manifest.json").write_text(json.dumps({"images": entries}))
    return folder


def build_predictor() -> None:
    engine = Engine()
    context = {"predict.py": PREDICTOR.encode(), "Dockerfile": DOCKERFILE.encode()}
    steps = engine.api.build(fileobj=archive(context), custom_context=True, tag=TAG, rm=True, decode=True)
    assert not [step for step in steps if "error" in step]
    engine.close()


def evaluate(executor: DockerExecutor, spec: JobSpec) -> Parts:
    """One evaluation, timed; the job is deleted afterwards."""
    began = time.perf_counter()
    executor.create(spec)
    created = time.perf_counter()
    started = 0.0
    while True:
        (seen,) = [seen for seen in executor.observe() if seen.attempt_id == spec.attempt_id]
        if seen.phase is Phase.RUNNING and not started:
            started = time.perf_counter()
        if seen.phase is Phase.FINISHED:
            break
        executor.wait(1.0)
    assert seen.cause is None, seen
    finished = time.perf_counter()
    predictions = executor.harvest(spec.attempt_id)
    collected = time.perf_counter()
    assert predictions.count(b"\n") == IMAGES + 1
    executor.delete(spec.attempt_id)
    started = started or finished
    return Parts(created - began, started - created, finished - started, collected - finished, collected - began)


@contextmanager
def bare_folders(source: Path, folder: Path) -> Iterator[tuple[Path, Path]]:
    """The same files as an evaluation sees, in plain folders for a bind mount."""
    given, output = folder / "input", folder / "output"
    (given / "images").mkdir(parents=True)
    output.mkdir()
    names = []
    for entry in json.loads((source / "manifest.json").read_text())["images"]:
        names.append(staged_name(b"bench", entry["path"]))
        (given / "images" / names[-1]).write_bytes((source / entry["path"]).read_bytes())
    (given / "images.csv").write_text("".join(f"{line}\n" for line in ["Filename", *sorted(names)]))
    yield given, output


def bare_run(given: Path, output: Path) -> float:
    """Seconds of `docker run`, without any limit."""
    command = ["docker", "run", "--rm", "-v", f"{given}:/input:ro", "-v", f"{output}:/output", TAG]
    began = time.perf_counter()
    subprocess.run(command, check=True)
    taken = time.perf_counter() - began
    assert (output / "predictions.csv").read_bytes().count(b"\n") == IMAGES + 1
    return taken


def main() -> None:
    """Print each part and, last, the ratio."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "sealed").mkdir()
        source = make_data_set(folder / "sealed")
        build_predictor()
        images, executor = DockerImages(), DockerExecutor(f"bench-{uuid.uuid4().hex[:8]}")
        executor.check()
        digest = images.resolve(TAG).digest
        runs: list[Parts] = []
        bare: list[float] = []
        with bare_folders(source, folder) as (given, output):
            for _ in range(ROUNDS):
                key = secrets.token_bytes(32)
                spec = JobSpec(f"bench-{uuid.uuid4().hex}", digest, source, ("private",), key, Limits(gpus=0))
                runs.append(evaluate(executor, spec))
                bare.append(bare_run(given, output))
        executor.close()
        images.close()
    for part in ("create", "stage", "submission", "collect", "total"):
        print(f"{part:<12}{median(getattr(run, part) for run in runs):6.2f} s")
    total, plain = median(run.total for run in runs), median(bare)
    print(f"{'docker run':<12}{plain:6.2f} s")
    print(f"evaluation: {total - plain:.1f} s of our own over a bare docker run ({total / plain:.1f}x)")


if __name__ == "__main__":
    main()
