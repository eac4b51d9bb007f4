"""A submission that tries everything, and prints what it got as one line of JSON; standard library only."""

import ctypes
import json
import os
import re
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LIBC = ctypes.CDLL(None, use_errno=True)
PLANTED = re.compile(b"EVALSVC-" + b"PLANTED-[0-9a-f]{32}")
ORIGINAL = re.compile(b"private" + rb"_\d+\.png")
DENIED_CALLS = {
    "mount": 165, "umount": 166, "pivot_root": 155, "chroot": 161, "setns": 308, "reboot": 169, "swapon": 167,
    "sethostname": 170, "iopl": 172, "init_module": 175, "kexec_load": 246, "add_key": 248, "keyctl": 250,
    "bpf": 321, "perf_event_open": 298, "settimeofday": 164, "open_by_handle_at": 304, "userfaultfd": 323,
    "acct": 163, "quotactl": 179, "syslog": 103, "fsopen": 430, "move_mount": 429,
}  # fmt: skip


def attempt(action: Callable[[], Any]) -> str:
    """What became of it: `done`, or the error's name."""
    try:
        action()
    except OSError as error:
        return type(error).__name__ if error.errno is None else f"{error.errno} {os.strerror(error.errno)}"
    return "done"


def status() -> dict[str, str]:
    lines = Path("/proc/self/status").read_text().splitlines()
    wanted = ("Uid", "Gid", "Groups", "CapEff", "CapPrm", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")
    pairs = (line.partition(":")[::2] for line in lines)
    return {name: value.strip() for name, value in pairs if name in wanted}


def connect(family: int, address: tuple[Any, ...]) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        probe.connect(address)


def ask_dns(server: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(2)
        probe.sendto(bytes.fromhex("1d1d01000001000000000000076578616d706c6503636f6d0000010001"), (server, 53))
        probe.recv(512)


def network() -> dict[str, str]:
    targets = json.loads((HERE / "targets.json").read_text())
    tried = {f"tcp {host}:{port}": attempt(lambda h=host, p=port: connect(socket.AF_INET, (h, p)))
             for host, port in targets["ipv4"]}  # fmt: skip
    tried |= {f"tcp6 {host}:{port}": attempt(lambda h=host, p=port: connect(socket.AF_INET6, (h, p, 0, 0)))
              for host, port in targets["ipv6"]}  # fmt: skip
    tried |= {f"dns {server}": attempt(lambda s=server: ask_dns(s)) for server in targets["dns"]}
    tried["resolve"] = attempt(lambda: socket.getaddrinfo("example.com", 443))
    tried["raw socket"] = attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP))
    tried["packet socket"] = attempt(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
    return tried


def files(top: str = "/") -> Iterator[Path]:
    for root, folders, names in os.walk(top):
        if root == "/":
            folders[:] = [name for name in folders if name != "sys"]
        if root == "/proc":
            folders[:] = [name for name in folders if name.isdigit()]
        yield from (Path(root) / name for name in names)


def content(path: Path) -> bytes:
    """Up to 64 MiB of a plain file; nothing of what cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return b""
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return b""
        return os.read(descriptor, 64 << 20)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def search() -> dict[str, Any]:
    """Every file that can be opened, searched for what the test planted and for the images' own names."""
    planted: dict[str, list[str]] = {}
    originals: list[str] = []
    count = 0
    for path in files():
        text = content(path)
        count += bool(text)
        for found in set(PLANTED.findall(text)):
            planted.setdefault(found.decode(), []).append(str(path))
        if ORIGINAL.search(text) or ORIGINAL.search(str(path).encode()):
            originals.append(str(path))
    return {"read": count, "planted": planted, "originals": originals}


def writable() -> list[str]:
    """Every folder in which a file can be made."""
    found = []
    for root, folders, _ in os.walk("/"):
        if root == "/":
            folders[:] = [name for name in folders if name not in {"proc", "sys"}]
        probe = Path(root) / ".probe"
        if attempt(probe.touch) == "done":
            found.append(root)
            probe.unlink()
    return sorted(found)


def overwrite() -> dict[str, str]:
    image = next(Path("/input/images").iterdir())
    places = {
        "an input image": image,
        "images.csv": Path("/input/images.csv"),
        "its own program": Path(__file__),
        "core_pattern": Path("/proc/sys/kernel/core_pattern"),
        "sysrq": Path("/proc/sysrq-trigger"),
        "release_agent": Path("/sys/fs/cgroup/memory/release_agent"),
        "memory limit": Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        "hosts": Path("/etc/hosts"),
        "passwd": Path("/etc/passwd"),
    }
    tried = {name: attempt(lambda p=path: os.close(os.open(p, os.O_WRONLY))) for name, path in places.items()}
    tried["remove an image"] = attempt(image.unlink)
    tried["make it writable"] = attempt(lambda: image.chmod(0o666))
    return tried


def system_calls() -> dict[str, str]:
    """Calls that would lead out of a container, with arguments that would fail for a privileged caller later."""
    outcome = {}
    for name, number in DENIED_CALLS.items():
        ctypes.set_errno(0)
        result = LIBC.syscall(number, 0, 0, 0, 0, 0)
        outcome[name] = "done" if result >= 0 else os.strerror(ctypes.get_errno())
    outcome["new user namespace"] = "done" if LIBC.unshare(0x10000000) == 0 else os.strerror(ctypes.get_errno())
    outcome["new mount namespace"] = "done" if LIBC.unshare(0x00020000) == 0 else os.strerror(ctypes.get_errno())
    outcome["tmpfs on /tmp"] = (
        "done" if LIBC.mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0 else os.strerror(ctypes.get_errno())
    )
    return outcome


def identity() -> dict[str, str]:
    tried = {
        name: attempt(lambda c=call: c(0)) for name, call in {"setuid": os.setuid, "setgid": os.setgid}.items()
    }
    tried["setgroups"] = attempt(lambda: os.setgroups([0]))
    tried["device"] = attempt(lambda: os.mknod("/tmp/disk", 0o600 | stat.S_IFBLK, os.makedev(254, 0)))
    ran = subprocess.run(["/set-user-id", "-u"], capture_output=True, text=True, check=False)
    tried["user of a set-user-id program"] = ran.stdout.strip()
    return tried


def processes() -> list[str]:
    """The programs of all processes that can be seen."""
    seen = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            seen.append((folder / "comm").read_text().strip())
    return sorted(seen)


def neighbours() -> dict[str, Any]:
    sockets = [path for path in ("/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock")
               if Path(path).exists()]  # fmt: skip
    abstract = [line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines()[1:] if "@" in line]
    return {
        "sockets": sockets,
        "abstract sockets": abstract,
        "interfaces": [name for _, name in socket.if_nameindex()],
        "routes": Path("/proc/net/route").read_text().splitlines()[1:],
        "mounts": Path("/proc/self/mountinfo").read_text().splitlines(),
        "block devices": [path.name for path in Path("/dev").iterdir() if stat.S_ISBLK(path.lstat().st_mode)],
        "environment": sorted(os.environ),
        "hostname": socket.gethostname(),
    }


def main() -> None:
    started = time.monotonic()
    steps = (status, network, search, writable, overwrite, system_calls, identity, processes, neighbours)
    report: dict[str, Any] = {step.__name__: step() for step in steps}
    report["seconds"] = time.monotonic() - started
    print(json.dumps(report))


if __name__ == "__main__":
    main()
