"""The log beside an .om: everything that the compiler said, and whose turn it is to write."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Iterator

from atlas_hpe.errors import OutputError
from atlas_hpe.outfile import disk_error

__all__ = ["log_path_of", "open_log"]


def log_path_of(om: Path) -> Path:
    """Where the log of a model is: ``hand.om`` -> ``hand.om.log``."""
    return om.with_name(om.name + ".log")


@contextmanager
def open_log(om: Path) -> Iterator[BinaryIO]:
    """An empty log that no other conversion to the same .om can open meanwhile.

    Args:
        om: The model that is being made.

    Raises:
        OutputError: Another process is making it, or the disk refuses.
    """
    path = log_path_of(om)
    try:
        # Not "w": it would empty the log of the process whose turn it is.
        stream = path.open("a+b")
    except OSError as error:
        raise disk_error(path, error) from error
    with stream:
        try:
            _lock(stream)
        except BlockingIOError as error:
            raise OutputError(
                "another conversion is writing this model just now",
                where=om,
                why=f"it holds {path}",
                fix="wait for it, or choose another name with --out",
            ) from error
        except OSError:  # some network file systems have no locks
            pass
        try:
            stream.truncate(0)
        except OSError as error:
            raise disk_error(path, error) from error
        yield stream


def _lock(stream: BinaryIO) -> None:
    """Take the file for this process.

    Raises:
        BlockingIOError: Another one has it.
        OSError: Its file system has no locks.
    """
    try:
        import fcntl
    except ImportError:  # Windows, where two conversions to one name are not told apart
        return
    fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
