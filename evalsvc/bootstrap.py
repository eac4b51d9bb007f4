"""The composition root: the one place that turns settings into parts and puts the parts together."""

import fcntl
import hashlib
import ipaddress
import logging
import shlex
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.exc import ArgumentError, DBAPIError
from structlog.tracebacks import ExceptionDictTransformer

from evalsvc.admission import Admission, AdmissionRules, refuse_unsafe
from evalsvc.config import Settings, load_settings
from evalsvc.domain.errors import ConfigurationError, NotFound, Unavailable
from evalsvc.executors.base import Executor, ImageResolver, Limits, RunLimits
from evalsvc.registry.image_policy import ImagePolicy
from evalsvc.store.datasets import current_dataset
from evalsvc.store.migrate import check
from evalsvc.store.session import Store, create_store_engine, sqlite_url

if TYPE_CHECKING:
    from fastapi import FastAPI


def utc_now() -> datetime:
    return datetime.now(UTC)


def configure_logging() -> None:
    """JSON lines on standard error, one per event."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # Without the local variables: they hold labels, predictions and keys.
            structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def make_store(settings: Settings) -> tuple[Store, Path]:
    """The store whatever its schema, and the data folder, made (for its owner alone) where there is none.

    Raises `ConfigurationError` for a folder that cannot be used or that others can look into, and for a database
    URL that is none.
    """
    data = _private_folder(settings.data)
    url = settings.database_url or sqlite_url(data / "evalsvc.db")
    try:
        return Store(create_store_engine(url)), data
    except (ArgumentError, ImportError) as error:
        raise ConfigurationError(f"EVALSVC_DATABASE_URL cannot be used: {error}.") from error


def _private_folder(folder: Path) -> Path:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = folder.stat().st_mode
    except OSError as error:
        raise ConfigurationError(
            f"EVALSVC_DATA: {folder} cannot be used as the data folder ({error.strerror})."
        ) from error
    if mode & 0o077:
        raise ConfigurationError(
            f"EVALSVC_DATA: other users can look into {folder}, which holds keys and reports: type "
            f"`chmod 700 {shlex.quote(str(folder))}`."
        )
    return folder.resolve()


def open_store(settings: Settings | None = None) -> tuple[Store, Path]:
    """The store with the schema this version needs, and the data folder.  Raises `Unavailable` otherwise."""
    store, data = make_store(settings or load_settings())
    with usable_database():
        check(store.engine)
    return store, data


@contextmanager
def usable_database() -> Iterator[None]:
    """Turn what a database that is damaged or away says into one sentence."""
    try:
        yield
    except DBAPIError as error:
        raise Unavailable(f"The database cannot be used ({error.orig}): is it there, and undamaged?") from error


def make_executor(settings: Settings) -> Executor:
    """The configured executor; nothing is contacted yet."""
    if settings.executor == "process":
        from evalsvc.executors.process import ProcessExecutor

        return ProcessExecutor(settings.data.resolve() / "process")
    from evalsvc.executors.docker import DockerExecutor

    return DockerExecutor(
        settings.instance or hashlib.sha256(str(settings.data.resolve()).encode()).hexdigest()[:12],
        pod_base_image=settings.pod_base_image,
        runtime=settings.runtime,
        netcheck_targets=_service_addresses(settings),
    )


def _service_addresses(settings: Settings) -> list[str]:
    """Where this service listens, as seen from elsewhere: a container's loopback is its own and proves nothing."""
    host = settings.host if settings.host not in {"", "0.0.0.0", "::"} else socket.gethostname()  # noqa: S104
    try:
        found = socket.getaddrinfo(host, settings.port, type=socket.SOCK_STREAM)
    except OSError:
        return []
    addresses = {ipaddress.ip_address(str(address[0]).partition("%")[0]) for *_, address in found}
    return [
        f"[{address}]:{settings.port}" if address.version == 6 else f"{address}:{settings.port}"
        for address in sorted(addresses, key=str)
        if not address.is_loopback
    ]


