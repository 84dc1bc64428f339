"""MODEL_INOUT_INFO: inputs, outputs and profiles as newer compilers list them.

Source: ascend.md section 6.5; the form of the profile lists (a count, for lists of lists their
lengths, then int64 values) is from GE's ge_model_inout_info.h.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import List, Optional, Tuple

from atlas_hpe.acl_enums import ACL_DTYPES, ACL_FORMATS
from atlas_hpe.om_file.message import Budget, DamageError, Message, read_text
from atlas_hpe.om_file.spec import OmProfiles, OmTensor

__all__ = ["InOutInfo", "read_inout"]

_TENSOR = struct.Struct("<QIIIIII")
_PROFILE_KINDS = {2: "batch", 3: "image size", 4: "dims"}


@dataclass(frozen=True)
class InOutInfo:
    """What the partition says."""

    inputs: Tuple[OmTensor, ...] = ()
    outputs: Tuple[OmTensor, ...] = ()
    profiles: Optional[OmProfiles] = None


class _Reader:
    """Reads one thing after the other and never beyond the end."""

    def __init__(self, view: memoryview, start: int, budget: Budget) -> None:
        self._view = view
        self._start = start
        self._offset = 0
        self.budget = budget

    @property
    def left(self) -> int:
        return len(self._view) - self._offset

    def take(self, size: int) -> memoryview:
        if size > self.left:
            raise DamageError(
                f"MODEL_INOUT_INFO claims {size:,} bytes at byte {self._start + self._offset}, "
                f"{self.left:,} are left"
            )
        self._offset += size
        return self._view[self._offset - size : self._offset]

    def sub_reader(self, size: int) -> _Reader:
        start = self._start + self._offset
        return _Reader(self.take(size), start, self.budget)

    def count(self) -> int:
        (number,) = struct.unpack("<I", self.take(4))
        return int(number)

    def int64s(self, size_bytes: int) -> Tuple[int, ...]:
        if size_bytes % 8:
            raise DamageError(
                f"MODEL_INOUT_INFO claims {size_bytes:,} bytes of int64 numbers at byte "
                f"{self._start + self._offset}"
            )
        numbers: List[int] = []
        for (number,) in struct.iter_unpack("<q", self.take(size_bytes)):
            self.budget.keep("axes and profiles")
            numbers.append(number)
        return tuple(numbers)


def read_inout(partition: Message) -> InOutInfo:
    """Read the partition.

    Raises:
        DamageError: A length that the bytes do not bear out, or more than a model has.
    """
    reader = _Reader(partition.view, partition.start, partition.budget)
    inputs: Tuple[OmTensor, ...] = ()
    outputs: Tuple[OmTensor, ...] = ()
    profiles = None
    while reader.left:
        kind = reader.count()
        content = reader.sub_reader(reader.count())
        if kind == 0:
            inputs = _read_tensors(content)
        elif kind == 1:
            outputs = _read_tensors(content)
        elif kind in _PROFILE_KINDS:
            values = _read_profiles(content, kind == 2)
            profiles = OmProfiles(_PROFILE_KINDS[kind], values) if values else profiles
    return InOutInfo(inputs, outputs, profiles)


def _read_tensors(reader: _Reader) -> Tuple[OmTensor, ...]:
    tensors: List[OmTensor] = []
    for _ in range(reader.count()):
        reader.budget.keep("inputs and outputs")
        size, layout, dtype, *lengths = _TENSOR.unpack(reader.take(_TENSOR.size))
        name_bytes, dims_bytes, buffer_dims_bytes, range_bytes = lengths
        name = read_text(reader.take(name_bytes))
        dims, buffer_dims = reader.int64s(dims_bytes), reader.int64s(buffer_dims_bytes)
        reader.take(range_bytes)
        tensors.append(
            OmTensor(
                name=name,
                dtype=ACL_DTYPES.get(dtype, "unknown"),
                format=ACL_FORMATS.get(layout, f"format {layout}"),
                # With static AIPP the second list is the buffer's, the first the network's.
                shape=buffer_dims or dims,
                size_bytes=size or None,
            )
        )
    return tuple(tensors)


def _read_profiles(reader: _Reader, single: bool) -> Tuple[Tuple[int, ...], ...]:
    count = reader.count()
    if single:
        return tuple((value,) for value in reader.int64s(8 * count))
    profiles = []
    for (length,) in struct.iter_unpack("<I", reader.take(4 * count)):
        reader.budget.keep("profiles")
        profiles.append(reader.int64s(8 * length))
    return tuple(profiles)
