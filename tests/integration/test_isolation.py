"""What a hostile submission gets: one that tries everything, and greedy ones.  See docs/security.md."""

import json
import secrets
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import docker
import pytest

from evalsvc.domain.submission import Cause
from evalsvc.executors.base import MIB, JobSpec, Observation, Phase
from evalsvc.executors.docker_spec import bridge_targets
from tests.images.build import BASE, DOCKERFILE, HERE, build
from tests.images.jobs import LIMITS, Place

pytestmark = pytest.mark.docker

SET_USER_ID = f'FROM {BASE}\nRUN cp "$(command -v id)" /set-user-id && chmod 4755 /set-user-id\n'
SHADOWED = f"FROM {BASE}\nRUN mkdir -m 777 /shadowed\nVOLUME /shadowed\n"


@dataclass
class Attack:
    """What the hostile submission reported, and what it was to find nothing of."""

    report: dict[str, Any]
    spec: JobSpec
    place: Place
    seen: Observation
    on_display: str
    hidden: dict[str, str]
    listener: socket.socket


def plant(path: Path, append: bool = False) -> str:
    """Write a mark to `path` that the submission recognises when it reads it anywhere."""
    mark = f"EVALSVC-PLANTED-{secrets.token_hex(16)}"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a" if append else "w") as file:
        file.write(mark)
    return mark


def host_addresses() -> list[str]:
    """This machine's own addresses: of the bridge, and of the interface that leads out."""
    client = docker.from_env()
    found = {target.rpartition(":")[0] for target in bridge_targets([client.networks.get("bridge").attrs])}
    client.close()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return [*found, probe.getsockname()[0]]


@pytest.fixture(scope="module")
def attack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attack]:
    place = Place("docker", tmp_path_factory.mktemp("attack"))
    hidden = {
        "labels beside the images": plant(place.folder / "labels/CSAW-M_test_private.csv"),
        "labels among the images": plant(place.source / "CSAW-M_test_private.csv"),
        "an image of another split": plant(place.source / "test/test_0.png", append=True),
        "a world-readable file of the host": plant(Path(f"/tmp/evalsvc-{secrets.token_hex(4)}")),
    }
    on_display = plant(place.source / "private/private_0.png", append=True)
    reseal(place.source)
    neighbour = place.spec(place.image("hang"))
    with socket.create_server(("0.0.0.0", 0)) as listener:  # noqa: S104 - to be found, if anything is
        port = listener.getsockname()[1]
        folder = place.folder / "submissions/hostile"
        folder.mkdir(parents=True)
        (folder / "predict.py").write_text((HERE / "hostile.py").read_text())
        (folder / "targets.json").write_text(
            json.dumps(
                {
                    "ipv4": [[host, port] for host in host_addresses()]
                    + [["1.1.1.1", 443], ["169.254.169.254", 80]],
                    "ipv6": [["2606:4700:4700::1111", 443], ["fe80::1", 80], ["fd00::2", port]],
                    "dns": ["1.1.1.1", *host_addresses()],
                }
            )
        )
        dockerfile = SET_USER_ID + DOCKERFILE.split("\n", 1)[1]
        spec = place.spec(place.resolver().resolve(build(folder, "hostile", dockerfile)).digest)
        place.executor.create(neighbour)
        place.until(neighbour, {Phase.RUNNING})
        seen = place.finish(spec)
        log = place.executor.log(spec.attempt_id, limit=1 << 20)
        yield Attack(json.loads(log.splitlines()[-1]), spec, place, seen, on_display, hidden, listener)
    place.close()


def reseal(source: Path) -> None:
    """Write the manifest for the images as they are now."""
    import hashlib

    manifest = json.loads((source / "manifest.json").read_text())
    for entry in manifest["images"]:
        content = (source / entry["path"]).read_bytes()
        entry.update(sha256=hashlib.sha256(content).hexdigest(), size=len(content))
    (source / "manifest.json").write_text(json.dumps(manifest))


# Files


