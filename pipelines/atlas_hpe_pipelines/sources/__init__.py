"""Where frames come from.

To add a source: write ``sources/<kind>.py`` with a class that keeps ``Source`` and let
``open_source`` choose it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Union

from atlas_hpe_pipelines.sources.device_frame import DeviceFrame
from atlas_hpe_pipelines.sources.device_video import DeviceVideo, HostVideo, open_device_video
from atlas_hpe_pipelines.sources.source import Source
from atlas_hpe_pipelines.sources.video import VideoSource

__all__ = [
    "DeviceFrame",
    "DeviceVideo",
    "HostVideo",
    "Source",
    "VideoSource",
    "open_device_video",
    "open_source",
]


def open_source(source: Union[str, Path]) -> Source:
    """Open a source by what the user typed.

    Raises:
        InputError: The file is missing, a folder, or not readable.
        SourceError: No frame can be decoded from it.
    """
    return VideoSource(Path(source))
