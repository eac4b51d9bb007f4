"""The one build step that pyproject.toml cannot express: submission_template/ travels inside the wheel.

`evalsvc init` copies it, so it has to be there after `pip install evalsvc`, not only in a checkout.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

TEMPLATE = "submission_template"


class BuildWithTemplate(build_py):
    """Copies the template into the package; an editable install finds it in the checkout."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib, "evalsvc", TEMPLATE)
            shutil.rmtree(target, ignore_errors=True)  # what an earlier build left
            shutil.copytree(TEMPLATE, target, ignore=shutil.ignore_patterns("__pycache__"))


setup(cmdclass={"build_py": BuildWithTemplate})
