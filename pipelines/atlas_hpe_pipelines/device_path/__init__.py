"""The device path of a run: decoded, cropped and prepared by the device, unseen by the CPU."""

from __future__ import annotations

from atlas_hpe_pipelines.device_path.crop import HardwareCrop
from atlas_hpe_pipelines.device_path.opening import DevicePath, open_device_path

__all__ = ["DevicePath", "HardwareCrop", "open_device_path"]
