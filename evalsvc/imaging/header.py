"""What the preprocessing needs to know of an original beside its pixels."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Header:
    """What a DICOM header says, as far as it says it."""

    laterality: str | None = None
    window_center: float | None = None
    window_width: float | None = None
    photometric_interpretation: str | None = None