def test_it_reads_its_images_and_the_search_would_find_more(attack: Attack) -> None:
    """The positive control: what is planted in one of its own images it does find, and nowhere else."""
    found = attack.report["search"]["planted"]
    assert attack.seen.cause is None
    assert attack.report["search"]["read"] > 100
    assert [path.rsplit("/", 1)[0] for path in found.pop(attack.on_display)] == ["/input/images"]
    assert found == {}


def test_labels_are_in_no_file_it_can_open(attack: Attack) -> None:
    for what, mark in attack.hidden.items():
        assert mark not in json.dumps(attack.report), what


def test_no_image_has_its_own_name_anywhere(attack: Attack) -> None:
    assert attack.report["search"]["originals"] == []


def test_neither_the_key_nor_the_source_folder_is_shown(attack: Attack) -> None:
    text = json.dumps(attack.report)
    assert attack.spec.name_key.hex() not in text
    assert str(attack.place.folder) not in text


def test_it_writes_only_where_it_may(attack: Attack) -> None:
    """/dev/mqueue is the kernel's queue of messages, of its own IPC namespace."""
    assert set(attack.report["writable"]) - {"/dev/mqueue"} == {"/dev/shm", "/output", "/tmp"}


def test_it_changes_nothing_it_is_given_nor_the_kernel_s_switches(attack: Attack) -> None:
    assert {what for what, outcome in attack.report["overwrite"].items() if outcome == "done"} == set()


# Network


def test_the_listener_is_there_to_be_found(attack: Attack) -> None:
    """The positive control: from outside the container the same addresses answer."""
    for host in host_addresses():
        with socket.create_connection((host, attack.listener.getsockname()[1]), timeout=2):
            pass


def test_it_reaches_nothing(attack: Attack) -> None:
    tried = attack.report["network"]
    assert len(tried) >= 12
    assert {what for what, outcome in tried.items() if outcome == "done"} == set()
    assert {outcome for what, outcome in tried.items() if what.startswith("tcp ")} == {
        "101 Network is unreachable"
    }


def test_it_has_no_interface_but_loopback_and_no_route(attack: Attack) -> None:
    neighbours = attack.report["neighbours"]
    assert neighbours["interfaces"] == ["lo"]
    assert neighbours["routes"] == []
    assert neighbours["abstract sockets"] == []


def test_it_has_no_raw_sockets(attack: Attack) -> None:
    for kind in ("raw socket", "packet socket"):
        assert attack.report["network"][kind] == "1 Operation not permitted"


# Privileges


def test_it_is_nobody_without_a_capability(attack: Attack) -> None:
    status = attack.report["status"]
    assert status["Uid"].split() == status["Gid"].split() == ["65532"] * 4
    assert set(status["Groups"].split()) <= {"65532"}
    assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")} == {0}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


def test_it_becomes_nobody_else(attack: Attack) -> None:
    identity = attack.report["identity"]
    assert identity.pop("user of a set-user-id program") == "65532"
    assert set(identity.values()) == {"1 Operation not permitted"}


def test_the_calls_that_lead_out_are_denied(attack: Attack) -> None:
    calls = attack.report["system_calls"]
    assert {name for name, outcome in calls.items() if outcome == "done"} == set()
    assert set(calls.values()) <= {"Operation not permitted", "Function not implemented"}


# Neighbours


def test_it_sees_no_process_but_its_own(attack: Attack) -> None:
    assert set(attack.report["processes"]) <= {"docker-init", "tini", "python"}
    assert len(attack.report["processes"]) == 2


def test_it_finds_no_engine_and_no_disk(attack: Attack) -> None:
    neighbours = attack.report["neighbours"]
    assert neighbours["sockets"] == []
    assert neighbours["block devices"] == []


