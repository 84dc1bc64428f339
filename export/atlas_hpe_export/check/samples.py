"""Sample inputs from an .npz file or from memory, one feed per sample."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from atlas_hpe.errors import InputError
from atlas_hpe.files import check_readable
from atlas_hpe_export.check.graph_view import Value
from atlas_hpe_export.feeds import Feeds

__all__ = ["Samples", "read_samples"]

#: A file, or input name -> array.
Samples = Union[str, Path, Mapping[str, np.ndarray]]

_FAILURES = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    MemoryError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)


def read_samples(samples: Samples, inputs: Sequence[Value]) -> List[Feeds]:
    """Read the arrays and split them into samples.

    An array has the shape of its input, or one axis more in front, which counts samples; arrays
    without that axis go with every sample.

    Args:
        samples: An .npz file with an array per input, or the arrays.
        inputs: Inputs of the graph.

    Raises:
        InputError: The file can't be read, an input has no array or one of another shape or kind,
            or the arrays hold different numbers of samples.
    """
    where = samples if isinstance(samples, (str, Path)) else "inputs"
    arrays = _load(samples) if isinstance(samples, (str, Path)) else dict(samples)
    _check_names(arrays, inputs, where)
    fitted = {value.name: _fit(arrays[value.name], value, where) for value in inputs}
    counts = {name: len(array) for name, (array, is_stacked) in fitted.items() if is_stacked}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise InputError("the inputs hold different numbers of samples", where=where, why=listed)
    total = next(iter(counts.values()), 1)
    if total == 0:
        raise InputError("there is no sample", where=where)
    return [
        {
            name: np.array(array[index] if is_stacked else array, order="C")
            for name, (array, is_stacked) in fitted.items()
        }
        for index in range(total)
    ]


def _load(path: Union[str, Path]) -> Dict[str, np.ndarray]:
    check_readable(path)
    why = "it is a single array, not an .npz archive"
    try:
        archive = np.load(str(path), allow_pickle=False)
        if isinstance(archive, np.lib.npyio.NpzFile):
            with archive:
                return {name: archive[name] for name in archive.files}
    except _FAILURES as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
    raise InputError(
        "the samples can't be read",
        where=path,
        why=why,
        fix="write them with numpy.savez(path, INPUT=array)",
    )


def _check_names(arrays: Mapping[str, np.ndarray], inputs: Sequence[Value], where: object) -> None:
    names = [value.name for value in inputs]
    missing = [name for name in names if name not in arrays]
    unknown = [name for name in arrays if name not in names]
    if missing or unknown:
        raise InputError(
            "the samples are not for this model's inputs",
            where=where,
            why="; ".join(
                f"{label}: {', '.join(found[:5])}"
                for label, found in (("missing", missing), ("not an input", unknown))
                if found
            ),
            fix="name the arrays as the inputs: " + ", ".join(names),
        )


def _fit(array: np.ndarray, value: Value, where: object) -> Tuple[np.ndarray, bool]:
    """The array in the input's element type, and whether its first axis counts samples."""
    array = np.asarray(array)
    wanted = np.dtype(value.dtype or "float32")
    if array.dtype.kind not in "fiub" or not np.can_cast(array.dtype, wanted, "same_kind"):
        raise InputError(
            f"the samples of '{value.name}' are {array.dtype}", where=where, why=f"it is {wanted}"
        )
    shape = value.shape
    if shape is None or _agrees(array.shape, shape):
        return array.astype(wanted, copy=False), False
    if _agrees(array.shape[1:], shape):
        return array.astype(wanted, copy=False), True
    raise InputError(
        f"the samples of '{value.name}' have the shape {list(array.shape)}",
        where=where,
        why=f"the input is {value.show_shape()}",
        fix="give that shape, or one axis more in front that counts samples",
    )


def _agrees(found: Sequence[int], wanted: Sequence[Optional[int]]) -> bool:
    return len(found) == len(wanted) and all(
        size is None or size == have for have, size in zip(found, wanted)
    )
