"""The service itself: serve, work, demonstrate, look after the database."""

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add this module's commands to the command line."""
    for command in (serve, worker, demo):
        app.command()(command)
    database = typer.Typer(help="Look after the database.", no_args_is_help=True)
    database.command("upgrade")(upgrade)
    app.add_typer(database, name="db")


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.", show_default="8000")] = None,
) -> None:
    """Serve the HTTP API (a worker runs beside it: `evalsvc worker`)."""
    import uvicorn

    from evalsvc.bootstrap import configure_logging, make_app
    from evalsvc.cli.console import note
    from evalsvc.config import load_settings

    configure_logging()
    settings = load_settings()
    settings = settings.model_copy(
        update={"host": host or settings.host, "port": settings.port if port is None else port}
    )
    _warn_unless_isolated(settings.executor)
    application = make_app(settings)
    _refuse_busy_port(settings.host, settings.port)
    note(f"evalsvc serves on http://{settings.host}:{settings.port}; stop it with Ctrl-C.")
    uvicorn.run(application, host=settings.host, port=settings.port, log_level="warning")


def worker() -> None:
    """Run the worker: dispatches evaluations, collects and scores them."""
    import signal
    import threading

    from evalsvc.bootstrap import configure_logging, running_worker
    from evalsvc.cli.console import note
    from evalsvc.config import load_settings

    configure_logging()
    settings = load_settings()
    _warn_unless_isolated(settings.executor)
    _warn_without_gpu(settings.executor, settings.gpus)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with running_worker(settings) as run:
        note(f"evalsvc worker: {settings.executor} executor, {settings.concurrency} at a time; stop with Ctrl-C.")
        run(stop)


def upgrade() -> None:
    """Bring the database to this version's schema (make it where there is none)."""
    from evalsvc.bootstrap import make_store, usable_database
    from evalsvc.cli.console import say
    from evalsvc.config import load_settings
    from evalsvc.store import migrate

    store, data = make_store(load_settings())
    with usable_database():
        migrate.upgrade(store.engine)
    say(f"The database is at {migrate.current(store.engine)}; the data folder is {data}.")


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the service up, and say what to type next.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="Stop a service that --keep left up.")] = False,
    folder: Annotated[str, typer.Option("--dir", help="Where the demo keeps its data.")] = ".demo",
) -> None:
    """See it all: a synthetic private test set, a service, and a model evaluated on it."""
    from pathlib import Path

    from evalsvc.cli import demonstration

    home = Path(folder).resolve()
    if stop:
        demonstration.stop(home)
    else:
        demonstration.run(home, keep)


def _warn_without_gpu(executor: str, gpus: int) -> None:
    from evalsvc.cli.console import note
    from evalsvc.executors.docker_engine import Engine
    from evalsvc.trial.engine import count_gpus

    if executor != "docker" or gpus == 0:
        return
    engine = Engine()
    try:
        if count_gpus(engine) == 0:
            note(f"WARNING: jobs ask for {gpus} GPU, and the engine names none. Without one, set EVALSVC_GPUS=0.")
    finally:
        engine.close()


def _refuse_busy_port(host: str, port: int) -> None:
    import socket

    from evalsvc.domain.errors import Unavailable

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Unavailable(
                f"Cannot listen on {host}:{port} ({error.strerror}): choose another --port."
            ) from error


def _warn_unless_isolated(executor: str) -> None:
    from evalsvc.cli.console import note

    if executor == "process":
        note("WARNING: the process executor isolates nothing. It runs on synthetic data only.")
