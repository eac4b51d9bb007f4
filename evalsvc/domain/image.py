"""What is known of a submission's image before it runs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ResolvedImage:
    """`digest` is what will run, whatever `reference` points to later; `size` in bytes."""

    reference: str
    digest: str
    platform: str
    size: int
    command: tuple[str, ...]
    environment: tuple[str, ...]
    volumes: tuple[str, ...]
