"""Numbers of the model calls: types and formats (ascend.md section 1.6), codes (section 1.7)."""

from __future__ import annotations

from typing import Dict

__all__ = [
    "ACL_DTYPES",
    "ADDRESS_INVALID",
    "AIPP_DATA",
    "AIPP_MISSING",
    "BATCH_INVALID",
    "DYNAMIC_ADDRESS",
    "EXECUTE_FAILED",
    "GE_FAILURE",
    "GE_PARAM_INVALID",
    "INPUT_LENGTH_INVALID",
    "INPUT_MISMATCH",
    "MBATCH_DATA",
    "MODEL_CONTEXT",
    "MODEL_ID",
    "NCHW",
    "ND",
    "NHWC",
    "NOT_DYNAMIC",
    "NOT_STATIC_AIPP",
    "NO_INDEX",
    "ONNX_DTYPES",
    "OUTPUT_MISMATCH",
    "PATH_INVALID",
    "SHAPE_INVALID",
    "SIZE_INVALID",
    "SOC_VERSION",
    "UNSUPPORTED_FEATURE",
]

#: NumPy name -> aclDataType.
ACL_DTYPES: Dict[str, int] = {
    "float32": 0,
    "float16": 1,
    "int8": 2,
    "int32": 3,
    "uint8": 4,
    "int16": 6,
    "uint16": 7,
    "uint32": 8,
    "int64": 9,
    "uint64": 10,
    "float64": 11,
    "bool": 12,
}
#: TensorProto.DataType of onnx.proto -> NumPy name.
ONNX_DTYPES: Dict[int, str] = {
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    9: "bool",
    10: "float16",
    11: "float64",
    12: "uint32",
    13: "uint64",
}
NCHW, NHWC, ND = 0, 1, 2  # aclFormat

#: Names of the inputs that atc adds (ascend.md sections 1.3 and 4.7).
MBATCH_DATA = "ascend_mbatch_shape_data"
AIPP_DATA = "ascend_dynamic_aipp_data"
NO_INDEX = 0xFFFFFFFF  # ACL_INVALID_NODE_INDEX of acl_mdl.h

INPUT_MISMATCH = 100017
OUTPUT_MISMATCH = 100018
NOT_DYNAMIC = 100019
NOT_STATIC_AIPP = 100038
MODEL_CONTEXT = 107004
GE_PARAM_INVALID = 145000
PATH_INVALID = 145002
MODEL_ID = 145003
SIZE_INVALID = 145006
ADDRESS_INVALID = 145007
DYNAMIC_ADDRESS = 145011
INPUT_LENGTH_INVALID = 145012
BATCH_INVALID = 145013
AIPP_MISSING = 145015
SHAPE_INVALID = 145021
UNSUPPORTED_FEATURE = 200006
GE_FAILURE = 500002
SOC_VERSION = 507008
EXECUTE_FAILED = 507011
