"""Video files that browsers play, encoded by the ffmpeg that imageio-ffmpeg brings."""

from __future__ import annotations

from atlas_hpe_pipelines.sinks.video.writer import Mp4Sink, WebmSink

__all__ = ["Mp4Sink", "WebmSink"]
