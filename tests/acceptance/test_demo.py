"""`make demo KEEP=1`, then everything that its researcher, another team and its maintainer may do with it.

The demo runs once, in full, on the real engine; the tests below are its users.
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
EVALSVC = str(Path(sys.executable).with_name("evalsvc"))
PROBE = ROOT / "tests/images/service_probe"

pytestmark = [pytest.mark.docker, pytest.mark.slow]


@dataclass
class Demo:
    """A demo that is up: what it printed, and the environment it told people to set."""

    home: Path
    output: str
    environment: dict[str, str]
    children: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def run(self, *words: str, token: str = "", code: int = 0) -> str:
        """Type a command; its exit code has to be `code`.  What it printed, errors too."""
        environment = self.environment | ({"EVALSVC_TOKEN": token} if token else {})
        result = subprocess.run(
            [EVALSVC, *words], env=environment, capture_output=True, text=True, timeout=300, cwd=self.home
        )
        assert result.returncode == code, result.stdout + result.stderr
        assert "Traceback" not in result.stderr
        return result.stdout if code == 0 else result.stdout + result.stderr

    def json(self, *words: str, token: str = "", code: int = 0) -> Any:
        return json.loads(self.run(*words, "--json", token=token, code=code))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    home = tmp_path_factory.mktemp("demo")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("EVALSVC_")}
    command = [EVALSVC, "demo", "--keep", "--dir", str(home)]
    result = subprocess.run(command, env=clean, capture_output=True, text=True, timeout=600, cwd=ROOT)
    children: list[subprocess.Popen[bytes]] = []
    try:
        assert result.returncode == 0, result.stdout + result.stderr
        exports = dict(re.findall(r"^  export (EVALSVC_\w+)=(.*)$", result.stdout, re.M))
        yield Demo(
            home, result.stdout, clean | {name: shlex.split(value)[0] for name, value in exports.items()}, children
        )
    finally:
        subprocess.run([EVALSVC, "demo", "--stop", "--dir", str(home)], env=clean, check=True)
        for child in children:
            child.terminate()
            child.wait(30)


@pytest.fixture(scope="module")
def scored(demo: Demo) -> str:
    """The id of the submission that the demo made."""
    [submission] = [s for s in demo.json("status")["submissions"] if s["image"] == "density:try"]
    assert submission["state"] == "scored"
    return str(submission["id"])


def test_the_demo_shows_a_report_and_a_leaderboard(demo: Demo) -> None:
    assert "WARNING" not in demo.output  # the engine is there, so nothing runs without isolation
    assert re.search(r"^private split, 475 images$", demo.output, re.M)
    assert re.search(r"^public split, 497 images$", demo.output, re.M)
    model = re.search(r"^model +(0\.\d+) +(\d+\.\d)$", demo.output, re.M)
    assert model, "no line of the model's tau-b and AMAE"
    # Density explains a part of masking, in the stand-in as in the paper.
    assert 0.25 < float(model[1]) < 0.7
    assert re.search(rf"^1 +lovelace +\w+ +{model[1]} ", demo.output, re.M)


def test_the_report_is_the_scorers_own(demo: Demo, scored: str) -> None:
    report = demo.json("report", scored)
    assert report["dataset"]["synthetic"]
    assert report["digest"].startswith("sha256:")
    private = report["report"]["private"]
    assert f"{private['rank']['tau_b']['value']:.4f}" in demo.output
    full = demo.run("report", scored, "--full")
    assert "Agreement, tau-b" in full


def test_the_history_has_every_state_and_a_time(demo: Demo, scored: str) -> None:
    history = demo.json("status", scored)["history"]
    assert [entry["state"] for entry in history] == [
        "received",
        "trial_queued",
        "trial_running",
        "queued",
        "running",
        "scoring",
        "scored",
    ]
    assert "trial_running" in demo.run("status", scored)


def test_the_log_is_the_trials(demo: Demo, scored: str) -> None:
    log = demo.run("logs", scored)
    assert "8 of 8 images" in log
    assert "972" not in log
    assert "972 of 972 images" in demo.run("admin", "log", scored)


def test_the_same_image_again_is_free(demo: Demo, scored: str) -> None:
    before = demo.json("quota")
    again = demo.json("submit", "density:try")
    assert (again["id"], again["repeated"]) == (scored, True)
    assert demo.json("quota") | {"next_slot": ""} == before | {"next_slot": ""}


def test_what_is_wrong_is_one_sentence_and_an_exit_code(demo: Demo, scored: str) -> None:
    for words, code, said in (
        (("submit", "no/such:image"), 5, "no/such:image"),
        (("report", "nosuchid"), 5, "nosuchid"),
        (("status", "../quota"), 5, "../quota"),
        (("cancel", scored), 6, "can no longer be cancelled"),
        (("admin", "team", "create", "lovelace"), 6, "lovelace"),
        (("admin", "team", "token", "nobody"), 5, "nobody"),
    ):
        output = demo.run(*words, code=code)
        assert said in output
        assert len(output.strip().splitlines()) == 1, output


def test_another_team_sees_nothing_of_it(demo: Demo, scored: str) -> None:
    token = demo.json("admin", "team", "create", "noether")["token"]
    assert demo.json("status", token=token)["submissions"] == []
    for command in ("status", "report", "logs", "cancel"):
        assert "no submission" in demo.run(command, scored, token=token, code=5)
    assert [row["team"] for row in demo.json("leaderboard", token=token)["rows"]] == ["lovelace"]
    demo.run("admin", "team", "revoke", "noether")
    assert "evalsvc login" in demo.run("status", token=token, code=4)


def test_a_failed_trial_shows_its_log_and_costs_nothing(demo: Demo) -> None:
    build(demo, "trial-fails:1", "raise SystemExit('the weights are missing')")
    before = demo.json("quota")["used"]
    output = demo.run("submit", "trial-fails:1", "--watch", code=9)
    assert "the weights are missing" in output
    assert "trial_failed" in output
    assert demo.json("quota")["used"] == before


def test_a_container_gets_nothing_but_its_images(demo: Demo) -> None:
    """The private run of a model that looks everywhere: its log, which only maintainers see, has what it found."""
    build(demo, "probe:1", (PROBE / "predict.py").read_text())
    demo.run("submit", "probe:1", "--watch")
    [probe] = [s for s in demo.json("status")["submissions"] if s["image"] == "probe:1"]
    found = json.loads(demo.json("admin", "log", probe["id"])["log"].splitlines()[-1])
    assert (found["images"], found["files"] > 1000) == (972, True)
    nothing = ("reached", "written", "label_files", "telling_names", "other_images", "sockets", "environment")
    assert {what: found[what] for what in nothing} == {what: [] for what in nothing}


def test_the_probe_would_have_found_a_label_file(demo: Demo) -> None:
    """The other half of the test above: run where a label file and an image of its own lie, it finds both."""
    data = demo.home / "data"
    build(
        demo,
        "probe-control:1",
        (PROBE / "predict.py").read_text(),
        more={
            "private_1.png": (data / "images/preprocessed/private/private_1.png").read_bytes(),
            "CSAW-M_test.csv": (data / "labels/CSAW-M_test.csv").read_bytes(),
        },
    )
    folder = demo.home / "control"
    (folder / "input/images").mkdir(parents=True)
    (folder / "input/images.csv").write_text("Filename\n")
    (folder / "output").mkdir()
    mounts = [f"--volume={folder}/{name}:/{name}" for name in ("input", "output")]
    command = [
        "docker",
        "run",
        "--rm",
        "--network",
        "none",
        "--user",
        f"{os.getuid()}",
        *mounts,
        "probe-control:1",
    ]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads(result.stdout.splitlines()[-1])
    assert found["label_files"] == ["/CSAW-M_test.csv"]
    assert found["other_images"] == ["/private_1.png"]
    assert sorted(found["telling_names"]) == ["/CSAW-M_test.csv", "/private_1.png"]
    assert "/input" in found["written"]


def build(demo: Demo, tag: str, program: str, more: dict[str, bytes] | None = None) -> None:
    """An image of one Python file (and `more` files in its root), without network."""
    folder = demo.home / tag.replace(":", "-")
    folder.mkdir()
    (folder / "predict.py").write_text(program)
    for name, data in (more or {}).items():
        (folder / name).write_bytes(data)
    (folder / "Dockerfile").write_text(
        'FROM python:3.11-slim-bookworm\nCOPY * /\nENTRYPOINT ["python", "-B", "/predict.py"]\n'
    )
    command = ["docker", "build", "--quiet", "--network", "none", "--tag", tag, str(folder)]
    subprocess.run(command, check=True, capture_output=True)


SLOW = """
import csv, pathlib, time
names = [row["Filename"] for row in csv.DictReader(open("/input/images.csv"))]
time.sleep(8 if len(names) > 8 else 0)
rows = [f"{name},{int(name[:8], 16)}" for name in names]
pathlib.Path("/output/predictions.csv").write_text("\\n".join(["Filename,Score", *rows]))
"""


def test_a_worker_that_is_killed_in_a_private_run_goes_on_where_it_was(demo: Demo) -> None:
    build(demo, "slow:1", SLOW)
    before = demo.json("quota")["used"]
    submission = demo.json("submit", "slow:1")["id"]
    wait_for(demo, submission, "running")
    processes = demo.home / "processes.json"
    started = json.loads(processes.read_text())
    os.kill(started["worker"], signal.SIGKILL)
    time.sleep(1)
    with (demo.home / "worker.log").open("w") as log:
        worker = subprocess.Popen([EVALSVC, "worker"], env=demo.environment, stdout=log, stderr=log)
    demo.children.append(worker)
    wait_for(demo, submission, "scored")
    history = [entry["state"] for entry in demo.json("status", submission)["history"]]
    assert history.count("running") == 1  # adopted, not run again
    assert demo.json("quota")["used"] == before + 1


def wait_for(demo: Demo, submission: str, state: str) -> None:
    end = time.monotonic() + 120
    while (now := demo.json("status", submission)["state"]) != state:
        assert now not in {"scored", "failed", "cancelled"}, now
        assert time.monotonic() < end, now
        time.sleep(0.2)


def test_without_an_engine_the_demo_says_so_and_runs_a_process(demo: Demo, tmp_path: Path) -> None:
    shutil.copytree(demo.home / "data", tmp_path / "data", copy_function=os.link)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("EVALSVC_")}
    command = [EVALSVC, "demo", "--dir", str(tmp_path)]
    result = subprocess.run(
        command,
        env=clean | {"DOCKER_HOST": f"unix://{tmp_path}/no-engine.sock"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "WARNING: no Docker engine answers" in result.stderr
    assert result.stderr.count("without isolation") >= 2  # on the screens of the service too
    # The same model on the same images has the same score, wherever it runs.
    here, there = (re.search(r"^model +(0\.\d+) ", out, re.M) for out in (result.stdout, demo.output))
    assert here
    assert there
    assert here[1] == there[1]
    assert "The service is stopped." in result.stdout


def test_a_second_demo_in_the_same_folder_is_refused(demo: Demo) -> None:
    assert "--stop" in demo.run("demo", "--dir", str(demo.home), code=6)
