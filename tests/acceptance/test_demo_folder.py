"""The demo removes nothing that is not its own."""

import os
import subprocess
import sys
from pathlib import Path

EVALSVC = str(Path(sys.executable).with_name("evalsvc"))


def test_a_folder_of_somebody_elses_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "service").mkdir()
    (tmp_path / "service" / "code.py").write_text("mine")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("EVALSVC_")}
    command = [EVALSVC, "demo", "--dir", str(tmp_path)]
    result = subprocess.run(command, env=clean, capture_output=True, text=True, timeout=60)
    assert result.returncode == 6
    assert "is not the demo's" in result.stderr
    assert (tmp_path / "service" / "code.py").read_text() == "mine"
