import numpy as np
import pytest

from training.files import write_atomically


@pytest.mark.parametrize(
    ("content", "expected"),
    [("grün", "grün".encode()), (b"\x00\x01", b"\x00\x01"), (lambda f: f.write(b"x"), b"x")],
)
def test_content_is_written_into_a_new_folder(tmp_path, content, expected):
    path = tmp_path / "new" / "file"
    write_atomically(path, content)
    assert path.read_bytes() == expected
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_keeps_the_old_file_and_leaves_no_other(tmp_path):
    path = tmp_path / "file.npy"
    np.save(path, np.ones(3))
    before = path.read_bytes()

    def fail(file):
        file.write(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, fail)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
