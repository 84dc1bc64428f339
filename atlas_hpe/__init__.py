"""Take a PyTorch hand-pose network to an Ascend board, and prove that it still says the same.

The functions mirror the commands. Each is loaded when it is first used: ``import atlas_hpe``
costs nothing and works on a board without torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from atlas_hpe.lazy import lazy_attributes
from atlas_hpe.version import __version__

if TYPE_CHECKING:
    from atlas_hpe.card import ModelCard, load_card
    from atlas_hpe.errors import AtlasHpeError
    from atlas_hpe.geometry import Box
    from atlas_hpe.nets.spec import NetworkSpec
    from atlas_hpe.parity import Sample, compare, record_bundle, replay_bundle
    from atlas_hpe.poses import Frame, HandPose
    from atlas_hpe_export import check_onnx, compile_om, export_onnx, run_ladder
    from atlas_hpe_pipelines import Pipeline
    from atlas_hpe_runtime import open_session

__all__ = [
    "AtlasHpeError",
    "Box",
    "Frame",
    "HandPose",
    "ModelCard",
    "NetworkSpec",
    "Pipeline",
    "Sample",
    "__version__",
    "check_onnx",
    "compare",
    "compile_om",
    "export_onnx",
    "load_card",
    "open_session",
    "record_bundle",
    "replay_bundle",
    "run_ladder",
]

__getattr__ = lazy_attributes(
    __name__,
    {
        "AtlasHpeError": "atlas_hpe.errors",
        "Box": "atlas_hpe.geometry",
        "Frame": "atlas_hpe.poses",
        "HandPose": "atlas_hpe.poses",
        "ModelCard": "atlas_hpe.card",
        "NetworkSpec": "atlas_hpe.nets.spec",
        "Pipeline": "atlas_hpe_pipelines",
        "Sample": "atlas_hpe.parity",
        "check_onnx": "atlas_hpe_export",
        "compare": "atlas_hpe.parity",
        "compile_om": "atlas_hpe_export",
        "export_onnx": "atlas_hpe_export",
        "load_card": "atlas_hpe.card",
        "open_session": "atlas_hpe_runtime",
        "record_bundle": "atlas_hpe.parity",
        "replay_bundle": "atlas_hpe.parity",
        "run_ladder": "atlas_hpe_export",
    },
)
