"""Proves from inside a network namespace that nothing can be reached from it.

The submission gets the very namespace this runs in.  Anything that answers counts as reachable, a refused
connection too: a refusal comes from somewhere.
"""

import fcntl
import ipaddress
import socket
import struct
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

_SIOCGIFFLAGS = 0x8913
_IFF_UP = 0x1
_DNS_QUERY = bytes.fromhex("1d1d01000001000000000000") + b"\x07example\x03com\x00\x00\x01\x00\x01"


@dataclass(frozen=True)
class Target:
    """Somewhere that must not answer: `host:port` (TCP), or `host:port/udp` (a DNS server)."""

    host: str
    port: int
    udp: bool = False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}{'/udp' if self.udp else ''}"


def parse_target(text: str) -> Target:
    """`192.0.2.1:80`, `[2001:db8::1]:53/udp`, `example.com:443`.  Raises ValueError for anything else."""
    address, slash, protocol = text.partition("/")
    host, colon, port = address.rpartition(":")
    if not host or not colon or not port.isdigit() or not 0 < int(port) < 65536 or (slash and protocol != "udp"):
        raise ValueError(f"{text!r} is not HOST:PORT or HOST:PORT/udp")
    if host.startswith("[") and host.endswith("]"):
        host = str(ipaddress.IPv6Address(host[1:-1]))
    return Target(host, int(port), protocol == "udp")


def interfaces_up() -> tuple[str, ...]:
    """The interfaces other than loopback that are up in this network namespace."""
    names = [line.split(":")[0].strip() for line in Path("/proc/net/dev").read_text().splitlines()[2:]]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        return tuple(name for name in names if name != "lo" and _is_up(probe, name))


def _is_up(probe: socket.socket, name: str) -> bool:
    request = struct.pack("16sH14x", name.encode()[:15], 0)
    flags: int = struct.unpack_from("H", fcntl.ioctl(probe, _SIOCGIFFLAGS, request), 16)[0]
    return bool(flags & _IFF_UP)


def answers(target: Target, timeout: float = 1.0) -> bool:
    """Whether anything at all comes back from `target` within `timeout` seconds."""
    kind = socket.SOCK_DGRAM if target.udp else socket.SOCK_STREAM
    try:
        family, _, _, _, address = socket.getaddrinfo(target.host, target.port, type=kind)[0]
        with socket.socket(family, kind) as probe:
            probe.settimeout(timeout)
            probe.connect(address)
            if target.udp:
                probe.send(_DNS_QUERY)
                probe.recv(512)
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return True


def reachable(targets: Sequence[Target], loopback_only: bool) -> tuple[str, ...]:
    """What can be reached now: interfaces that are up (if none may be) and targets that answer."""
    found = [f"interface {name}" for name in interfaces_up()] if loopback_only else []
    if targets:
        with ThreadPoolExecutor(max_workers=min(16, len(targets))) as pool:
            found += [str(target) for target, hit in zip(targets, pool.map(answers, targets), strict=True) if hit]
    return tuple(found)


def wait_until_offline(targets: Sequence[Target], loopback_only: bool, patience: float) -> tuple[str, ...]:
    """Ask until nothing answers or `patience` seconds are over; what still answers then (empty: offline).

    Patience is for a cluster, where a network policy may bind a moment after the pod has started.
    """
    deadline = time.monotonic() + patience
    while (found := reachable(targets, loopback_only)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return found
