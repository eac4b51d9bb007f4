"""What may be the name of an image, before anything asks an engine for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalsvc.domain.errors import ImageRefused, InputError
from evalsvc.domain.image import check_reference
from evalsvc.executors.docker_images import describe

DIGEST = "sha256:" + "0a" * 32


@pytest.mark.parametrize(
    "name",
    [
        "model", "model:1", "team/model:v1.0_rc-2", "a.b/c__d/e---f", "registry.example/python:3.11-slim",
        "localhost:5000/team/model:1", "[::1]:5000/model", "Registry.Example:443/model", f"model@{DIGEST}",
        f"host.example/team/model:1@{DIGEST}", DIGEST, "0a" * 6,
    ],
)  # fmt: skip
def test_names_and_ids(name: str) -> None:
    assert check_reference(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", "/", "../containers/x", "../distribution/127.0.0.1:5000/secret", "a/../b", "a/./b", "a//b",
        "/a", "a/", ".a", "a/.b", "-a", "a b", "a?x=1", "a#b", "a%2e%2e/b", "Model", "team/Model", "a:", "a:b:c",
        "a@sha256:12", "a@md5:" + "0" * 32, "http://a/b", "a\n", "a:1\n", "ä", "a:\u0663",
        "a\\..\\b", "x" * 600,
    ],
)  # fmt: skip
def test_anything_else_is_refused_in_a_sentence_that_shows_a_name(name: str) -> None:
    with pytest.raises(InputError, match=r"is not the name of an image; one looks like model:1"):
        check_reference(name)


@given(st.text(alphabet="a.:/@-_%?[]1A", max_size=30))
def test_no_name_leaves_its_place_in_a_path(name: str) -> None:
    try:
        check_reference(name)
    except InputError:
        return
    assert not {"", ".", ".."} & set(name.split("/"))
    assert not set(name) & set("%?#\\")


@pytest.mark.parametrize("missing", ["Id", "Os", "Architecture"])
def test_an_answer_that_does_not_say_what_an_image_is_built_for_is_refused(missing: str) -> None:
    known = {"Id": DIGEST, "Os": "linux", "Architecture": "amd64", "Size": 1}
    assert describe("model", known).platform == "linux/amd64"
    for wrong in ({**known, missing: ""}, {k: v for k, v in known.items() if k != missing}):
        with pytest.raises(ImageRefused, match="does not know what model is built for"):
            describe("model", wrong)


def test_an_entrypoint_of_one_empty_word_is_none() -> None:
    """The engine resets it, and then runs CMD."""
    known = {"Id": DIGEST, "Os": "linux", "Architecture": "amd64", "Size": 1}
    assert describe("m", {**known, "Config": {"Entrypoint": [""], "Cmd": ["run"]}}).command == ("run",)
    assert describe("m", {**known, "Config": {"Entrypoint": [""], "Cmd": []}}).command == ()