def test_it_has_no_mount_but_its_own(attack: Attack) -> None:
    """Each mount by where it is: ours, the kernel's, and the small files an engine makes for a container."""
    mounts = {line.split()[4] for line in attack.report["neighbours"]["mounts"]}
    own = {"/", "/input", "/output", "/tmp", "/dev/shm"}
    assert own <= mounts
    engine = {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/sbin/docker-init", "/usr/sbin/docker-init"}
    others = mounts - own - engine
    assert [path for path in others if path.split("/")[1] not in {"proc", "sys", "dev"}] == []
    sources = [line.split()[3] for line in attack.report["neighbours"]["mounts"] if line.split()[4] in own]
    assert not [source for source in sources if str(attack.place.folder) in source]


def test_it_is_told_nothing_of_the_service(attack: Attack) -> None:
    assert not [name for name in attack.report["neighbours"]["environment"] if "EVALSVC" in name]
    assert attack.report["neighbours"]["hostname"] == "sandbox"


# Greed


def take(place: Place, what: str, **limits: Any) -> tuple[Observation, dict[str, Any], JobSpec]:
    spec = place.spec(place.greedy(what), limits=replace(LIMITS, **limits))
    seen = place.finish(spec)
    lines = place.executor.log(spec.attempt_id).splitlines()
    return seen, json.loads(lines[-1]) if lines else {}, spec


def test_memory_ends_at_its_limit(place: Place) -> None:
    assert take(place, "memory", memory=128 * MIB)[0].cause is Cause.OUT_OF_MEMORY


def test_a_child_that_takes_too_much_is_its_parent_s_affair(place: Place) -> None:
    seen, report, spec = take(place, "memory_of_a_child", memory=128 * MIB)
    assert (seen.cause, report["signal"]) == (None, 9)
    assert place.executor.harvest(spec.attempt_id) == b"Filename,Score\n"


def test_files_in_memory_count_as_memory(place: Place) -> None:
    seen, _, _ = take(place, "memory_by_files", memory=64 * MIB, tmp=64 * MIB, shm=64 * MIB)
    assert seen.cause is Cause.OUT_OF_MEMORY


def test_processes_end_at_their_limit(place: Place) -> None:
    seen, report, _ = take(place, "processes", pids=40)
    assert seen.cause is None
    assert 30 <= report["forks"] < 40
    assert report["error"] == "Resource temporarily unavailable"


def test_disk_space_ends_at_its_limits_and_image_volumes_are_covered(place: Place) -> None:
    dockerfile = SHADOWED + DOCKERFILE.split("\n", 1)[1]
    spec = place.spec(place.greedy("space", dockerfile))
    place.finish(spec)
    report = json.loads(place.executor.log(spec.attempt_id).splitlines()[-1])
    full = "No space left on device"
    assert report == {
        "/output": [8 * MIB, full],
        "/tmp": [16 * MIB, full],
        "/dev/shm": [16 * MIB, full],
        "/shadowed": [MIB, full],
    }


def test_the_number_of_files_ends_at_its_limit(place: Place) -> None:
    _, report, _ = take(place, "many_files")
    assert report["files"] < 1024
    assert report["error"] == "No space left on device"


def test_open_files_end_at_their_limit(place: Place) -> None:
    assert take(place, "descriptors")[1]["opened"] < 4096


def test_processor_time_ends_at_its_limit(place: Place) -> None:
    _, report, _ = take(place, "processor", cpus=0.5)
    assert 0.1 < report["cpu"] < 1.5


def test_a_crash_leaves_no_memory_behind(place: Place) -> None:
    assert take(place, "core")[1] == {"signal": 11, "dumped": False}


def test_a_health_check_of_the_image_does_not_run(place: Place) -> None:
    """It would run beside the submission, outside the time that is measured."""
    dockerfile = DOCKERFILE + "HEALTHCHECK --interval=1s CMD touch /tmp/checked\n"
    folder = place.folder / "submissions/checked"
    folder.mkdir(parents=True)
    (folder / "predict.py").write_text(
        "import pathlib, time\ntime.sleep(2.5)\nprint(pathlib.Path('/tmp/checked').exists())\n"
    )
    spec = place.spec(place.resolver().resolve(build(folder, "checked", dockerfile)).digest)
    place.finish(spec)
    assert place.executor.log(spec.attempt_id) == b"False\n"
