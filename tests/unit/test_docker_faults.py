"""Whose fault it is that a container cannot start: the engine's own words, as they were seen."""

import stat

import pytest

from evalsvc.executors.capacity import overcommit
from evalsvc.executors.docker_faults import image_fault, is_plain_file

RUNC = "OCI runtime create failed: runc create failed: unable to start container process: "
HELP = ": unknown: Are you trying to mount a directory onto a file (or vice-versa)?"
MOUNT = RUNC + "error during container init: error mounting "
NOT_A_FOLDER = "In the image {} is not an ordinary folder, and has to be one; remove it or make it one."


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("No command specified", "The image has neither ENTRYPOINT nor CMD."),
        (
            MOUNT + '"/v" to rootfs at "/output": mount /v/_data:/output, flags: 0x5000: not a directory' + HELP,
            NOT_A_FOLDER.format("/output"),
        ),
        (
            MOUNT
            + '"/v" to rootfs at "/output": "/o/merged/proc" cannot be mounted because it is not of type proc',
            NOT_A_FOLDER.format("/output"),
        ),
        ("mount /v/_data:/o/merged/output, flags: 0x5000: not a directory", NOT_A_FOLDER.format("/output")),
        ("evalSymlinksInScope: too many links in /o/merged/work", NOT_A_FOLDER.format("/work")),
        ("Cannot mkdir: /w is not a directory", NOT_A_FOLDER.format("/w")),
        (
            RUNC + 'exec: "/sbin/docker-init": stat /sbin/docker-init: permission denied: unknown',
            "The image's program, or a folder on the way to it, cannot be executed by user 65532.",
        ),
        (
            "unable to find user 65532: read /o/merged/etc/passwd: is a directory",
            "/etc/passwd or /etc/group of the image is not a plain file.",
        ),
    ],
)
def test_what_the_image_is_to_blame_for(error: str, told: str) -> None:
    assert image_fault(error) == told


@pytest.mark.parametrize(
    "error",
    [
        'could not select device driver "" with capabilities: [[gpu]]',
        MOUNT + '"/v" to rootfs at "/output": mount /v:/output: no such file or directory' + HELP,
        MOUNT + '"tmpfs" to rootfs at "/tmp": mount tmpfs:/tmp: cannot allocate memory' + HELP,
        "cannot join network of a non running container: abc",
        "no space left on device",
        "OCI runtime create failed: something nobody has seen",
        "nvidia-container-cli: initialization error: driver rpc error",
        "",
    ],
)  # fmt: skip
def test_everything_else_is_the_platform_s(error: str) -> None:
    assert image_fault(error) is None


@pytest.mark.parametrize(("mode", "plain"), [
    (0o644, True), (0o644 | 1 << 31, False), (0o644 | 1 << 27, False), (0o644 | 1 << 25, False),
    (0o644 | 1 << 24, False), (0o666 | 1 << 26, False),
    (0o666 | 1 << 26 | 1 << 21, False), (0o4755 | 1 << 23, True),
])  # fmt: skip
def test_modes_are_read_as_the_engine_writes_them(mode: int, plain: bool) -> None:
    """Go's os.FileMode: folder 31, link 27, device 26, pipe 25, socket 24, set-user-id 23, character device 21."""
    assert is_plain_file(mode) is plain
    assert stat.S_IMODE(mode) == mode & 0o7777


def test_jobs_that_fit_the_machine_and_jobs_that_do_not() -> None:
    gib = 1 << 30
    assert overcommit(16 * gib, 2, 32 * gib) is None
    assert overcommit(16 * gib, 2, 32 * gib - 1) == (
        "2 jobs at once of 16.0 GiB each need more memory than the 32.0 GiB this machine has: lower the "
        "memory limit or the concurrency."
    )
