"""No error of ours is without an exit code and an HTTP status, and none loses its meaning on the wire."""

import pytest

from evalsvc import client
from evalsvc.api.errors import HTTP_STATUSES, http_status
from evalsvc.cli.errors import EXIT_CODES, exit_code
from evalsvc.domain import errors

CLASSES = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, errors.EvalsvcError)]


def bare(cls: type[errors.EvalsvcError]) -> errors.EvalsvcError:
    return cls.__new__(cls)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_each_error_has_an_exit_code_and_a_status(cls: type[errors.EvalsvcError]) -> None:
    assert exit_code(bare(cls)) not in {0, 2}
    assert http_status(bare(cls)) >= 400


def test_only_the_root_itself_falls_to_the_root() -> None:
    direct = set(errors.EvalsvcError.__subclasses__())
    assert direct <= set(EXIT_CODES)
    assert direct <= set(HTTP_STATUSES)


def test_codes_are_unique() -> None:
    codes = [cls.code for cls in CLASSES]
    assert len(codes) == len(set(codes))


def test_what_a_route_raises_arrives_as_what_it_was() -> None:
    """Every class that crosses the wire by its own code comes back as that class."""
    for code, cls in client._ERRORS.items():
        assert cls.code == code
        assert str(cls("a sentence.")) == "a sentence."
