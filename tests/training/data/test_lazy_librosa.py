"""Only one process at a time compiles librosa."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from filelock import FileLock

from training.data.lazy_librosa import COMPILED, LOCK

ROOT = Path(__file__).parents[3]


def test_the_list_of_compiled_modules_is_complete():
    """A new release may have another one."""
    folder = Path(find_spec("librosa").origin).parent  # an import would compile
    found = {
        ".".join(path.relative_to(folder.parent).with_suffix("").parts)
        for path in folder.rglob("*.py")
        if "guvectorize(" in path.read_text()
    }
    assert found == set(COMPILED)


@pytest.mark.slow
def test_a_process_waits_for_the_one_that_compiles():
    code = "from training.data.lazy_librosa import librosa; librosa.beat"
    command = [sys.executable, "-c", code]
    with FileLock(LOCK):
        process = subprocess.Popen(command, cwd=ROOT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(10)  # without the lock it takes less
    assert process.wait(120) == 0
