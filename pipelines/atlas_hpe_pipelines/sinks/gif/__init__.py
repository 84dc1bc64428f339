"""Animated GIF: the file format, what of a picture is written, and its colours."""

from __future__ import annotations

from atlas_hpe_pipelines.sinks.gif.writer import GifSink

__all__ = ["GifSink"]
