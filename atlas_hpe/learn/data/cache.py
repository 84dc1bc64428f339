"""Arrays that are costly to make, kept beside the run that needs them."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Dict

import numpy as np

from atlas_hpe.errors import InputError
from atlas_hpe.outfile import AtomicFile

__all__ = ["read_arrays", "write_arrays"]


def write_arrays(path: Path, **arrays: np.ndarray) -> None:
    """Write named arrays; the file appears when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with AtomicFile(path, force=True) as file, file.temporary.open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]  # the stub misreads the stars


def read_arrays(path: Path, *names: str) -> Dict[str, np.ndarray]:
    """Read what `write_arrays` wrote.

    Raises:
        InputError: missing, damaged or without one of the arrays.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in names}
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(
            "a cache of the training run can't be read",
            where=path,
            why=str(error),
            fix="delete the file; it is made again",
        ) from error
