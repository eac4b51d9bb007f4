"""Which refusals of the engine are the fault of the image, told by the engine's and the runtime's own words.

Only what is known is blamed on the image; all else (a missing GPU, a volume that is gone, words nobody has seen)
stays the platform's fault.  Both are free of charge; the difference is that an image's fault is not tried again.
"""

import re
from typing import Final

REGISTERS: Final = ("/etc/passwd", "/etc/group")
"""Files of the image that the engine itself opens before a start; a named pipe there would stop it for ever."""
UNFIT_REGISTERS: Final = "/etc/passwd or /etc/group of the image is not a plain file."

_CANNOT_MOUNT: Final = (
    r"(?:not a directory: unknown|is a directory: unknown|not of type|too many levels of symbolic links"
    r"|must be mounted on ordinary directory)"
)
_NO_FOLDER: Final = "In the image {0} is not an ordinary folder, and has to be one; remove it or make it one."
_FAULTS: Final = (
    (re.compile(r"no command specified", re.IGNORECASE), "The image has neither ENTRYPOINT nor CMD."),
    (
        re.compile(rf'to rootfs at "(/sbin/docker-init)".*{_CANNOT_MOUNT}', re.DOTALL),
        "The image has something at {0}, where the engine puts its own program; remove it.",
    ),
    (
        re.compile(rf'to rootfs at "(/[\w./-]{{1,100}})".*{_CANNOT_MOUNT}', re.DOTALL),
        _NO_FOLDER,
    ),
    (re.compile(r"merged(/[\w./-]{1,100}), flags: \w+: not a directory$"), _NO_FOLDER),
    (re.compile(r"too many links in /.*/merged(/[\w./-]{1,100})"), _NO_FOLDER),
    (re.compile(r"cannot mkdir: (/[\w./-]{1,100}) is not a directory", re.IGNORECASE), _NO_FOLDER),
    (re.compile(r"chdir to cwd"), "The WORKDIR of the image is not a folder that user 65532 may enter."),
    (
        re.compile(r"unable to find user 65532|/etc/(?:passwd|group): (?:is a directory|permission denied)"),
        UNFIT_REGISTERS,
    ),
    (
        re.compile(
            r'exec: ".*": (?:executable file not found|stat .*|permission denied|is a directory)|exec format'
        ),
        "The image's program, or a folder on the way to it, cannot be executed by user 65532.",
    ),
)

_TYPE_BITS: Final = 0x8F280000
"""Go's `os.ModeType`: none of these is set for a plain file."""


def image_fault(error: str) -> str | None:
    """One sentence for a participant when `error` is known to be the image's fault, else None."""
    for pattern, sentence in _FAULTS:
        if found := pattern.search(error):
            return sentence.format(*found.groups())
    return None


def is_plain_file(mode: int) -> bool:
    """Whether a mode in the engine's (Go's) notation is that of an ordinary file."""
    return mode & _TYPE_BITS == 0
