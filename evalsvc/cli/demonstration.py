"""`evalsvc demo`: the whole way of a submission, with the very commands that people type.

Every step is a real `evalsvc` command in a process of its own, printed before it runs, so that the demo shows what
to type and cannot drift from it.  What is slow to make (the synthetic images) is kept for the next time.
"""

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from evalsvc.cli.console import note, say
from evalsvc.domain.errors import Conflict, JobFailed, Unavailable
from evalsvc.domain.submission import Cause

TEAM: Final = "lovelace"
_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 15.0


@dataclass(frozen=True)
class Home:
    """The demo's folder: the images are kept, the service starts afresh."""

    root: Path

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def service(self) -> Path:
        return self.root / "service"

    @property
    def model(self) -> Path:
        return self.root / "density"

    @property
    def mark(self) -> Path:
        return self.root / ".evalsvc-demo"

    @property
    def processes(self) -> Path:
        return self.root / "processes.json"

    @property
    def credentials(self) -> Path:
        return self.root / "credentials.json"


@dataclass
class Demo:
    """One run: where it lives, which environment its commands see, and what it started."""

    home: Home
    environment: dict[str, str]
    started: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def isolated(self) -> bool:
        return self.environment["EVALSVC_EXECUTOR"] == "docker"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.environment['EVALSVC_PORT']}"

    def command(self, *words: str) -> None:
        """Show a command and run it.  Raises `JobFailed` when it fails; its own words say why."""
        say(f"\n$ evalsvc {shlex.join(words)}")
        sys.stdout.flush()
        result = subprocess.run([*_PROGRAM, *words], env=self._full())
        if result.returncode != 0:
            raise JobFailed(Cause.INFRASTRUCTURE, f"`evalsvc {words[0]}` failed; what it said stands above.")

    def answer(self, *words: str) -> str:
        """The output of a command that is not worth showing."""
        result = subprocess.run([*_PROGRAM, *words], env=self._full(), stdout=subprocess.PIPE, text=True)
        if result.returncode != 0:
            raise JobFailed(Cause.INFRASTRUCTURE, f"`evalsvc {words[0]}` failed; what it said stands above.")
        return result.stdout

    def start(self, name: str) -> None:
        """Start `evalsvc <name>` beside the demo, its log in the service's folder."""
        say(f"$ evalsvc {name} &")
        with (self.home.service / f"{name}.log").open("w") as log:
            process = subprocess.Popen(
                [*_PROGRAM, name],
                env=self._full(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.started[name] = process
        self.home.processes.write_text(json.dumps({started: p.pid for started, p in self.started.items()}))

    def _full(self) -> dict[str, str]:
        mine = {name: value for name, value in os.environ.items() if not name.startswith("EVALSVC_")}
        return mine | self.environment


_PROGRAM: Final = (sys.executable, "-m", "evalsvc.cli.app")


def run(root: Path, keep: bool) -> None:
    """The demo.  Raises `Conflict` while an earlier one is still up."""
    home = Home(root)
    if _alive(home):
        raise Conflict(
            f"A demo is up in {root}: stop it with `evalsvc demo --stop --dir {shlex.quote(str(root))}`."
        )
    demo = Demo(home, _environment(home))
    if not demo.isolated:
        note(
            "WARNING: no Docker engine answers, so the model runs as a plain process, without any isolation. "
            "That is fine for these synthetic images and refused for all others."
        )
    kept = False
    try:
        _prepare(demo)
        _serve(demo)
        _evaluate(demo)
        kept = keep
    finally:
        if not kept:
            _end(home)
    _say_next(demo) if keep else say("\nThe service is stopped. `make demo KEEP=1` leaves it up to play with.")


def stop(root: Path) -> None:
    """Stop what `--keep` left up."""
    running = _alive(Home(root))
    _end(Home(root))
    say("The demo is stopped." if running else "No demo is up.")


def _environment(home: Home) -> dict[str, str]:
    return {
        **_engine(),
        "EVALSVC_DATA": str(home.service),
        "EVALSVC_PORT": str(_free_port()),
        "EVALSVC_TICK": "0.5",
        # The data are synthetic, and whoever watches a demo wants the report at once.
        "EVALSVC_DISCLOSURE_STEP": "0",
        "EVALSVC_CREDENTIALS": str(home.credentials),
    }


def _engine() -> dict[str, str]:
    """The executor that can be used here, and what its machine has to give to a job."""
    from evalsvc.executors.base import Limits
    from evalsvc.executors.docker_engine import Engine
    from evalsvc.trial.engine import count_gpus

    engine = Engine()
    try:
        memory = min(Limits().memory, engine.facts["MemTotal"] * 3 // 4)
        return {
            "EVALSVC_EXECUTOR": "docker",
            "EVALSVC_GPUS": str(count_gpus(engine)),
            "EVALSVC_MEMORY": str(memory),
        }
    except Unavailable:
        return {"EVALSVC_EXECUTOR": "process", "EVALSVC_GPUS": "0"}
    finally:
        engine.close()


def _prepare(demo: Demo) -> None:
    home = demo.home
    home.root.mkdir(parents=True, exist_ok=True)
    _start_afresh(home)
    home.service.mkdir(mode=0o700)
    say("1. A synthetic stand-in for the data set: 497 public and 475 private test images, kept for next time.")
    demo.command("data", "synthesize", str(home.data), "--split", "test", "--split", "private")
    say("\n2. The maintainer's side: a database, the sealed data set, a team with its token, the service.")
    demo.command("db", "upgrade")
    demo.command("admin", "dataset", "import", str(home.data), "--name", "csaw-m-stand-in")


def _start_afresh(home: Home) -> None:
    """Remove what an earlier demo made, and nothing else: it left its mark in the folder before anything."""
    mine = home.mark.exists()
    for folder in (home.service, home.model):
        if folder.exists() and not mine:
            raise Conflict(f"{folder} is not the demo's: name another folder with --dir.")
    home.mark.touch()
    for folder in (home.service, home.model):
        if folder.exists():
            _remove(folder)


def _remove(folder: Path) -> None:
    """Sealed files are read-only; their owner may still remove them once the folders can be written."""
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)
    shutil.rmtree(folder)


def _serve(demo: Demo) -> None:
    say(f"\n$ evalsvc admin team create {TEAM}")
    token = json.loads(demo.answer("admin", "team", "create", TEAM, "--json"))["token"]
    demo.start("serve")
    demo.start("worker")
    _await_service(demo)
    say(f"\n3. The researcher's side: signed in to {demo.url} as team {TEAM}, with the density example.")
    demo.environment["EVALSVC_TOKEN"] = token
    demo.command("login", demo.url)


def _await_service(demo: Demo) -> None:
    end = time.monotonic() + _START_SECONDS
    # Asked of the children themselves: just after its start a process has no command line to be known by.
    while time.monotonic() < end and all(process.poll() is None for process in demo.started.values()):
        with suppress(httpx.HTTPError):
            if httpx.get(f"{demo.url}/readyz").is_success:
                return
        time.sleep(0.1)
    logs = "\n".join((demo.home.service / f"{name}.log").read_text()[-2000:] for name in demo.started)
    raise Unavailable(f"The service did not start. Its logs in {demo.home.service} end with:\n{logs}")


def _evaluate(demo: Demo) -> None:
    model = str(demo.home.model)
    demo.command("init", model)
    if demo.isolated:
        demo.command("try", model, "--build-network", "host")
        demo.command("submit", "density:try", "--watch")
    else:
        demo.command("try", model, "--executor", "process")
        demo.command("submit", model, "--watch")
    demo.command("leaderboard")
    if demo.isolated:
        say(
            "\nThe model saw the images under random names, without labels, network, or a place to write but "
            "/output and /tmp (docs/security.md)."
        )


def _say_next(demo: Demo) -> None:
    say(f"\nThe service is up at {demo.url}. To go on, in this terminal:")
    for name, value in sorted(demo.environment.items()):
        if name != "EVALSVC_TOKEN":  # it is kept with the credentials
            say(f"  export {name}={shlex.quote(value)}")
    program = Path(sys.executable).with_name("evalsvc")
    for words in (
        "status",
        "quota",
        "leaderboard",
        f"try {demo.home.model}",
        "submit density:try",
        "admin team list",
    ):
        say(f"  {program} {words}")
    say(f"Stop it with: {program} demo --stop --dir {shlex.quote(str(demo.home.root))}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _alive(home: Home) -> dict[str, int]:
    """The demo's processes that run: by number, and by what they were started as, since numbers are used again."""
    try:
        started: dict[str, int] = json.loads(home.processes.read_text())
    except (OSError, ValueError):
        return {}
    return {name: pid for name, pid in started.items() if _is_ours(pid)}


def _is_ours(pid: int) -> bool:
    try:
        return b"evalsvc.cli.app" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _end(home: Home) -> None:
    for pid in _alive(home).values():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + _STOP_SECONDS
    while _alive(home) and time.monotonic() < end:
        time.sleep(0.1)
    for pid in _alive(home).values():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    home.processes.unlink(missing_ok=True)
