"""Where frames come from.

To add a source: write ``sources/<kind>.py`` with a class that keeps ``Source`` and let
``open_source`` choose it.
"""

from __future__ import annotations

from atlas_hpe_pipelines.sources.device_frame import DeviceFrame
from atlas_hpe_pipelines.sources.device_video import DeviceVideo, HostVideo, open_device_video
from atlas_hpe_pipelines.sources.opening import AnySource, open_source
from atlas_hpe_pipelines.sources.source import Source, SourceOptions
from atlas_hpe_pipelines.sources.video import VideoSource

__all__ = [
    "AnySource",
    "DeviceFrame",
    "DeviceVideo",
    "HostVideo",
    "Source",
    "SourceOptions",
    "VideoSource",
    "open_device_video",
    "open_source",
]
