"""Numbers of ACL's enums, in .om files and in programs on a device (ascend.md section 1.6)."""

from __future__ import annotations

from typing import Dict

__all__ = ["ACL_DTYPES", "ACL_FORMATS"]

#: Element type -> NumPy's name, or a like one where NumPy has none.
ACL_DTYPES: Dict[int, str] = {
    0: "float32",
    1: "float16",
    2: "int8",
    3: "int32",
    4: "uint8",
    6: "int16",
    7: "uint16",
    8: "uint32",
    9: "int64",
    10: "uint64",
    11: "float64",
    12: "bool",
    13: "string",
    16: "complex64",
    17: "complex128",
    27: "bfloat16",
}

#: Tensor format -> its name.
ACL_FORMATS: Dict[int, str] = {
    0: "NCHW",
    1: "NHWC",
    2: "ND",
    3: "NC1HWC0",
    4: "FRACTAL_Z",
    12: "NC1HWC0_C04",
    16: "HWCN",
    27: "NDHWC",
    29: "FRACTAL_NZ",
    30: "NCDHW",
    32: "NDC1HWC0",
    33: "FRACTAL_Z_3D",
}