def make_resolver(settings: Settings) -> ImageResolver:
    """Where names of submission images are looked up."""
    if settings.executor == "process":
        from evalsvc.executors.process import FolderImages

        return FolderImages(settings.data.resolve() / "process")
    from evalsvc.executors.docker_images import DockerImages

    return DockerImages()


def run_limits(settings: Settings) -> RunLimits:
    """The limits of every run."""
    limits = Limits(
        gpus=settings.gpus,
        cpus=settings.cpus,
        memory=settings.memory,
        wall_time=settings.wall_time,
        pids=settings.pids,
        output=settings.output,
        tmp=settings.tmp,
        shm=settings.shm,
    )
    return RunLimits(limits, settings.trial_wall_time)


def make_app(settings: Settings) -> "FastAPI":
    """The HTTP application.  Raises `Unavailable` where the database is not ready."""
    from evalsvc.api.app import create_app
    from evalsvc.api.services import Services
    from evalsvc.api.views import ViewRules
    from evalsvc.store.blobs import Blobs

    store, data = open_store(settings)
    isolated = settings.executor != "process"
    rules = AdmissionRules(
        limit=settings.evaluations_per_day,
        allowance=settings.submissions_per_day,
        isolated=isolated,
        policy=ImagePolicy(max_size=settings.image_size),
        step=settings.disclosure_step,
    )
    services = Services(
        store=store,
        blobs=Blobs(data / "blobs"),
        admission=Admission(store, make_resolver(settings), rules, utc_now),
        rules=ViewRules(
            step=settings.disclosure_step,
            wall_time=settings.wall_time,
            trial_wall_time=settings.trial_wall_time,
            limit=settings.evaluations_per_day,
            isolated=isolated,
        ),
        executor=settings.executor,
        clock=utc_now,
    )
    return create_app(services)


@contextmanager
def running_worker(settings: Settings) -> Iterator[Callable[[threading.Event], None]]:
    """What runs a worker until an event is set: the only one on this data folder while the block lasts.

    Raises `Unavailable` when another worker runs, or the data set may not run on the executor.
    """
    from evalsvc.worker import Worker, WorkerRules

    store, data = open_store(settings)
    rules = WorkerRules(
        limits=run_limits(settings),
        concurrency=settings.concurrency,
        tick=settings.tick,
        retries=settings.infrastructure_retries,
        step=settings.disclosure_step,
    )
    with _only_worker(data):
        executor = make_executor(settings)
        try:
            _refuse_unsafe_data(store, executor)
            worker = Worker(store, executor, data, rules, utc_now)
            yield partial(worker.run, check=partial(_check, settings, executor))
        finally:
            executor.close()
            store.close()


def _check(settings: Settings, executor: Executor) -> None:
    """Raise `Unavailable` while the engine is away, `ConfigurationError` where it cannot run what is set."""
    from evalsvc.executors.capacity import overcommit
    from evalsvc.executors.docker import DockerExecutor

    executor.check()
    if not isinstance(executor, DockerExecutor):
        return
    if settings.gpus and settings.concurrency > executor.max_concurrent_gpu_jobs:
        raise ConfigurationError(
            f"On Docker {executor.max_concurrent_gpu_jobs} job at a time can have a GPU: set EVALSVC_CONCURRENCY "
            "to it, or EVALSVC_GPUS=0."
        )
    too_much = overcommit(settings.memory, settings.concurrency, executor.machine_memory())
    if too_much:
        raise ConfigurationError(f"{too_much} (EVALSVC_MEMORY, EVALSVC_CONCURRENCY)")


def _refuse_unsafe_data(store: Store, executor: Executor) -> None:
    try:
        with store.read() as session:
            refuse_unsafe(current_dataset(session), executor.isolated)
    except NotFound:
        return  # nothing has been imported yet, and every dispatch checks again


@contextmanager
def _only_worker(data: Path) -> Iterator[None]:
    with (data / "worker.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Unavailable(
                f"Another worker runs on {data}: one is enough, stop it before you start one."
            ) from None
        yield
