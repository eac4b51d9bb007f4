"""Images in the local engine: the researcher's, found by name and pinned by id; and ours, built where missing."""

import hashlib
import io
import tarfile
from functools import cache
from importlib.resources import files
from typing import Any

from evalsvc.domain.errors import ImageRefused, NotFound, Unavailable
from evalsvc.domain.image import ResolvedImage
from evalsvc.executors.docker_engine import APIError, Engine, ImageNotFound, answering, reaching
from evalsvc.executors.docker_spec import POD_CODE

POD_REPOSITORY = "evalsvc-pod"


class DockerImages:
    """Resolves what `docker images` shows.  The digest is the image id, which covers every byte of the image."""

    def __init__(self) -> None:
        self._engine = Engine()

    def resolve(self, reference: str) -> ResolvedImage:
        """Raises `InputError` for what is no name, `NotFound`, `ImageRefused`, `Unavailable`."""
        with answering():
            try:
                found = self._engine.inspect_image(reference)
            except ImageNotFound as error:
                raise NotFound(
                    f"The Docker engine has no image {reference!r}. Build it (docker build -t NAME .) or pull it, "
                    "then try again; `docker images` lists what is there."
                ) from error
        return describe(reference, found)

    def close(self) -> None:
        self._engine.close()


def describe(reference: str, found: dict[str, Any]) -> ResolvedImage:
    """The engine's `inspect` of an image, in our words.  Raises `ImageRefused` if it says too little."""
    if not all(isinstance(found.get(key), str) and found[key] for key in ("Id", "Os", "Architecture")):
        raise ImageRefused(f"The Docker engine does not know what {reference} is built for. Build it anew.")
    config = found.get("Config") or {}
    entrypoint = config.get("Entrypoint") or ()
    if list(entrypoint) == [""]:  # the engine's own rule: as if there were none
        entrypoint = ()
    return ResolvedImage(
        reference=reference,
        digest=found["Id"],
        platform=f"{found['Os']}/{found['Architecture']}",
        size=found.get("Size") or 0,
        command=(*entrypoint, *(config.get("Cmd") or ())),
        environment=tuple(config.get("Env") or ()),
        volumes=tuple(sorted(config.get("Volumes") or ())),
    )


@cache
def pod_files() -> dict[str, bytes]:
    """The trusted code as it goes into the image: file name (below the build folder) to content."""
    package = files("evalsvc")
    pod = {
        f"evalsvc/pod/{f.name}": f.read_bytes()
        for f in package.joinpath("pod").iterdir()
        if f.name.endswith(".py")
    }
    return {
        **dict(sorted(pod.items())),
        "evalsvc/__init__.py": package.joinpath("__init__.py").read_bytes(),
        "__main__.py": package.joinpath("pod", "__main__.py").read_bytes(),
    }


def build_context(base_image: str) -> dict[str, bytes]:
    """Everything the build of the pod image sees."""
    dockerfile = f"FROM {base_image}\nCOPY . {POD_CODE}\nENTRYPOINT []\n"
    return {**pod_files(), "Dockerfile": dockerfile.encode(), ".dockerignore": b"Dockerfile\n.dockerignore\n"}


def pod_tag(context: dict[str, bytes], base_id: str) -> str:
    """`evalsvc-pod:<hash>`: other code or another base makes another image."""
    seen = hashlib.sha256(base_id.encode())
    for name, content in sorted(context.items()):
        seen.update(f"{name}\0{len(content)}\0".encode())
        seen.update(content)
    return f"{POD_REPOSITORY}:{seen.hexdigest()[:16]}"


def archive(context: dict[str, bytes]) -> io.BytesIO:
    """`context` as a tar, always the same for the same content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in sorted(context.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    buffer.seek(0)
    return buffer


def ensure_pod_image(engine: Engine, base_image: str) -> str:
    """The tag of the pod image, built without a network where the engine lacks it.  Raises `Unavailable`."""
    context = build_context(base_image)
    with reaching():
        tag = pod_tag(context, _base_id(engine, base_image))
        try:
            engine.inspect_image(tag)
        except ImageNotFound:
            _build(engine, context, tag)
    return tag


def _base_id(engine: Engine, base_image: str) -> str:
    try:
        return str(engine.inspect_image(base_image)["Id"])
    except ImageNotFound:
        return _pull(engine, base_image)


def _pull(engine: Engine, base_image: str) -> str:
    try:
        engine.api.pull(base_image)
        return str(engine.inspect_image(base_image)["Id"])
    except APIError as error:
        raise Unavailable(
            f"The image {base_image}, which the trusted steps run on, is not in the Docker engine and cannot be "
            f"pulled ({error.explanation}). Run `docker pull {base_image}`, or name another with the setting "
            "pod_base_image (any image with Python 3.11 or newer)."
        ) from error


def _build(engine: Engine, context: dict[str, bytes], tag: str) -> None:
    steps = engine.api.build(
        fileobj=archive(context),
        custom_context=True,
        tag=tag,
        network_mode="none",
        rm=True,
        forcerm=True,
        decode=True,
    )
    for step in steps:
        if "error" in step:
            raise Unavailable(f"The image of the trusted steps cannot be built: {step['error'].strip()}")
