"""Runs the service's wheel with an arm64 Python, on this machine, through QEMU.

Needs Debian's mmdebstrap and qemu-user, root, and the package index.
"""

import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tools.server import ROOT

TOOLS = ("mmdebstrap", "qemu-aarch64")
SUITE, PYTHON = "bookworm", "3.11"
LIBRARIES = "python3-minimal,libpython3-stdlib,libstdc++6,libssl3,zlib1g"
SOURCE = ("pyproject.toml", "README.md", "LICENSE", "service", "mobile_client")
PLATFORMS = [f"manylinux_2_{minor}_aarch64" for minor in range(17, 37)]
PIP = [sys.executable, "-m", "pip", "--quiet"]
PROCESSORS = 4


@dataclass(frozen=True)
class Core:
    """A core that QEMU knows, as the kernel of a Raspberry Pi describes it."""

    name: str
    part: str
    features: str

    def description(self) -> str:
        """Return what ``/proc/cpuinfo`` says; ONNX Runtime reads it, and crashes without it."""
        one = (
            f"Features\t: {self.features}\nCPU implementer\t: 0x41\nCPU architecture: 8\n"
            f"CPU variant\t: 0x0\nCPU part\t: {self.part}\nCPU revision\t: 3\n\n"
        )
        return "".join(f"processor\t: {number}\n{one}" for number in range(PROCESSORS))


A53 = Core("cortex-a53", "0xd03", "fp asimd evtstrm crc32 cpuid")
A72 = Core("cortex-a72", "0xd08", "fp asimd evtstrm crc32 cpuid")
A76 = Core("cortex-a76", "0xd0b", "fp asimd evtstrm crc32 atomics fphp asimdhp cpuid asimddp")


def missing(*more: str) -> list[str]:
    """Return the programs that are needed and not on this machine."""
    return [name for name in (*TOOLS, *more) if not shutil.which(name)]


def install(folder: Path) -> None:
    """Write Debian's Python for arm64, the wheel and its dependencies into a folder."""
    options = ["--quiet", "--arch=arm64", "--variant=extract", f"--include={LIBRARIES}"]
    subprocess.run(["mmdebstrap", *options, SUITE, folder / "root"], check=True)
    (folder / "root" / "proc").mkdir()
    processors = folder / "root" / "sys" / "devices" / "system" / "cpu"
    processors.mkdir(parents=True)
    for name in ("possible", "present"):
        (processors / name).write_text(f"0-{PROCESSORS - 1}\n")
    for wheel in _wheels(folder):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder / "site")


def _wheels(folder: Path) -> list[Path]:
    """Build the wheel, fetch those of its dependencies for arm64, and return them all."""
    source, wheels = folder / "source", folder / "wheels"
    for name in SOURCE:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        source.mkdir(exist_ok=True)
        copy(ROOT / name, source / name)
    build = [*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, source]
    subprocess.run(build, check=True)
    options = ["--dest", wheels, "--only-binary=:all:", "--python-version", PYTHON]
    options += ["--constraint", ROOT / "constraints.txt"]
    options += [word for platform in PLATFORMS for word in ("--platform", platform)]
    service = list(wheels.glob("fifteen-*.whl"))
    subprocess.run([*PIP, "download", *options, *service], check=True)
    return list(wheels.glob("*.whl"))


def python(folder: Path, core: Core, *options: str) -> list[str]:
    """Return the command of that Python on a core, with more options of QEMU."""
    root = folder / "root"
    (root / "proc" / "cpuinfo").write_text(core.description())
    variables = {
        "PYTHONHOME": root / "usr",
        "PYTHONPATH": folder / "site",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    setting = [word for name, value in variables.items() for word in ("-E", f"{name}={value}")]
    program = root / "usr" / "bin" / f"python{PYTHON}"
    command = ["qemu-aarch64", "-cpu", core.name, "-L", root, *setting, *options, program]
    return [os.fspath(word) for word in command]
