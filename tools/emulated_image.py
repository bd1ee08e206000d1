"""Builds the image for arm64 and starts it, on this machine, through QEMU.

Needs Debian's mmdebstrap, buildah and qemu-user-static, root, and the package index. Where no
systemd tells the kernel of QEMU, mount binfmt_misc and write
``/usr/lib/binfmt.d/qemu-aarch64.conf`` into its ``register``.

A Debian root with Python takes the place of the base image. Both images stay in buildah's store; a
second build takes the steps that did not change from there.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.emulated import SUITE, Core
from tools.server import ROOT

TOOLS = ("mmdebstrap", "buildah", "unshare", "chroot")
HANDLER = Path("/proc/sys/fs/binfmt_misc/qemu-aarch64")
"""Is there when the kernel starts programs for arm64 with QEMU."""
BASE, IMAGE = "localhost/fifteen-base:arm64", "localhost/fifteen:arm64"
PACKAGES = "python3,python3-venv,python3-pip,ca-certificates"
# The command `python`, and a pip that may install.
LIKE_THE_BASE = (
    'ln -s python3 "$1/usr/bin/python"',
    'rm "$1"/usr/lib/python3*/EXTERNALLY-MANAGED',
)
CERTIFICATES = "/etc/ssl/certs:/etc/ssl/certs:ro"
IN_ITS_ROOT = """
root=$1 cpuinfo=$2 user=$3
shift 3
for each in proc sys dev; do mount --rbind /$each "$root/$each"; done
mount --bind "$cpuinfo" "$root/proc/cpuinfo"
exec chroot --userspec="$user" "$root" env -i "$@"
"""


def missing() -> list[str]:
    """Return what is needed and not on this machine."""
    found = [name for name in TOOLS if not shutil.which(name)]
    found += [] if HANDLER.exists() else ["QEMU for arm64 in the kernel's binfmt_misc"]
    return found + ([] if os.geteuid() == 0 else ["root"])


def build() -> None:
    """Build the image of the Dockerfile for arm64."""
    if _buildah("images", "--quiet", "--filter", f"reference={BASE}") == "":
        _build_base()
    options = ["--layers", "--arch", "arm64", "--build-arg", f"BASE_IMAGE={BASE}"]
    _buildah("bud", *options, "--volume", CERTIFICATES, "--tag", IMAGE, os.fspath(ROOT))


def _build_base() -> None:
    """Build an image of Debian's root with Python."""
    options = ["--quiet", "--arch=arm64", "--variant=minbase", f"--include={PACKAGES}"]
    options += [f"--customize-hook={hook}" for hook in LIKE_THE_BASE]
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "root.tar"
        subprocess.run(["mmdebstrap", *options, SUITE, archive], check=True)
        dockerfile = Path(folder) / "Dockerfile"
        dockerfile.write_text(f"FROM scratch\nADD {archive.name} /\n")
        _buildah("bud", "--arch", "arm64", "--tag", BASE, folder)


@contextmanager
def mounted() -> Iterator[Path]:
    """Give the folder in which the image's files are, until it is no longer needed."""
    container = _buildah("from", "--arch", "arm64", IMAGE)
    try:
        yield Path(_buildah("mount", container))
    finally:
        _buildah("rm", container)


def command(root: Path, core: Core, cpuinfo: Path) -> list[str]:
    """Return the image's own command, as its user, with a core's description in a file."""
    cpuinfo.write_text(core.description())
    image = json.loads(_buildah("inspect", "--type", "image", IMAGE))["OCIv1"]["config"]
    under = ["unshare", "--mount", "sh", "-ec", IN_ITS_ROOT, "sh"]
    places = [os.fspath(root), os.fspath(cpuinfo), image["User"]]
    return [*under, *places, *image["Env"], f"QEMU_CPU={core.name}", *image["Cmd"]]


def _buildah(*words: str) -> str:
    """Return what buildah answers; it needs no container engine."""
    environment = os.environ | {"STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}
    done = subprocess.run(
        ["buildah", *words], check=True, stdout=subprocess.PIPE, text=True, env=environment
    )
    return done.stdout.strip()
