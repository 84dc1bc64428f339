"""Reading .safetensors: eight bytes, a JSON object and raw numbers.

The format holds no code by design. It is read here rather than with the ``safetensors`` package,
because it takes a page, brings no dependency to the export extra, and every number that the header
states is held against the file before anything is allocated for it. What the header may say follows
the format's description (the README of huggingface/safetensors): little-endian, row-major, no name
twice, no holes and no overlaps in the data.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Dict, List, Mapping, NoReturn, Optional, Tuple

import torch
from torch import Tensor

from atlas_hpe.errors import CheckpointError
from atlas_hpe_export.inputs.zip_archive import MAX_BYTES, damaged

__all__ = ["read_safetensors"]

_MAX_HEADER_BYTES = 8 << 20  # 100 bytes per tensor are usual
_METADATA = "__metadata__"
_DTYPES: Mapping[str, torch.dtype] = {
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "I8": torch.int8,
    "I16": torch.int16,
    "I32": torch.int32,
    "I64": torch.int64,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F32": torch.float32,
    "F64": torch.float64,
}


@dataclass(frozen=True)
class _Entry:
    """One tensor as the header describes it; ``begin`` and ``end`` count from the data's start."""

    name: str
    dtype: torch.dtype
    shape: Tuple[int, ...]
    begin: int
    end: int


def read_safetensors(path: Path) -> Dict[str, Tensor]:
    """All tensors of a file, on the CPU, in the order of the header.

    Raises:
        CheckpointError: The header is not what the format says, or does not fit the file.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if not 2 <= length <= size - 8:
            _refuse(path, f"its header claims {length} bytes, {max(size - 8, 0)} follow")
        if length > _MAX_HEADER_BYTES:
            _refuse(path, f"its header has {length} bytes, {_MAX_HEADER_BYTES} are allowed")
        header = _parse_header(path, stream.read(length))
        entries = [
            _read_entry(path, name, item) for name, item in header.items() if name != _METADATA
        ]
        _check_layout(path, entries, size - 8 - length)
        return {entry.name: _read_tensor(path, stream, 8 + length, entry) for entry in entries}


def _refuse(path: Path, why: str) -> NoReturn:
    raise damaged(path, f"as a .safetensors file: {why}")


def _parse_header(path: Path, text: bytes) -> Dict[str, object]:
    def refuse_repeats(pairs: List[Tuple[str, object]]) -> Dict[str, object]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a name occurs twice")
        return found

    try:
        header: object = json.loads(text.decode("utf-8"), object_pairs_hook=refuse_repeats)
    except (ValueError, RecursionError) as error:
        _refuse(path, f"its header can't be read ({error})")
    if not isinstance(header, dict):
        _refuse(path, "its header is no JSON object")
    return header


def _read_entry(path: Path, name: str, item: object) -> _Entry:
    if not isinstance(item, dict) or item.keys() != {"dtype", "shape", "data_offsets"}:
        _refuse(path, f"tensor '{name}' needs dtype, shape and data_offsets, and nothing else")
    dtype = item["dtype"]
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise CheckpointError(
            "the file holds numbers of a type that is not read here",
            where=f"{path}, '{name}'",
            why=f"its dtype is {str(dtype)[:20]!r}; known are " + ", ".join(_DTYPES),
            fix="save float weights: safetensors.torch.save_file(model.float().state_dict(), ...)",
        )
    shape, offsets = _whole_numbers(item["shape"]), _whole_numbers(item["data_offsets"])
    if shape is None or offsets is None or len(offsets) != 2:
        _refuse(path, f"tensor '{name}': its shape or offsets are not whole numbers")
    entry = _Entry(name, _DTYPES[dtype], shape, offsets[0], offsets[1])
    needed = torch.empty((), dtype=entry.dtype).element_size()
    for dim in shape:
        needed *= dim
        # Checked at every step: a product of a million large factors takes hours.
        if max(dim, needed) > MAX_BYTES:
            _refuse(path, f"tensor '{name}' claims more than {MAX_BYTES} bytes")
    if entry.end - entry.begin != needed:
        _refuse(
            path,
            f"tensor '{name}' of shape {list(shape)} needs {needed} bytes, "
            f"its offsets hold {entry.end - entry.begin}",
        )
    return entry


def _whole_numbers(value: object) -> Optional[Tuple[int, ...]]:
    """The numbers of a JSON list, None when it is anything else."""
    if not isinstance(value, list) or not all(type(item) is int and item >= 0 for item in value):
        return None
    return tuple(value)


def _check_layout(path: Path, entries: List[_Entry], data_bytes: int) -> None:
    """One tensor begins where the one before ends, and the last ends with the file."""
    at = 0
    for entry in sorted(entries, key=lambda item: (item.begin, item.end)):
        if entry.begin != at:
            kind = "overlaps another" if entry.begin < at else "leaves a hole before it"
            _refuse(path, f"tensor '{entry.name}' {kind} (offset {entry.begin}, expected {at})")
        at = entry.end
    if at != data_bytes:
        _refuse(path, f"its tensors take {at} bytes, {data_bytes} follow the header")


def _read_tensor(path: Path, stream: BinaryIO, start: int, entry: _Entry) -> Tensor:
    if entry.begin == entry.end:
        return torch.empty(entry.shape, dtype=entry.dtype)
    stream.seek(start + entry.begin)
    data = bytearray(stream.read(entry.end - entry.begin))
    if len(data) != entry.end - entry.begin:
        _refuse(path, f"the file ends inside tensor '{entry.name}'")
    # A buffer of its own is aligned and writable, and lives as long as the tensor.
    return torch.frombuffer(data, dtype=entry.dtype).reshape(entry.shape)
