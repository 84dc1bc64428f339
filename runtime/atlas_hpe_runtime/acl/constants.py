"""Numbers of the ACL interface (ascend.md section 1.6)."""

from __future__ import annotations

from typing import Dict

from atlas_hpe.acl_enums import ACL_DTYPES

__all__ = [
    "COPY_DEVICE_TO_DEVICE",
    "COPY_DEVICE_TO_HOST",
    "COPY_HOST_TO_DEVICE",
    "COPY_HOST_TO_HOST",
    "DTYPES",
    "DYNAMIC_AIPP_INPUT",
    "DYNAMIC_SHAPE_INPUT",
    "FORMATS",
    "MALLOC_HUGE_FIRST",
    "MALLOC_NORMAL_ONLY",
    "PIXEL_FORMAT_NV12",
    "PIXEL_FORMAT_NV21",
    "RUN_MODE_DEVICE",
    "RUN_MODE_HOST",
    "STREAM_TYPE_H264_BASELINE",
    "STREAM_TYPE_H264_HIGH",
    "STREAM_TYPE_H264_MAIN",
    "STREAM_TYPE_H265_MAIN",
]

#: Kinds of rt.memcpy.
COPY_HOST_TO_HOST = 0
COPY_HOST_TO_DEVICE = 1
COPY_DEVICE_TO_HOST = 2
COPY_DEVICE_TO_DEVICE = 3

#: Policies of rt.malloc.
MALLOC_HUGE_FIRST = 0
MALLOC_NORMAL_ONLY = 2

#: What rt.get_run_mode returns: the program runs on the board itself, or on a host with a card.
RUN_MODE_DEVICE = 0
RUN_MODE_HOST = 1

#: Element type of ACL -> NumPy's name. Strings and bfloat16 have none.
DTYPES: Dict[int, str] = {
    number: name for number, name in ACL_DTYPES.items() if name not in ("string", "bfloat16")
}

#: Format of ACL -> layout of a ``TensorSpec``; all others are "ND".
FORMATS: Dict[int, str] = {0: "NCHW", 1: "NHWC"}

#: Inputs that atc adds to a model.
DYNAMIC_SHAPE_INPUT = "ascend_mbatch_shape_data"
DYNAMIC_AIPP_INPUT = "ascend_dynamic_aipp_data"

#: Pixel formats of DVPP.
PIXEL_FORMAT_NV12 = 1
PIXEL_FORMAT_NV21 = 2

#: Coded streams ("entype") of the video decoder.
STREAM_TYPE_H265_MAIN = 0
STREAM_TYPE_H264_BASELINE = 1
STREAM_TYPE_H264_MAIN = 2
STREAM_TYPE_H264_HIGH = 3
