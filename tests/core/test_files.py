"""Files that users name: each way of being unreadable is one clear error."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from atlas_hpe.errors import InputError
from atlas_hpe.files import check_readable, read_bytes, sha256_of

READERS = [check_readable, read_bytes, sha256_of]


@pytest.mark.parametrize("read", READERS)
def test_a_missing_file(read: Any, tmp_path: Path) -> None:
    path = tmp_path / "no.onnx"
    with pytest.raises(InputError, match="the file does not exist") as caught:
        read(path)
    assert caught.value.where == str(path)
    assert caught.value.fix


@pytest.mark.parametrize("read", READERS)
def test_a_folder(read: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a file, found a folder"):
        read(tmp_path)


@pytest.mark.parametrize("read", READERS)
def test_a_device_that_never_ends(read: Any) -> None:
    with pytest.raises(InputError, match="a device or a pipe"):
        read(Path("/dev/zero"))


@pytest.mark.parametrize("read", READERS)
def test_a_file_without_permission(
    read: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The administrator may read everything, so the refusal is played.
    path = tmp_path / "secret"
    path.write_bytes(b"x")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match="the file can't be read") as caught:
        read(path)
    assert caught.value.why == "Permission denied"
    assert caught.value.where == str(path)


@pytest.mark.parametrize("read", READERS)
def test_a_disk_that_fails_while_it_is_read(
    read: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"x")
    opened = path.open("rb")

    class Broken:
        def __enter__(self) -> Broken:
            return self

        def __exit__(self, *_: object) -> None:
            opened.close()

        def read(self, *_: object) -> bytes:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "open", lambda *_, **__: Broken())
    if read is check_readable:
        assert read(path) == path  # opens only
        return
    with pytest.raises(InputError, match="the file can't be read") as caught:
        read(path)
    assert caught.value.why == "Input/output error"


@pytest.mark.parametrize("read", READERS)
def test_a_name_that_is_too_long(read: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the file can't be read"):
        read(tmp_path / ("x" * 5000))


def test_content_and_hash(tmp_path: Path) -> None:
    path = tmp_path / "data"
    content = bytes(range(256)) * 5000  # more than one chunk
    path.write_bytes(content)
    assert check_readable(str(path)) == path
    assert read_bytes(str(path)) == content
    assert sha256_of(path) == hashlib.sha256(content).hexdigest()
