"""Which images may run: decided from what is known of one before it runs, so that no time is lost on it.

The reasons, each a way out of the limits that hold a running submission:

* A declared volume would be a folder on the host that no limit counts.
* `LD_*` and `NVIDIA_*` variables reach the privileged hook that sets up the GPU, outside the container
  (CVE-2025-23266).  `NVIDIA_DRIVER_CAPABILITIES` alone is harmless and useful.  The official CUDA images do set
  others, and a Dockerfile cannot unset a variable; so one that is set to nothing passes, which any Dockerfile can
  do in one line.  Names are compared without regard to case.
"""

from dataclasses import dataclass
from typing import Final

from evalsvc.domain.errors import ImageRefused
from evalsvc.domain.image import ResolvedImage

GIB: Final = 1 << 30
_PREFIXES: Final = ("LD_", "NVIDIA_")
_HARMLESS: Final = frozenset({"NVIDIA_DRIVER_CAPABILITIES"})


@dataclass(frozen=True)
class ImagePolicy:
    """`max_size` in bytes, unpacked."""

    platform: str = "linux/amd64"
    max_size: int = 20 * GIB


def check_image(image: ResolvedImage, policy: ImagePolicy) -> None:
    """Raise `ImageRefused` with one sentence for the first rule that `image` breaks."""
    if image.platform != policy.platform:
        raise ImageRefused(
            f"{image.reference} is built for {image.platform}; build it with "
            f"`docker build --platform {policy.platform}`."
        )
    if image.size > policy.max_size:
        raise ImageRefused(
            f"{image.reference} takes {image.size / GIB:.1f} GiB, more than the {policy.max_size / GIB:g} GiB an "
            "image may have; leave out what it does not need (package caches, compilers, training data)."
        )
    if not any(image.command):
        raise ImageRefused(
            f"{image.reference} has neither ENTRYPOINT nor CMD; add one, such as "
            'ENTRYPOINT ["python", "/predict.py"].'
        )
    if image.volumes:
        raise ImageRefused(
            f"{image.reference} declares VOLUME {', '.join(image.volumes)}; remove the VOLUME line (also from its "
            "base image): /output and /tmp are the places to write to."
        )
    if refused := refused_variables(image.environment):
        empty = " ".join(f"{name}=" for name in refused)
        raise ImageRefused(
            f"{image.reference} sets {', '.join(refused)}, which would reach the host's GPU setup; end its "
            f"Dockerfile with `ENV {empty}` (no value), and name library folders in /etc/ld.so.conf.d instead."
        )


def refused_variables(environment: tuple[str, ...]) -> list[str]:
    """The names, sorted, of variables (`NAME=value`) that may not have a value in a submission's image."""
    pairs = (variable.partition("=") for variable in environment)
    return sorted(
        name
        for name, _, value in pairs
        if value and name.upper().startswith(_PREFIXES) and name.upper() not in _HARMLESS
    )
