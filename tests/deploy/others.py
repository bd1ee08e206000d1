"""Other people's programs and packages, from the package index."""

import os
import subprocess
import sys
import venv

import pytest

ASK = "FIFTEEN_ASK_INDEX"
PIP = [sys.executable, "-m", "pip", "--quiet"]

on_request = pytest.mark.skipif(
    ASK not in os.environ, reason=f"{ASK} is not set: the other program was not installed"
)


def install(folder, *packages):
    """Install programs into an environment in a folder; return the folder of its commands."""
    venv.create(folder, symlinks=True)
    output_of(*PIP, "--python", folder / "bin" / "python", "install", *packages)
    return folder / "bin"


def install_beside(folder, *packages):
    """Install packages into a folder, for an import beside the packages of this environment."""
    output_of(*PIP, "install", "--target", folder, *packages)
    return folder


def output_of(*command, **options):
    """Run a command; return its output."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
