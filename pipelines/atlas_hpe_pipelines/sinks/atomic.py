"""A file that appears under its name only when it is whole."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import BinaryIO, Optional

from atlas_hpe.errors import OutputError

__all__ = ["AtomicFile", "exists_error"]

# A file name holds 255 bytes, a character of UTF-8 up to four: the stem of the temporary name is
# cut so that the prefix, the random part and the suffix always fit.
_STEM_CHARS = 40


class AtomicFile:
    """A hidden temporary file beside the target, renamed to it at the end.

    The temporary name keeps the suffix of the target, because encoders choose their format by it.

    Args:
        path: The final name. A symbolic link is followed: the file it names is replaced.
        force: Replace a file that exists.

    Attributes:
        temporary: Where the data goes until ``publish``.

    Raises:
        OutputError: The target exists and ``force`` is false, or the folder refuses a new file.
    """

    def __init__(self, path: Path, *, force: bool) -> None:
        self._shown = path
        self._target = Path(os.path.realpath(str(path)))
        self._force = force
        self._stream: Optional[BinaryIO] = None
        self._refuse_existing()
        token = secrets.token_hex(4)
        name = f".{self._target.stem[:_STEM_CHARS]}.{token}.part{self._target.suffix}"
        self.temporary = self._target.with_name(name)
        try:
            # "x" and not mkstemp: the file gets the permissions of the user's umask.
            self._stream = self.temporary.open("xb")
        except OSError as cause:
            raise OutputError(
                "the output folder refuses a new file",
                where=self._target.parent,
                why=cause.strerror or str(cause),
                fix="choose another folder with --out",
            ) from cause

    def write(self, data: bytes) -> None:
        """Appends bytes to the temporary file."""
        if self._stream is None:
            raise ValueError("write() after publish() or discard()")
        self._stream.write(data)

    def publish(self) -> None:
        """Closes the temporary file and gives it its final name.

        Raises:
            OutputError: The target appeared meanwhile and ``force`` is false.
            OSError: The disk refuses.
        """
        self._close()
        self._refuse_existing()
        self.temporary.replace(self._target)

    def discard(self) -> None:
        """Removes the temporary file; does nothing when there is none."""
        try:
            self._close()
        except OSError:
            # A full disk fails the last flush; the bytes are not wanted any more.
            self._stream = None
        try:
            self.temporary.unlink()
        except FileNotFoundError:
            return

    def _close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _refuse_existing(self) -> None:
        if not self._force and self._target.exists():
            raise exists_error(self._shown)


def exists_error(path: Path) -> OutputError:
    """The error for a target that exists and must not be replaced."""
    return OutputError(
        "the output file exists already",
        where=path,
        why="an existing file is never overwritten unasked",
        fix="add --force to replace it, or choose another name",
    )
