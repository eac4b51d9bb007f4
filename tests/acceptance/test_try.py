"""`evalsvc init` and `evalsvc try` as a researcher types them, with real containers."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

EVALSVC = str(Path(sys.executable).with_name("evalsvc"))
OK = "this image follows the contract"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A cache of this module's own, so that the sample images are really made."""
    return {**os.environ, "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache"))}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    folder = tmp_path_factory.mktemp("work") / f"density-{os.getpid()}"
    subprocess.run([EVALSVC, "init", str(folder)], check=True, capture_output=True, env=environment)
    return folder


@pytest.fixture(scope="module")
def built(template: Path, environment: dict[str, str]) -> Iterator[dict[str, Any]]:
    """The report on the untouched template; its image stays for the tests that build on it."""
    command = [EVALSVC, "try", str(template), "--build-network", "host", "--json"]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
    assert result.returncode == 0, result.stderr
    yield json.loads(result.stdout)
    subprocess.run(["docker", "rmi", "--force", f"{template.name}:try"], capture_output=True)


def attempt(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [EVALSVC, "try", *arguments], capture_output=True, text=True, env=environment, timeout=120
    )


def left_behind() -> str:
    command = ["docker", "ps", "--all", "--filter", "name=ev-try-", "--format", "{{.Names}}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def broken(folder: Path, program: str, base: str) -> str:
    """A folder whose image is `base` with another predict.py."""
    folder.mkdir()
    (folder / "predict.py").write_text(program)
    (folder / "Dockerfile").write_text(f"FROM {base}\nCOPY --chown=65532:65532 predict.py /app/predict.py\n")
    return str(folder)


@pytest.mark.docker
@pytest.mark.slow
def test_the_untouched_template_follows_the_contract(built: dict[str, Any], template: Path) -> None:
    assert (built["ok"], built["cause"], built["isolated"]) == (True, None, True)
    assert built["verdict"] == f"ok: {OK}"
    assert built["image"] == f"{template.name}:try"
    assert built["digest"].startswith("sha256:")
    assert "8 of 8 images" in built["log"]
    assert [row["filename"] for row in built["predictions"]] == [f"sample_{number}.png" for number in range(1, 9)]
    assert len({row["score"] for row in built["predictions"]}) == 8
    assert all(0 < row["score"] < 100 for row in built["predictions"])


WRITE = """
import csv, os
names = [row["Filename"] for row in csv.DictReader(open("/input/images.csv"))]
with open("/output/predictions.csv", "w") as file:
    file.write("Filename,Score\\n")
    file.writelines(f"{name},{value}\\n" for name, value in zip(names, VALUES))
"""

FAILURES = {
    "crash": ("raise SystemExit('weights.pt is missing')", "crashed", "exit code 1"),
    "silent": ("print('done')", "no_predictions", "/output/predictions.csv"),
    "nan": ("VALUES = [1, 2, 3, 'nan', 5, 6, 7, 8]" + WRITE, "invalid_predictions", "line 5"),
    "short": ("VALUES = [1, 2, 3]" + WRITE, "invalid_predictions", "predictions.csv"),
    "hang": ("import time\nprint('waiting', flush=True)\ntime.sleep(600)", "timed_out", "2 s"),
    "greedy": ("b = bytearray(512 << 20)\nfor i in range(0, len(b), 4096): b[i] = 1", "out_of_memory", "memory"),
    "flood": ("open('/output/big', 'wb').write(bytes(100 << 20))", "output_too_large", "full"),
    "online": ("import socket\nsocket.create_connection(('1.1.1.1', 443), 5)", "crashed", "no network"),
}


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.parametrize("name", FAILURES)
def test_a_broken_model_gets_its_cause_and_what_to_do(
    name: str, built: dict[str, Any], environment: dict[str, str], tmp_path: Path
) -> None:
    program, cause, said = FAILURES[name]
    folder = broken(tmp_path / f"{name}-{os.getpid()}", program, built["image"])
    options = ["--timeout", "2", "--memory", "256m"] if name in {"hang", "greedy"} else []
    result = attempt(environment, folder, *options)
    subprocess.run(["docker", "rmi", "--force", f"{Path(folder).name}:try"], capture_output=True)
    assert result.returncode == 9, result.stderr
    verdict = result.stdout.splitlines()[-1]
    assert verdict.startswith(f"{cause}: ")
    assert said in verdict
    assert "Traceback" not in result.stderr


@pytest.mark.docker
@pytest.mark.slow
def test_the_log_is_shown_and_the_predictions_kept(
    built: dict[str, Any], environment: dict[str, str], tmp_path: Path
) -> None:
    result = attempt(environment, built["image"], "--images", "3", "--keep-output", str(tmp_path / "kept.csv"))
    assert result.returncode == 0, result.stderr
    assert "  | 3 of 3 images" in result.stdout
    assert len((tmp_path / "kept.csv").read_text().splitlines()) == 4
    *_, verdict, following = result.stdout.splitlines()
    assert verdict == f"ok: {OK}"
    assert following.startswith("Next: evalsvc submit ")


@pytest.mark.docker
@pytest.mark.slow
def test_an_image_the_policy_refuses_never_runs(
    built: dict[str, Any], environment: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / f"volume-{os.getpid()}"
    folder.mkdir()
    (folder / "Dockerfile").write_text(f"FROM {built['image']}\nVOLUME /data\n")
    result = attempt(environment, str(folder))
    subprocess.run(["docker", "rmi", "--force", f"{folder.name}:try"], capture_output=True)
    assert result.returncode == 3
    assert "VOLUME /data" in result.stderr.splitlines()[-1]
    assert result.stdout == ""


@contextmanager
def hanging(folder: Path, base: str, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A trial of a model that never ends, once its container runs."""
    target = broken(folder, FAILURES["hang"][0], base)
    command = [EVALSVC, "try", target]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any(line.startswith("running") for line in process.stderr)
        assert f"ev-try-{process.pid}-" in left_behind()
        yield process
    subprocess.run(["docker", "rmi", "--force", f"{folder.name}:try"], capture_output=True)


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_trial_leaves_no_container(
    end: signal.Signals, built: dict[str, Any], environment: dict[str, str], tmp_path: Path
) -> None:
    with hanging(tmp_path / f"stopped-{os.getpid()}", built["image"], environment) as process:
        process.send_signal(end)
        assert process.wait(timeout=30) == 130
        assert f"ev-try-{process.pid}-" not in left_behind()


@pytest.mark.docker
@pytest.mark.slow
def test_what_a_killed_trial_left_is_removed_by_the_next(
    built: dict[str, Any], environment: dict[str, str], tmp_path: Path
) -> None:
    with hanging(tmp_path / f"killed-{os.getpid()}", built["image"], environment) as process:
        process.kill()
        process.wait()
        assert f"ev-try-{process.pid}-" in left_behind()
        assert attempt(environment, built["image"], "--images", "1").returncode == 0
        assert f"ev-try-{process.pid}-" not in left_behind()


def test_without_docker_it_says_what_to_do(template: Path, environment: dict[str, str]) -> None:
    result = attempt({**environment, "DOCKER_HOST": "unix:///nonexistent.sock"}, str(template))
    assert result.returncode == 8
    assert len(result.stderr.strip().splitlines()) == 1
    assert "docs.docker.com/get-docker" in result.stderr
    assert "--executor process" in result.stderr


def test_the_process_executor_runs_a_folder_and_warns(template: Path, environment: dict[str, str]) -> None:
    result = attempt(environment, str(template), "--executor", "process", "--json")
    assert result.returncode == 0, result.stderr
    assert "isolates nothing" in result.stderr
    report = json.loads(result.stdout)
    assert (report["ok"], report["isolated"], report["executor"]) == (True, False, "process")
    assert len(report["predictions"]) == 8


def test_the_process_executor_reports_failures_too(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "predict.py").write_text("raise SystemExit('weights.pt is missing')")
    result = attempt(environment, str(tmp_path), "--executor", "process")
    assert result.returncode == 9
    assert "  | weights.pt is missing" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("crashed: ")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["./nowhere"], 3, "./nowhere is not a folder"),
        (["image", "--memory", "much"], 2, "is not a size"),
        (["image", "--timeout", "soon"], 2, "is not a time"),
        (["image", "--data", "/nowhere"], 5, "There are no PNGs in /nowhere"),
        (["/", "--executor", "process"], 5, "predict.py"),
    ],
)
def test_a_slip_is_said_in_one_sentence(
    arguments: list[str], code: int, said: str, environment: dict[str, str]
) -> None:
    process = [] if "--executor" in arguments else ["--executor", "process"]
    result = attempt(environment, *arguments, *process)
    assert result.returncode == code
    assert said in result.stderr
    assert "Traceback" not in result.stderr
