"""A submission that looks everywhere; the last line it prints is what it found.

The words it searches for are put together here, so that it does not find itself.
"""

import contextlib
import csv
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

LABEL_WORDS = [b"If_" + b"composite", b"Libra_" + b"percent_density", b"Exp" + b"ert_1"]
PLACES = [
    ("169.254.169.254", 80),
    ("172.17.0.1", 22),
    ("172.17.0.1", 2375),
    ("10.96.0.1", 443),
    ("192.0.2.1", 53),
    ("2001:db8::1", 53),
]
MOST = 32 << 20
MAMMOGRAM = b"IHDR" + (512).to_bytes(4, "big") + (632).to_bytes(4, "big")


def readable_files() -> Iterator[Path]:
    for folder, folders, names in os.walk("/"):
        if folder == "/":
            folders[:] = [name for name in folders if name not in {"proc", "sys"}]
        for name in names:
            path = Path(folder, name)
            if path.is_file() and os.access(path, os.R_OK):
                yield path


def reached() -> list[object]:
    found: list[object] = []
    for place in PLACES:
        try:
            socket.create_connection(place, timeout=1).close()
            found.append(place)
        except OSError:
            continue
    with contextlib.suppress(OSError):
        found.append(socket.gethostbyname("example.com"))
    return found


def written() -> list[str]:
    found = []
    for folder in ("/", "/etc", "/input", "/input/images", "/usr/bin", "/root", "/home", "/var/tmp", "/run"):
        try:
            Path(folder, "mark").write_text("x")
            found.append(folder)
        except OSError:
            continue
    return found


with Path("/input/images.csv").open() as listing:
    names = [row["Filename"] for row in csv.DictReader(listing)]
rows = [f"{name},{Path('/input/images', name).stat().st_size}" for name in names]
Path("/output/predictions.csv").write_text("\n".join(["Filename,Score", *rows]) + "\n")

files = list(readable_files())
staged = {f"/input/images/{name}" for name in names}
label_files, other_images = [], []
for path in files:
    with path.open("rb") as file:
        data = file.read(MOST)
    if any(word in data for word in LABEL_WORDS):
        label_files.append(str(path))
    if data[12:24] == MAMMOGRAM and str(path) not in staged:
        other_images.append(str(path))
print(
    json.dumps(
        {
            "images": len(names),
            "files": len(files),
            "reached": reached(),
            "written": written(),
            "label_files": label_files,
            "telling_names": [str(p) for p in files if p.name.startswith(("private_", "train_", "CSAW"))],
            "other_images": other_images,
            "sockets": [str(p) for p in Path("/").rglob("*.sock") if p.is_socket()],
            "environment": sorted(name for name in os.environ if "EVALSVC" in name or "TOKEN" in name),
        }
    )
)
