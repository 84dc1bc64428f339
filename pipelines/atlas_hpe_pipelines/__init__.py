"""Frames -> crops -> poses -> pictures; ``Pipeline`` is the front door.

Names are loaded when they are first used: OpenCV is heavy, and ``--help`` does not need it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from atlas_hpe.lazy import lazy_attributes

if TYPE_CHECKING:
    from atlas_hpe_pipelines.decoders import DECODERS, DecodedHand, decode_hand, decode_joints
    from atlas_hpe_pipelines.drawing import SHOW, DrawOptions, Renderer, draw_hands
    from atlas_hpe_pipelines.movement import (
        check_worst_pictures,
        draw_movement,
        write_worst_pictures,
    )
    from atlas_hpe_pipelines.pipeline import Pipeline
    from atlas_hpe_pipelines.preprocess import (
        crop_picture,
        cut_sample,
        input_affine,
        prepare_sample,
        to_feeds,
    )
    from atlas_hpe_pipelines.run_report import (
        OutputReport,
        RunReport,
        StageReport,
        format_run_report,
    )
    from atlas_hpe_pipelines.sinks import OutputOptions, Sink, check_output, open_sink
    from atlas_hpe_pipelines.smoothing import SMOOTHING, HandSmoother
    from atlas_hpe_pipelines.sources import Source, SourceOptions, open_device_video, open_source
    from atlas_hpe_pipelines.tracking import HandDetector, HandFinder, HandReader

_HOMES = {
    "decoders": ("DECODERS", "DecodedHand", "decode_hand", "decode_joints"),
    "drawing": ("SHOW", "DrawOptions", "Renderer", "draw_hands"),
    "movement": ("check_worst_pictures", "draw_movement", "write_worst_pictures"),
    "pipeline": ("Pipeline",),
    "preprocess": ("crop_picture", "cut_sample", "input_affine", "prepare_sample", "to_feeds"),
    "run_report": ("OutputReport", "RunReport", "StageReport", "format_run_report"),
    "sinks": ("OutputOptions", "Sink", "check_output", "open_sink"),
    "smoothing": ("SMOOTHING", "HandSmoother"),
    "sources": ("Source", "SourceOptions", "open_device_video", "open_source"),
    "tracking": ("HandDetector", "HandFinder", "HandReader"),
}

__all__ = [
    "DECODERS",
    "SHOW",
    "SMOOTHING",
    "DecodedHand",
    "DrawOptions",
    "HandDetector",
    "HandFinder",
    "HandReader",
    "HandSmoother",
    "OutputOptions",
    "OutputReport",
    "Pipeline",
    "Renderer",
    "RunReport",
    "Sink",
    "Source",
    "SourceOptions",
    "StageReport",
    "check_output",
    "check_worst_pictures",
    "crop_picture",
    "cut_sample",
    "decode_hand",
    "decode_joints",
    "draw_hands",
    "draw_movement",
    "format_run_report",
    "input_affine",
    "open_device_video",
    "open_sink",
    "open_source",
    "prepare_sample",
    "to_feeds",
    "write_worst_pictures",
]

__getattr__ = lazy_attributes(
    __name__, {name: f"{__name__}.{home}" for home, names in _HOMES.items() for name in names}
)
