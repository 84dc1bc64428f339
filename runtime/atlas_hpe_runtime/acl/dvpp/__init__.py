"""The picture hardware of the device (DVPP): decode, crop and resize without the CPU.

What the hardware takes and what not is told by pure functions (``limits``, ``roi``), so that a
caller can fall back to the CPU and say why. Facts are from ascend.md section 5.
"""

from __future__ import annotations

from atlas_hpe_runtime.acl.dvpp.channel import DvppChannel
from atlas_hpe_runtime.acl.dvpp.fallback import Fallback
from atlas_hpe_runtime.acl.dvpp.jpeg import decode_jpeg
from atlas_hpe_runtime.acl.dvpp.picture import DevicePicture
from atlas_hpe_runtime.acl.dvpp.roi import CropPlan, plan_crop
from atlas_hpe_runtime.acl.dvpp.video import VideoDecoder
from atlas_hpe_runtime.acl.dvpp.vpc import Cropper

__all__ = [
    "CropPlan",
    "Cropper",
    "DevicePicture",
    "DvppChannel",
    "Fallback",
    "VideoDecoder",
    "decode_jpeg",
    "plan_crop",
]
