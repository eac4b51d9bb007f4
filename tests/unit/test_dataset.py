"""Manifests and seals: one text per content, read back strictly, and another version for any change."""

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalsvc.domain.dataset import Manifest, ManifestImage, Seal, Split, choose_sample, is_image_name
from evalsvc.domain.errors import DatasetError

DIGEST = "0123456789abcdef" * 4
OTHER = "f" * 64

names = st.from_regex(r"[a-z0-9_]{1,12}\.png", fullmatch=True)
digests = st.binary(max_size=4).map(lambda data: hashlib.sha256(data).hexdigest())
images = st.builds(
    ManifestImage,
    path=st.builds(lambda split, name: f"{split}/{name}", st.sampled_from(["test", "private"]), names),
    sha256=digests,
    size=st.integers(1, 10**9),
)
manifests = st.lists(images, max_size=8, unique_by=lambda image: image.path).map(
    lambda found: Manifest(tuple(found))
)
labels = st.dictionaries(st.sampled_from(["CSAW-M_test.csv", "CSAW-M_test_private.csv"]), digests)
seals = st.builds(Seal, images=manifests, sample=manifests, labels=labels, synthetic=st.booleans())


def by_path(manifest: Manifest) -> list[ManifestImage]:
    return sorted(manifest.images, key=lambda image: image.path)


@given(manifests)
def test_a_manifest_is_read_back(manifest: Manifest) -> None:
    assert list(Manifest.from_json(manifest.to_json()).images) == by_path(manifest)


@given(manifests, st.randoms())
def test_the_order_of_the_images_does_not_show_in_the_text(manifest: Manifest, random: Any) -> None:
    shuffled = list(manifest.images)
    random.shuffle(shuffled)
    assert Manifest(tuple(shuffled)).to_json() == manifest.to_json()


def test_the_text_is_what_the_stage_step_reads() -> None:
    manifest = Manifest(
        (ManifestImage("test/test_2.png", OTHER, 9), ManifestImage("private/private_1.png", DIGEST, 7))
    )
    assert json.loads(manifest.to_json()) == {
        "images": [
            {"path": "private/private_1.png", "sha256": DIGEST, "size": 7},
            {"path": "test/test_2.png", "sha256": OTHER, "size": 9},
        ]
    }


def image_values(**changes: Any) -> dict[str, Any]:
    return {"path": "test/test_1.png", "sha256": DIGEST, "size": 7, **changes}


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ([], "not an object"),
        ({"images": [], "label": 1}, "exactly images"),
        ({}, "exactly images"),
        ({"images": {}}, "not a list"),
        ({"images": [{**image_values(), "level": 3}]}, "exactly path, sha256, size"),
        ({"images": [{"path": "test/a.png"}]}, "exactly path, sha256, size"),
        ({"images": [image_values(path=3)]}, "path 3 is not"),
        ({"images": [image_values(path="a.png")]}, "is not <split>/<filename>"),
        ({"images": [image_values(path="/etc/a.png")]}, "is not <split>/<filename>"),
        ({"images": [image_values(path="test/../a.png")]}, "is not <split>/<filename>"),
        ({"images": [image_values(path="../a.png")]}, "is not <split>/<filename>"),
        ({"images": [image_values(path="test/a.jpg")]}, "is not <split>/<filename>"),
        ({"images": [image_values(path="test/a.png\n")]}, "is not <split>/<filename>"),
        ({"images": [image_values(sha256=DIGEST.upper())]}, "64 hexadecimal digits"),
        ({"images": [image_values(sha256=DIGEST[1:])]}, "64 hexadecimal digits"),
        ({"images": [image_values(sha256=None)]}, "64 hexadecimal digits"),
        ({"images": [image_values(size=0)]}, "not a number of bytes"),
        ({"images": [image_values(size=True)]}, "not a number of bytes"),
        ({"images": [image_values(size=7.0)]}, "not a number of bytes"),
        ({"images": [image_values(), image_values(size=8)]}, "test/test_1.png twice"),
    ],
)
def test_any_other_manifest_is_refused(values: Any, problem: str) -> None:
    with pytest.raises(DatasetError, match=problem):
        Manifest.from_json(json.dumps(values))


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000])
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(DatasetError, match="not JSON"):
        Manifest.from_json(text)


