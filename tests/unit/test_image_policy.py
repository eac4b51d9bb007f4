"""Which images are refused, and that each refusal says what to do."""

from dataclasses import replace
from typing import Any

import pytest

from evalsvc.domain.errors import ImageRefused
from evalsvc.domain.image import ResolvedImage
from evalsvc.registry.image_policy import GIB, ImagePolicy, check_image

GOOD = ResolvedImage(
    reference="team/model:1",
    digest="sha256:" + "0" * 64,
    platform="linux/amd64",
    size=20 * GIB,
    command=("python", "/predict.py"),
    environment=("PATH=/usr/bin", "LANG=C.UTF-8", "NVIDIA_DRIVER_CAPABILITIES=compute,utility"),
    volumes=(),
)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"environment": ()},
        {"environment": ("LD_LIBRARY_PATH=", "NVIDIA_VISIBLE_DEVICES=", "NVIDIA_REQUIRE_CUDA=")},
        {
            "environment": (
                "OLD_PATH=/x",
                "WORLD=/x",
                "BUILD_LD_FLAGS=-s",
                "NV_CUDA_LIB_VERSION=12",
                "NVARCH=x86_64",
            )
        },
    ],
)
def test_an_image_within_the_rules_may_run(change: dict[str, Any]) -> None:
    check_image(replace(GOOD, **change), ImagePolicy())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"platform": "linux/arm64"},
            r"built for linux/arm64; build it with `docker build --platform linux/amd64`",
        ),
        ({"platform": "windows/amd64"}, r"built for windows/amd64"),
        ({"size": 20 * GIB + (1 << 29)}, r"takes 20\.5 GiB, more than the 20 GiB"),
        ({"command": ()}, r"neither ENTRYPOINT nor CMD; add one"),
        ({"command": ("", "")}, r"neither ENTRYPOINT nor CMD; add one"),
        ({"volumes": ("/cache", "/data")}, r"declares VOLUME /cache, /data; remove the VOLUME line"),
        ({"environment": ("LD_PRELOAD=/x.so",)}, r"sets LD_PRELOAD, .* end its Dockerfile with `ENV LD_PRELOAD=`"),
        ({"environment": ("ld_library_path=/x",)}, r"sets ld_library_path"),
        ({"environment": ("NVIDIA_VISIBLE_DEVICES=all",)}, r"sets NVIDIA_VISIBLE_DEVICES"),
        ({"environment": ("NVIDIA_REQUIRE_CUDA=cuda>=12.0",)}, r"sets NVIDIA_REQUIRE_CUDA"),
        ({"environment": ("NVIDIA_IMEX_CHANNELS=0",)}, r"sets NVIDIA_IMEX_CHANNELS"),
        ({"environment": ("NVIDIA_X=1", "LD_AUDIT=/x")}, r"`ENV LD_AUDIT= NVIDIA_X=`"),
    ],
)
def test_an_image_outside_them_is_refused_in_one_sentence(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ImageRefused, match=message) as refused:
        check_image(replace(GOOD, **change), ImagePolicy())
    text = str(refused.value)
    assert text.startswith("team/model:1 ")
    assert text.endswith(".")
    assert "\n" not in text


def test_the_limits_are_the_policy_s() -> None:
    check_image(replace(GOOD, platform="linux/arm64", size=3), ImagePolicy("linux/arm64", 3))
    with pytest.raises(ImageRefused):
        check_image(replace(GOOD, size=4), ImagePolicy(max_size=3))
