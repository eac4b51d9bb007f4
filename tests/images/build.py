"""Turns a submission's folder into an image of the local engine, without a network."""

import io
import tarfile
from pathlib import Path

import docker

BASE = "python:3.11-slim-bookworm"
DOCKERFILE = f'FROM {BASE}\nCOPY . /app\nENTRYPOINT ["python", "-u", "/app/predict.py"]\n'
HERE = Path(__file__).parent


def behaviour(folder: Path, name: str, program: str = "behaviours.py") -> Path:
    """Make `folder` a submission that behaves as `name` (a function of `program`)."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "predict.py").write_text((HERE / program).read_text())
    (folder / "behaviour.txt").write_text(name)
    return folder


def build(folder: Path, name: str, dockerfile: str = DOCKERFILE) -> str:
    """Build `folder` as `evalsvc-test-<name>`; returns the name."""
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
    client = docker.from_env()
    tag = f"evalsvc-test-{name.replace('_', '-')}"
    try:
        steps = client.api.build(
            fileobj=_archive({**files, "Dockerfile": dockerfile.encode()}),
            custom_context=True,
            tag=tag,
            network_mode="none",
            rm=True,
            decode=True,
        )
        errors = [step["error"] for step in steps if "error" in step]
    finally:
        client.close()
    assert not errors, errors
    return tag


def _archive(files: dict[str, bytes]) -> io.BytesIO:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    buffer.seek(0)
    return buffer
