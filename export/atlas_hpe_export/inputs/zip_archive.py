"""Zip archives of strangers: looked at by their directory, then read within bounds.

PyTorch writes checkpoints, TorchScript programs and exported programs as zip archives. Its own
reader trusts what the directory says; this one holds every size against the file first.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from atlas_hpe.errors import CheckpointError

__all__ = [
    "MAX_BYTES",
    "ZIP_MAGIC",
    "check_entries",
    "check_sums",
    "damaged",
    "inner_name",
    "list_entries",
    "pack",
    "read_entries",
    "root_of",
    "too_large",
]

#: No model of this field comes near it; all sizes a file declares are held against it.
MAX_BYTES = 4 << 30
_MAX_ENTRIES = 100_000
ZIP_MAGIC = b"PK\x03\x04"

# What zipfile raises on damaged archives: bad offsets, names, versions, flags, streams.
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    OSError,
    EOFError,
    RuntimeError,  # includes NotImplementedError
    ValueError,
    OverflowError,
    struct.error,
)


def list_entries(path: Path) -> List[zipfile.ZipInfo]:
    """The directory of an archive.

    Raises:
        CheckpointError: It can't be read, names something twice or lists too much.
    """
    try:
        with zipfile.ZipFile(str(path)) as archive:
            entries = archive.infolist()
    except _ZIP_ERRORS as error:
        why = f"it begins as a zip archive, but its directory can't be read ({error})"
        raise damaged(path, why) from error
    if len(entries) > _MAX_ENTRIES:
        raise too_large(path, f"it lists {len(entries)} entries, {_MAX_ENTRIES} are allowed")
    if len({entry.filename for entry in entries}) != len(entries):
        raise damaged(path, "two entries of the archive have the same name")
    return entries


def inner_name(name: str) -> str:
    """The name inside the archive's one top folder."""
    return name.partition("/")[2]


def root_of(path: Path, entries: Sequence[zipfile.ZipInfo]) -> str:
    """The one folder that all entries of an archive lie in.

    Raises:
        CheckpointError: There are several: readers would differ in which one counts.
    """
    roots = sorted({entry.filename.partition("/")[0] for entry in entries})
    if len(roots) != 1:
        raise damaged(path, f"its entries lie in {len(roots)} folders, 1 is expected")
    return roots[0]


def check_entries(
    path: Path, entries: Sequence[zipfile.ZipInfo], *, packed: Optional[Tuple[str, int]] = None
) -> None:
    """Make sure that nothing unpacks to more than the file holds.

    PyTorch stores without compression, apart from the sources of TorchScript.

    Args:
        path: The archive.
        entries: Its directory.
        packed: Folder whose entries may be compressed, and the bytes they may unpack to; None to
            allow no compression.

    Raises:
        CheckpointError: Compressed where PyTorch never compresses, or more declared than there is.
    """
    folder, budget = packed or ("", 0)
    stored = unpacked = 0
    for entry in entries:
        plain = entry.compress_type == zipfile.ZIP_STORED
        if plain and entry.file_size == entry.compress_size:
            stored += entry.file_size
        elif packed is not None and inner_name(entry.filename).startswith(folder):
            unpacked += entry.file_size
        else:
            raise CheckpointError(
                "the file is a compressed zip archive, which PyTorch never writes",
                where=path,
                why=f"'{entry.filename}' takes {entry.compress_size} bytes and unpacks to "
                f"{entry.file_size}",
                fix="unpack the archive if the model is inside it, or do not trust the file",
            )
    size = path.stat().st_size
    if stored > size:
        raise too_large(path, f"its entries claim {stored} bytes, the file has {size}")
    if unpacked > budget:
        raise too_large(path, f"its '{folder}' unpacks to {unpacked} bytes, {budget} are allowed")


def check_sums(path: Path) -> None:
    """Hold every entry against its checksum, which torch does not.

    Changed weights would load as if nothing were wrong. ``check_entries`` comes first.

    Raises:
        CheckpointError: An entry is damaged.
    """
    try:
        with zipfile.ZipFile(str(path)) as archive:
            wrong = archive.testzip()
    except _ZIP_ERRORS as error:
        raise damaged(path, str(error)) from error
    if wrong is not None:
        raise damaged(path, f"the checksum of '{wrong}' is wrong")


def read_entries(path: Path, names: Sequence[str]) -> Dict[str, bytes]:
    """The content of some entries, each against its checksum; ``check_entries`` comes first.

    Raises:
        CheckpointError: An entry is damaged.
    """
    try:
        with zipfile.ZipFile(str(path)) as archive:
            return {name: archive.read(name) for name in names}
    except _ZIP_ERRORS as error:
        raise damaged(path, str(error)) from error


def pack(content: Mapping[str, bytes]) -> io.BytesIO:
    """A new archive in memory that holds what was looked at and nothing else.

    Two readers may see two different archives in one crafted file. Whoever loads this one loads
    the bytes that were checked.
    """
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    stream.seek(0)
    return stream


def damaged(path: Path, why: str) -> CheckpointError:
    """The error for a file that is not whole."""
    return CheckpointError(
        "the file is damaged or cut short",
        where=path,
        why=why,
        fix="copy or download it again and compare the size",
    )


def too_large(path: Path, why: str) -> CheckpointError:
    """The error for a file that claims more than it holds, or more than anyone needs."""
    return CheckpointError(
        "the file claims more than it may",
        where=path,
        why=why,
        fix="do not open it unless you trust its source; or save it again, smaller",
    )
