"""TypeScript, where it is installed, checks the types in the client's comments."""

import shutil
import subprocess

import pytest

from service.web.routes.frontend import FOLDER


def test_the_types_hold():
    compiler = shutil.which("tsc")
    if not compiler:
        pytest.skip("tsc is not installed: the types of the client's modules were not checked")
    command = [compiler, "--project", FOLDER.parent / "tsconfig.json"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stdout
