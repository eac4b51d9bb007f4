"""The Docker engine behind docker-py: one lazily opened connection, and one table from its errors to ours."""

import base64
import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Final

import docker
import requests
import urllib3
from docker.errors import APIError, DockerException, ImageNotFound
from docker.errors import NotFound as Missing

from evalsvc.domain.errors import Unavailable
from evalsvc.domain.image import check_reference

_UNREACHABLE: Final = (
    "The Docker engine cannot be reached ({error}). Is Docker running, and may you use it? `docker version` tells."
)
DEFAULT_DOCKER_HOST: Final = "unix:///var/run/docker.sock"
OK: Final = 200
NOT_FOUND: Final = 404
CONFLICT: Final = 409
"""The name is taken, or the container is in another state than the request needs."""

__all__ = [
    "CONFLICT",
    "APIError",
    "Engine",
    "ImageNotFound",
    "Missing",
    "Watch",
    "answering",
    "reaching",
    "require",
    "streaming",
]


@contextmanager
def reaching() -> Iterator[None]:
    """Turns a lost or refused connection into `Unavailable`; answers of the engine (`APIError`) pass through."""
    try:
        yield
    except APIError:
        raise
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, DockerException) as error:
        raise Unavailable(_UNREACHABLE.format(error=_short(error))) from error


def _short(error: Exception) -> str:
    """The innermost reason: docker-py wraps urllib3, which wraps the socket's."""
    text = str(error).strip() or type(error).__name__
    return text if len(text) < 120 else f"{text[:117]}..."


def _knock(host: str) -> None:
    """Try a Unix socket ourselves: the reason is plainer than docker-py's, which also leaves its socket open."""
    scheme, _, path = host.partition("://")
    if scheme not in {"unix", "http+unix"}:
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError as error:
            raise Unavailable(_UNREACHABLE.format(error=f"{path}: {error.strerror or error}")) from error


class Engine:
    """Opens its connection at first use, so that making an executor does no I/O."""

    @cached_property
    def api(self) -> docker.APIClient:
        _knock(os.environ.get("DOCKER_HOST") or DEFAULT_DOCKER_HOST)
        with reaching():
            return docker.from_env().api

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What `docker info` says: cores, runtimes, the architecture."""
        with reaching():
            return dict(self.api.info())

    def inspect_image(self, reference: str) -> dict[str, Any]:
        """What the engine knows of an image.  Raises `InputError`, `ImageNotFound`, `APIError`."""
        name = check_reference(reference)
        with reaching():
            found: dict[str, Any] = self.api.inspect_image(name)  # type: ignore[no-untyped-call]
        return found

    def mode_of(self, container: str, path: str) -> int | None:
        """Type and rights, in Go's notation, of a file in a container that need not run; None if there is none.

        A link is followed, within the container.  The file is not opened.  Raises `APIError`.
        """
        found = self._stat(container, path)
        if found and found["linkTarget"]:
            found = self._stat(container, found["linkTarget"])
        return int(found["mode"]) if found else None

    def _stat(self, container: str, path: str) -> dict[str, Any] | None:
        address = self.api._url("/containers/{0}/archive", container)  # type: ignore[attr-defined]
        asked: dict[str, Any] = {"params": {"path": path}, "timeout": self.api.timeout}
        with reaching():
            answer = self.api.head(address, **asked)
            if answer.status_code == NOT_FOUND:
                return None
            if answer.status_code != OK:  # an answer to HEAD has no words; the same asked by GET has
                with self.api.get(address, stream=True, **asked) as answer:
                    self.api._raise_for_status(answer)  # type: ignore[attr-defined]
        found: dict[str, Any] = json.loads(base64.b64decode(answer.headers["X-Docker-Container-Path-Stat"]))
        return found

    def close(self) -> None:
        if "api" in self.__dict__:
            self.api.close()
            del self.__dict__["api"]


@contextmanager
def streaming(stream: Any) -> Iterator[Any]:  # noqa: ANN401 - docker-py's CancellableStream
    """Closes a stream and its socket; docker-py's own close leaves the response's file on it open."""
    try:
        yield stream
    finally:
        stream.close()
        stream._response.close()


class Watch:
    """Follows the engine's events on a thread of its own and does nothing but raise a flag.

    The flag goes up at each new connection too: what happened before it was not heard.
    """

    def __init__(self, label: str) -> None:
        self._filters = {"type": "container", "event": "die", "label": label}
        self._changed = threading.Event()
        self._closed = threading.Event()
        self._engine = Engine()
        self._stream: Any = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen, if not already."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._follow, name="docker-events", daemon=True)
            self._thread.start()

    def wait(self, timeout: float) -> None:
        self._changed.wait(timeout)
        self._changed.clear()

    def close(self) -> None:
        self._closed.set()
        if self._stream is not None:
            self._stream.close()
        if self._thread is not None:
            self._thread.join(timeout=5)
        self._engine.close()

    def _follow(self) -> None:
        while not self._closed.is_set():
            try:
                self._listen()
            except (Unavailable, APIError):
                self._engine.close()
            self._closed.wait(1.0)

    def _listen(self) -> None:
        with reaching(), streaming(self._engine.api.events(filters=self._filters, decode=True)) as events:
            self._stream = events
            self._changed.set()
            for _ in events:
                self._changed.set()


@contextmanager
def answering() -> Iterator[None]:
    """An answer of the engine that nobody expected is a fault of the installation, said in its own words."""
    try:
        yield
    except APIError as error:
        raise Unavailable(f"The Docker engine refused a request: {error.explanation or error}") from error


def require(facts: dict[str, Any], runtime: str) -> None:
    """Raise `Unavailable` for an engine that would ignore a limit without a word."""
    missing = [name for name in ("MemoryLimit", "SwapLimit", "PidsLimit", "CpuCfsQuota") if not facts.get(name)]
    if missing:
        raise Unavailable(
            f"This Docker engine cannot enforce {', '.join(missing)} (see `docker info`), so no submission may "
            "run on it. Use an engine with control groups."
        )
    if not any("name=seccomp" in option for option in facts.get("SecurityOptions") or ()):
        raise Unavailable("This Docker engine has no seccomp profile (see `docker info`); turn its default on.")
    if runtime and runtime not in facts["Runtimes"]:
        known = ", ".join(sorted(facts["Runtimes"]))
        raise Unavailable(
            f"The Docker engine has no runtime {runtime!r}; it has {known}. Correct the setting runtime."
        )
