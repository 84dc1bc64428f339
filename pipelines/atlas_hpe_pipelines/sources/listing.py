"""Which pictures make a clip, and in what order."""

from __future__ import annotations

import glob
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, List, Sequence, Tuple, Union

from atlas_hpe.errors import InputError
from atlas_hpe.files import read_bytes

__all__ = [
    "LIST_SUFFIX",
    "PICTURE_SUFFIXES",
    "Listing",
    "list_folder",
    "list_matches",
    "list_named",
    "natural_key",
    "read_list",
]

#: What names a picture; other files of a folder or pattern are left out.
PICTURE_SUFFIXES = frozenset(
    (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp")
)
LIST_SUFFIX = ".txt"
_SUFFIXES_IN_WORDS = ", ".join(sorted(PICTURE_SUFFIXES))


@dataclass(frozen=True)
class Listing:
    """Pictures in the order in which they are shown.

    Attributes:
        name: What the user called them.
        paths: At least one.
        left_out: Files beside them that are no pictures.
    """

    name: str
    paths: Tuple[Path, ...]
    left_out: int = 0


def natural_key(name: str) -> Tuple[Tuple[Tuple[int, int, str], ...], str]:
    """A key to sort names by as people count: frame2 comes before frame10.

    Runs of ASCII digits compare by value, everything else by small letters; the name itself decides
    between names that are equal by this, such as ``1.png`` and ``01.png``.
    """
    parts = re.split(r"([0-9]+)", name.lower())
    # Split with a group gives text and digits in turn, so every second part is a number.
    key = tuple((1, int(part), "") if at % 2 else (0, 0, part) for at, part in enumerate(parts))
    return key, name


def list_folder(path: Path) -> Listing:
    """The pictures of a folder, in natural order; not those of folders in it.

    Raises:
        InputError: It can't be read, or has no picture.
    """
    try:
        names = [entry.name for entry in os.scandir(str(path)) if entry.is_file()]
    except OSError as error:
        raise InputError("the folder can't be read", where=path, why=error.strerror) from error
    visible = [path / name for name in names if not name.startswith(".")]
    return _keep_pictures(str(path), visible, "the folder has no pictures")


def list_matches(pattern: str) -> Listing:
    """The pictures whose path matches a pattern, in natural order; ``**`` matches folders.

    Raises:
        InputError: Nothing matches, or no picture does.
    """
    found = [Path(name) for name in glob.glob(pattern, recursive=True)]  # noqa: PTH207
    files = [path for path in found if path.is_file()]
    if not files:
        raise InputError(
            "no file matches the pattern",
            where=pattern,
            why=f"looked in {Path.cwd()}",
            fix="check the folder; quote the pattern, so that the shell leaves it alone",
        )
    return _keep_pictures(pattern, files, "no picture matches the pattern")


def read_list(path: Path) -> Listing:
    """The pictures that a text file names, one per line, in the order of the lines.

    Paths are relative to the folder of the list. Blank lines, and lines that begin with ``#``, are
    passed over.

    Raises:
        InputError: The list can't be read, is empty, or names something that does not exist.
    """
    text = os.fsdecode(read_bytes(path))
    text = text[1:] if text.startswith("\ufeff") else text  # Windows' mark of UTF-8
    lines = [line.strip() for line in text.splitlines()]
    named = [(number, line) for number, line in enumerate(lines, 1) if line and line[0] != "#"]
    if not named:
        raise InputError("the list names no pictures", where=path, fix="write one path per line")
    if "\0" in text:
        raise InputError("the list is not a text file", where=path, fix="write one path per line")
    paths = []
    for number, line in named:
        paths.append(path.parent / line)
        _check_named(paths[-1], f"{path}, line {number}")
    return Listing(str(path), tuple(paths))


def list_named(paths: Sequence[Union[str, Path]]) -> Listing:
    """Pictures given by their paths, in the order given.

    Raises:
        InputError: There is none, or one of them does not exist.
    """
    named = tuple(Path(path) for path in paths)
    if not named:
        raise InputError("the list of pictures is empty", fix="give at least one path")
    for path in named:
        _check_named(path, str(path))
    more = f" and {len(named) - 1} more" if len(named) > 1 else ""
    return Listing(f"{named[0]}{more}", named)


def _check_named(path: Path, where: str) -> None:
    """Somebody typed the name, so a mistake in it is told before the first frame."""
    if not path.is_file():
        what = "a folder, not a picture" if path.is_dir() else "a picture that does not exist"
        raise InputError(f"the list names {what}", where=where, why=f"no file {path}")


def _keep_pictures(name: str, files: Iterable[Path], none_of_them: str) -> Listing:
    files = list(files)
    pictures: List[Path] = [path for path in files if path.suffix.lower() in PICTURE_SUFFIXES]
    if not pictures:
        raise InputError(
            none_of_them,
            where=name,
            why=f"of its {len(files)} files none ends in {_SUFFIXES_IN_WORDS}",
            fix="name a video by itself",
        )
    pictures.sort(key=lambda path: [natural_key(part) for part in path.parts])
    return Listing(name, tuple(pictures), len(files) - len(pictures))
