"""A folder that is visible only when it is whole, and never replaces what it did not make."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import weakref
from pathlib import Path

from atlas_hpe.errors import OutputError
from atlas_hpe.outfile import disk_error

__all__ = ["PICTURE_NAME", "WholeFolder", "check_out_folder"]

#: What a folder of pictures holds.
PICTURE_NAME = re.compile(r"\d{6,}\.png")
# As AtomicFile's: a name holds 255 bytes.
_STEM_CHARS = 40


def check_out_folder(path: Path, *, force: bool) -> None:
    """Tell before any work whether a folder can be written.

    An empty folder may be there already. One that holds pictures of a run is replaced with
    ``force``; one that holds anything else never is.

    Args:
        path: The folder.
        force: Replace the pictures of an earlier run.

    Raises:
        OutputError: The name has a suffix, is a file's, a mount point's, or that of a folder that
            must not be replaced; the folder around it is missing or not writable; the system
            refuses to look.
    """
    try:
        _check_around(path)
        _check_content(path, force)
    except OSError as cause:
        raise disk_error(path, cause) from cause


def _check_around(path: Path) -> None:
    around = Path(os.path.realpath(str(path))).parent
    if path.name in ("", ".."):
        raise OutputError(
            "the output folder needs a name of its own", where=path, fix="use, for example, frames/"
        )
    if path.suffix:
        raise OutputError(
            "the name of an output folder can't have a suffix",
            where=path,
            why=f"'{path.suffix}' could be the kind of a file",
            fix=f"name it, for example, {path.stem}/",
        )
    if os.path.ismount(str(path)):
        raise OutputError(
            "the output folder is where a disk or a volume is mounted",
            where=path,
            why="it would have to be renamed, and the system does not do that",
            fix=f"name a folder in it, for example, {path / 'frames'}/",
        )
    if not around.is_dir():
        raise OutputError(
            "the folder of the output does not exist", where=around, fix=f"mkdir -p '{around}'"
        )
    if not os.access(str(around), os.W_OK | os.X_OK):
        raise OutputError(
            "the folder of the output is not writable",
            where=around,
            fix="choose another folder with --out, or change its permissions",
        )


def _check_content(path: Path, force: bool) -> None:
    """A folder that is there is empty, or may be replaced."""
    if not path.exists():
        return
    if not path.is_dir():
        raise OutputError(
            "the output folder exists already and is a file",
            where=path,
            fix="choose another name with --out",
        )
    entries = list(path.iterdir())
    strange = sorted(entry.name for entry in entries if not _is_picture(entry))
    if strange:
        raise OutputError(
            "the output folder holds something else than the pictures of a run",
            where=path,
            why=f"'{strange[0]}' is in it; such a folder is never replaced",
            fix="choose another name with --out",
        )
    if entries and not force:
        raise OutputError(
            "the output folder exists already",
            where=path,
            why="existing pictures are never overwritten unasked",
            fix="add --force to replace them, or choose another name",
        )


def _is_picture(entry: Path) -> bool:
    return bool(PICTURE_NAME.fullmatch(entry.name)) and entry.is_file() and not entry.is_symlink()


class WholeFolder:
    """A hidden temporary folder beside the target, renamed to it at the end.

    A folder that is lost is removed too, at the end of the program at the latest.

    Args:
        path: The final name. A symbolic link is followed.
        force: Replace the pictures of an earlier run.

    Attributes:
        temporary: Where the files go until ``publish``.

    Raises:
        OutputError: As ``check_out_folder``, or the folder can't be made.
    """

    def __init__(self, path: Path, *, force: bool) -> None:
        self._shown = path
        self._target = Path(os.path.realpath(str(path)))
        self._force = force
        check_out_folder(path, force=force)
        name = f".{self._target.name[:_STEM_CHARS]}.{secrets.token_hex(4)}"
        self._old = self._target.with_name(f"{name}.old")
        self.temporary = self._target.with_name(f"{name}.part")
        # Before the folder is there: Ctrl-C may come while it is made.
        self._removal = weakref.finalize(self, shutil.rmtree, str(self.temporary), True)
        try:
            self.temporary.mkdir()
        except OSError as cause:
            raise disk_error(path, cause) from cause

    def publish(self) -> None:
        """Give the folder its final name.

        Raises:
            OutputError: The target must not be replaced.
            OSError: The disk refuses.
        """
        if not self._target.exists():
            self.temporary.rename(self._target)
            return
        _check_content(self._target, self._force)
        self._target.rename(self._old)
        try:
            # Under its new name nobody adds to it any more: what is seen now is what is removed.
            _check_content(self._old, self._force)
            self.temporary.rename(self._target)
        except (OSError, OutputError):
            self._old.rename(self._target)
            raise
        for entry in self._old.iterdir():
            entry.unlink()
        self._old.rmdir()

    def discard(self) -> None:
        """Remove the temporary folder; does nothing when there is none."""
        self._removal()
