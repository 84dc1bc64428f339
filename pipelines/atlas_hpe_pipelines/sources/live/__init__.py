"""Sources that deliver frames when they come: cameras, RTSP and HTTP streams.

A thread (``grabber``) reads the camera or stream and connects again when it is lost; frames wait in
a ``mailbox``, which keeps all or the newest only; ``source`` is what the pipeline sees of it.
"""

from __future__ import annotations

from atlas_hpe_pipelines.sources.live.camera import open_camera
from atlas_hpe_pipelines.sources.live.credentials import hide_credentials
from atlas_hpe_pipelines.sources.live.stream import open_stream

__all__ = ["hide_credentials", "open_camera", "open_stream"]
