"""Output files: refused before any work when they can't be written, visible only when whole."""

from __future__ import annotations

import os
import secrets
import weakref
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Iterable, Optional, Sequence, Type, Union

from atlas_hpe.errors import OutputError

__all__ = ["AtomicFile", "check_out_path", "disk_error"]

# A file name holds 255 bytes, a character of UTF-8 up to four: the stem of the temporary name is
# cut so that the prefix, the random part and the suffix always fit.
_STEM_CHARS = 40


def check_out_path(path: Union[str, Path], suffixes: Iterable[str], *, force: bool) -> Path:
    """Tell before any work whether an output can be written.

    Args:
        path: Where it should go.
        suffixes: The suffixes it may have, in lower case; upper case is taken too.
        force: Replace a file that exists.

    Returns:
        The path, as a Path.

    Raises:
        OutputError: Unknown suffix; the path is a folder or a device; its folder is missing, is no
            folder or is not writable; the file exists and ``force`` is false; the system refuses
            to look.
    """
    path = Path(path)
    try:
        _check_place(path, sorted(suffixes), force)
    except OSError as cause:
        raise disk_error(path, cause) from cause
    return path


def _check_place(path: Path, known: Sequence[str], force: bool) -> None:
    folder = path.parent
    if path.is_dir():
        raise OutputError("the output is a folder, not a file", where=path, fix="name a file in it")
    if path.suffix.lower() not in known:
        raise OutputError(
            "the kind of output is not known",
            where=path,
            why=f"its suffix is '{path.suffix}', known are {', '.join(known)}",
            fix=f"name it, for example, {path.with_suffix(known[0]).name}",
        )
    if not folder.exists():
        raise OutputError(
            "the folder of the output does not exist", where=folder, fix=f"mkdir -p '{folder}'"
        )
    if not folder.is_dir():
        raise OutputError(
            "the output lies in something that is not a folder",
            where=folder,
            fix="choose another path with --out",
        )
    if not os.access(str(folder), os.W_OK | os.X_OK):
        raise OutputError(
            "the folder of the output is not writable",
            where=folder,
            fix="choose another folder with --out, or change its permissions",
        )
    if path.exists() and not path.is_file():
        raise OutputError("the output is a device or a pipe", where=path, fix="name a file")
    if path.exists() and not force:
        raise _exists_error(path)


class AtomicFile:
    """A hidden temporary file beside the target, renamed to it at the end.

    The temporary name keeps the suffix of the target, because encoders choose their format by it.
    As a context manager it publishes on a normal exit, discards on any exception, Ctrl-C included,
    and turns an error of the disk into an ``OutputError``. An object that is lost is discarded too,
    at the end of the program at the latest.

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
        # Before the file is there: Ctrl-C may come while it is made, or before a caller has this.
        self._removal = weakref.finalize(self, _remove, self.temporary)
        try:
            # "x" and not mkstemp: the file gets the permissions of the user's umask.
            self._stream = self.temporary.open("xb")
        except OSError as cause:
            self._removal.detach()
            raise OutputError(
                "the output folder refuses a new file",
                where=self._target.parent,
                why=cause.strerror or str(cause),
                fix="choose another folder with --out",
            ) from cause

    def __enter__(self) -> AtomicFile:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        try:
            if error is None:
                self.publish()
        except OSError as cause:
            raise disk_error(self._shown, cause) from cause
        finally:
            self.discard()
        if isinstance(error, OSError):
            raise disk_error(self._shown, error) from error

    def write(self, data: bytes) -> None:
        """Append bytes to the temporary file."""
        if self._stream is None:
            raise ValueError("write() after publish() or discard()")
        self._stream.write(data)

    def flush(self) -> None:
        """Make what was written readable under ``temporary``."""
        if self._stream is not None:
            self._stream.flush()

    def publish(self) -> None:
        """Close the temporary file and give it its final name.

        Raises:
            OutputError: The target appeared meanwhile and ``force`` is false.
            OSError: The disk refuses.
        """
        self._close()
        self._refuse_existing()
        self.temporary.replace(self._target)

    def discard(self) -> None:
        """Remove the temporary file; does nothing when there is none."""
        try:
            self._close()
        except OSError:
            # A full disk fails the last flush; the bytes are not wanted any more.
            self._stream = None
        self._removal()

    def _close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _refuse_existing(self) -> None:
        if not self._force and self._target.exists():
            raise _exists_error(self._shown)


def _remove(path: Path) -> None:
    with suppress(FileNotFoundError):
        path.unlink()


def disk_error(path: Path, cause: OSError) -> OutputError:
    """The error for a write that the operating system refused."""
    return OutputError(
        "the output file can't be written",
        where=path,
        why=cause.strerror or str(cause),
        fix="check the free space and the permissions of the folder",
    )


def _exists_error(path: Path) -> OutputError:
    return OutputError(
        "the output file exists already",
        where=path,
        why="an existing file is never overwritten unasked",
        fix="add --force to replace it, or choose another name",
    )
