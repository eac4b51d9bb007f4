"""The proof that nothing can be reached, tried where something can."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from evalsvc.pod.netcheck import Target, answers, interfaces_up, parse_target, reachable, wait_until_offline


@contextmanager
def listener(kind: socket.SocketKind = socket.SOCK_STREAM) -> Iterator[Target]:
    with socket.socket(socket.AF_INET, kind) as server:
        server.bind(("127.0.0.1", 0))
        if kind is socket.SOCK_STREAM:
            server.listen()
        yield Target("127.0.0.1", server.getsockname()[1], kind is socket.SOCK_DGRAM)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("192.0.2.1:80", Target("192.0.2.1", 80)),
        ("192.0.2.1:53/udp", Target("192.0.2.1", 53, udp=True)),
        ("[2001:db8::1]:443", Target("2001:db8::1", 443)),
        ("example.com:443", Target("example.com", 443)),
    ],
)
def test_targets_are_read_and_written_the_same(text: str, target: Target) -> None:
    assert parse_target(text) == target
    assert str(target) == text


@pytest.mark.parametrize(
    "text", ["", "host", ":80", "host:", "host:0", "host:65536", "host:x", "host:80/tcp", "[x]:1"]
)
def test_anything_else_is_no_target(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_target(text)


def test_a_listener_answers() -> None:
    with listener() as target:
        assert answers(target)
        assert reachable([target], loopback_only=False) == (str(target),)


def test_a_refused_connection_is_an_answer() -> None:
    with listener() as target:
        pass
    assert answers(target)


def test_silence_is_no_answer() -> None:
    with listener(socket.SOCK_DGRAM) as target:
        assert not answers(target, timeout=0.1)


def test_a_dns_server_answers() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def reply() -> None:
            query, client = server.recvfrom(512)
            server.sendto(query, client)

        replying = threading.Thread(target=reply)
        replying.start()
        assert answers(Target("127.0.0.1", server.getsockname()[1], udp=True))
        replying.join()


def test_a_name_that_nobody_resolves_is_no_answer() -> None:
    assert not answers(Target("name.invalid", 80))


def test_interfaces_are_those_of_the_system() -> None:
    up = set(interfaces_up())
    assert "lo" not in up
    assert up <= {name for _, name in socket.if_nameindex()}


def test_patience_waits_for_silence() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        stop = time.monotonic() + 0.5

        def reply_for_a_while() -> None:
            server.settimeout(1.5)
            while time.monotonic() < stop:
                query, client = server.recvfrom(512)
                server.sendto(query, client)

        replying = threading.Thread(target=reply_for_a_while)
        replying.start()
        target = Target("127.0.0.1", server.getsockname()[1], udp=True)
        assert wait_until_offline([target], loopback_only=False, patience=0.0) == (str(target),)
        assert wait_until_offline([target], loopback_only=False, patience=10.0) == ()
        replying.join()
