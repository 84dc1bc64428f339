"""Reading files that users name, with one clear error for each way it can fail."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Union

from atlas_hpe.errors import InputError

__all__ = ["check_readable", "read_bytes", "sha256_of"]


def check_readable(path: Union[str, Path]) -> Path:
    """Make sure that a path names a file that can be read.

    Raises:
        InputError: Missing, not a regular file, or not readable.
    """
    path = Path(path)
    with _refusals_explained(path):
        if not path.exists():
            raise InputError(
                "the file does not exist", where=path, fix="check the spelling and the folder"
            )
        if path.is_dir():
            raise InputError("expected a file, found a folder", where=path, fix="name a file in it")
        if not path.is_file():
            # A device or a pipe may never end.
            raise InputError(
                "expected a file, found a device or a pipe", where=path, fix="save it to a file"
            )
        with path.open("rb"):
            return path


@contextmanager
def _refusals_explained(path: Path) -> Iterator[None]:
    """Turn a refusal by the system, or a disk that fails half-way, into the one clear error."""
    try:
        yield
    except OSError as error:
        raise InputError(
            "the file can't be read",
            where=path,
            why=error.strerror,
            fix="check the owner and the permissions of the file",
        ) from error


def read_bytes(path: Union[str, Path]) -> bytes:
    """The content of a file.

    Raises:
        InputError: Missing, not a regular file, or not readable.
    """
    path = check_readable(path)
    with _refusals_explained(path):
        return path.read_bytes()


def sha256_of(path: Union[str, Path]) -> str:
    """The SHA-256 of a file, hexadecimal.

    Raises:
        InputError: Missing, not a regular file, or not readable.
    """
    digest = hashlib.sha256()
    path = check_readable(path)
    with _refusals_explained(path), path.open("rb") as stream:
        for chunk in iter(lambda: stream.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()
