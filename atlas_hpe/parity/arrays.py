"""Arrays in a zip file, as ``numpy.savez`` writes them, read without trusting the file.

``numpy.load`` is not used: it reserves what a header claims before it looks whether the bytes are
there, and reports damage by a dozen exceptions. The format is numpy's NPY 1.0 (NEP 1).
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from pathlib import Path
from types import TracebackType
from typing import Dict, Optional, Type

import numpy as np

from atlas_hpe.errors import InputError
from atlas_hpe.files import check_readable

__all__ = ["ArrayFile", "damaged", "write_array"]

_MAX_ENTRIES = 100_000
_MAX_ENTRY_BYTES = 1 << 28
_MAX_DIGITS = 12  # of one size: far more than fits into an entry
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_MAGIC = b"\x93NUMPY\x01\x00"
_HEADER = re.compile(
    r"\{'descr': '([<|][fiub]\d)', 'fortran_order': (False|True), 'shape': \(([\d, ]*)\), \} *\n"
)
#: What a zip file that is damaged, or made to do harm, makes the standard library raise.
_FAILURES = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    struct.error,
    EOFError,
    IndexError,
    KeyError,
    OverflowError,
    OSError,
    RuntimeError,
    ValueError,
)


def damaged(path: Path, why: str) -> InputError:
    """The error for a bundle that can't be used."""
    return InputError(
        "the parity bundle can't be used",
        where=path,
        why=why,
        fix="record it again with atlas-hpe parity --record, and copy it whole",
    )


def write_array(archive: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    """Append an array of numbers.

    Raises:
        ValueError: The array holds Python objects.
    """
    buffer = io.BytesIO()
    values = np.ascontiguousarray(array).reshape(array.shape)
    np.lib.format.write_array(buffer, values, version=(1, 0), allow_pickle=False)
    archive.writestr(name + ".npy", buffer.getvalue())


class ArrayFile:
    """A zip file of arrays, opened for reading; use it as a context manager.

    Args:
        path: The file.

    Raises:
        InputError: The file can't be read, is no zip file, or claims more than a bundle holds.
    """

    def __init__(self, path: Path) -> None:
        self.path = check_readable(path)
        try:
            self._archive = zipfile.ZipFile(str(path))
        except _FAILURES as error:
            raise damaged(path, f"it is not a whole .npz file: {error}") from error
        entries = self._archive.infolist()
        fault = None
        if len(entries) > _MAX_ENTRIES:
            fault = f"it claims {len(entries)} arrays"
        elif any(item.file_size > _MAX_ENTRY_BYTES for item in entries):
            fault = f"an array claims more than {_MAX_ENTRY_BYTES >> 20} MiB"
        elif any(item.compress_type not in _METHODS for item in entries):
            fault = "an array is packed by a method that numpy does not use"
        if fault is not None:
            self._archive.close()
            raise damaged(path, fault)
        self._entries: Dict[str, zipfile.ZipInfo] = {item.filename: item for item in entries}

    def __enter__(self) -> ArrayFile:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self._archive.close()

    def __contains__(self, name: str) -> bool:
        return name + ".npy" in self._entries

    def read(self, name: str) -> np.ndarray:
        """One array, as it was written.

        Raises:
            InputError: It is missing or damaged.
        """
        entry = self._entries.get(name + ".npy")
        if entry is None:
            raise damaged(self.path, f"the array '{name}' is missing")
        try:
            data = self._archive.read(entry)
        except _FAILURES as error:
            raise damaged(self.path, f"the array '{name}' is damaged: {error}") from error
        array = _parse(data)
        if array is None:
            raise damaged(self.path, f"the array '{name}' is not an array of numbers (NPY 1.0)")
        return array


def _parse(data: bytes) -> Optional[np.ndarray]:
    """The array in the bytes of an .npy file; None when the bytes are anything else."""
    if not data.startswith(_MAGIC) or len(data) < 10:
        return None
    start = 10 + int.from_bytes(data[8:10], "little")
    match = _HEADER.fullmatch(data[10:start].decode("latin-1"))
    if match is None:
        return None
    code, fortran, sizes = match.groups()
    numbers = [item.strip() for item in sizes.split(",") if item.strip()]
    if any(len(item) > _MAX_DIGITS or " " in item for item in numbers):
        return None
    shape = tuple(int(item) for item in numbers)
    try:
        values = np.frombuffer(data, np.dtype(code), offset=start)
        found: np.ndarray = values.reshape(shape, order="F" if fortran == "True" else "C").copy()
    except (TypeError, ValueError):  # no such type, or another number of values than the shape says
        return None
    return found