@given(seals)
def test_a_seal_is_read_back_with_its_version(seal: Seal) -> None:
    again = Seal.from_json(seal.to_json())
    assert (by_path(again.images), by_path(again.sample)) == (by_path(seal.images), by_path(seal.sample))
    assert (again.labels, again.synthetic, again.version) == (seal.labels, seal.synthetic, seal.version)


@given(seals)
def test_the_version_is_the_hash_of_the_text(seal: Seal) -> None:
    assert seal.version == hashlib.sha256(seal.to_json().encode()).hexdigest()


SEAL = Seal(
    images=Manifest(
        (ManifestImage("test/test_1.png", DIGEST, 7), ManifestImage("private/private_1.png", DIGEST, 7))
    ),
    sample=Manifest((ManifestImage("sample/test_1.png", DIGEST, 7),)),
    labels={"CSAW-M_test.csv": DIGEST},
    synthetic=False,
)


@pytest.mark.parametrize(
    "changed",
    [
        replace(SEAL, images=Manifest(SEAL.images.images[:1])),
        replace(SEAL, images=Manifest((replace(SEAL.images.images[0], sha256=OTHER), SEAL.images.images[1]))),
        replace(SEAL, images=Manifest((replace(SEAL.images.images[0], size=8), SEAL.images.images[1]))),
        replace(SEAL, sample=Manifest(())),
        replace(SEAL, labels={"CSAW-M_test.csv": OTHER}),
        replace(SEAL, labels={}),
        replace(SEAL, synthetic=True),
    ],
)
def test_a_change_of_any_part_is_another_version(changed: Seal) -> None:
    assert changed.version != SEAL.version


def test_a_seal_names_every_file() -> None:
    files = SEAL.files()
    assert files["labels/CSAW-M_test.csv"] == files["images/private/private_1.png"] == DIGEST
    assert files["sample/manifest.json"] == hashlib.sha256(SEAL.sample.to_json().encode()).hexdigest()
    assert len(files) == 6
    assert SEAL.counts == {"private": 1, "test": 1}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"labels": []}, "labels are not SHA-256"),
        ({"labels": {"a.csv": "3"}}, "labels are not SHA-256"),
        ({"synthetic": 1}, "whether the data set is synthetic"),
        ({"sample": None}, "not a list"),
        ({"version": "1"}, "exactly images, labels, sample, synthetic"),
    ],
)
def test_any_other_seal_is_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(DatasetError, match=problem):
        Seal.from_json(json.dumps({**json.loads(SEAL.to_json()), **changes}))


@given(st.dictionaries(names, st.integers(1, 8), max_size=60))
def test_a_sample_is_spread_over_the_levels_as_evenly_as_it_can_be(levels: dict[str, int]) -> None:
    sample = choose_sample(levels)
    assert len(sample) == len(set(sample)) == min(8, len(levels))
    chosen = {level: sum(levels[name] == level for name in sample) for level in levels.values()}
    for level, count in chosen.items():
        exhausted = count == list(levels.values()).count(level)
        assert exhausted or count >= max(chosen.values()) - 1
    assert choose_sample(dict(reversed(levels.items()))) == sample


@pytest.mark.parametrize("name", ["test_1.png", "1.png", "a.b-c_D.png"])
def test_plain_names(name: str) -> None:
    assert is_image_name(name)


@pytest.mark.parametrize(
    "name",
    ["", ".png", "-a.png", ".a.png", "a/b.png", "a b.png", "ä.png", "a.PNG", "a.png\n", "a;b.png", "a.png.gz"],
)
def test_names_that_are_not_plain(name: str) -> None:
    assert not is_image_name(name)


def test_the_label_file_of_each_split() -> None:
    assert {split.value: split.label_file for split in Split} == {
        "train": "CSAW-M_train.csv",
        "test": "CSAW-M_test.csv",
        "private": "CSAW-M_test_private.csv",
        "sample": "CSAW-M_test.csv",
    }
