"""One input or output, as a TensorDescriptor of MODEL_DEF describes it (ascend.md section 6.3)."""

from __future__ import annotations

from typing import List, Optional

from atlas_hpe.om_file.message import Message, as_text, signed_numbers
from atlas_hpe.om_file.spec import OmTensor

__all__ = ["count_bytes", "read_tensor"]

_ITEM_BYTES = {
    "float32": 4,
    "float16": 2,
    "int8": 1,
    "uint8": 1,
    "int16": 2,
    "uint16": 2,
    "int32": 4,
    "int64": 8,
    "uint32": 4,
    "uint64": 8,
    "bool": 1,
    "float64": 8,
    "complex64": 8,
    "complex128": 16,
    "bfloat16": 2,
}
_MAX_BYTES = (1 << 63) - 1
_DTYPES = {
    1: "float32",
    2: "float16",
    3: "int8",
    4: "uint8",
    5: "int16",
    6: "uint16",
    7: "int32",
    8: "int64",
    9: "uint32",
    10: "uint64",
    11: "bool",
    12: "float64",
    13: "string",
    16: "complex64",
    17: "complex128",
    27: "bfloat16",
    28: "int4",
}


def read_tensor(descriptor: Message, name: str) -> OmTensor:
    """Read a TensorDescriptor; ``size_bytes`` is what it states.

    Raises:
        DamageError: It is not well-formed.
    """
    dtype, layout, size = 0, "", 0
    shape: List[int] = []
    for number, value in descriptor.fields():
        if number == 2 and isinstance(value, int):
            dtype = value
        elif number == 3 and not isinstance(value, int):
            for key, dims in value.fields():
                if key == 1:
                    shape += signed_numbers(dims, descriptor.budget, "axes")
        elif number == 4:
            layout = as_text(value, "the format of a tensor")
        elif number == 10 and isinstance(value, int):
            size = value
    stated = size if 0 < size <= _MAX_BYTES else None
    return OmTensor(name, _DTYPES.get(dtype, "unknown"), layout, tuple(shape), stated)


def count_bytes(tensor: OmTensor) -> Optional[int]:
    """Shape times element size; None where an axis is open or the element size is not known."""
    size = _ITEM_BYTES.get(tensor.dtype, 0)
    for axis in tensor.shape:
        # Checked at every step: a product of thousands of factors grows without bound.
        if axis < 0 or size > _MAX_BYTES:
            return None
        size *= axis
    return size if 0 < size <= _MAX_BYTES else None
