"""The laptop's side: PyTorch -> ONNX that the board's compiler takes, with proof.

Each name is loaded when it is first used (PEP 562), because torch and onnx take seconds to load and
are not there on a board.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, List, Optional

from atlas_hpe.errors import MissingExtraError
from atlas_hpe.lazy import lazy_attributes

if TYPE_CHECKING:
    from atlas_hpe_export.check import (
        CheckReport,
        Finding,
        check_onnx,
        check_to_dict,
        describe_check,
    )
    from atlas_hpe_export.convert import AippRequest, ConvertOptions, ConvertReport, compile_om
    from atlas_hpe_export.export import export_file, export_onnx
    from atlas_hpe_export.export_report import ExportReport, describe_export, export_to_dict
    from atlas_hpe_export.inputs.checkpoint import Checkpoint, load_checkpoint
    from atlas_hpe_export.inputs.recognition import recognise
    from atlas_hpe_export.parity.bisection import bisection_to_dict, describe_bisection
    from atlas_hpe_export.parity.explain import (
        bisect_model,
        check_bisection_folder,
        compare_model_layers,
    )
    from atlas_hpe_export.parity.ladder import run_ladder
    from atlas_hpe_export.parity.layers import describe_layers, layers_to_dict
    from atlas_hpe_export.parity.network import open_network
    from atlas_hpe_export.parity.reference import NetworkOptions
    from atlas_hpe_export.rewrites import describe_rewrites, rewrites_to_dict

__all__ = [
    "AippRequest",
    "CheckReport",
    "Checkpoint",
    "ConvertOptions",
    "ConvertReport",
    "ExportReport",
    "Finding",
    "NetworkOptions",
    "bisect_model",
    "bisection_to_dict",
    "check_bisection_folder",
    "check_onnx",
    "check_to_dict",
    "compare_model_layers",
    "compile_om",
    "describe_bisection",
    "describe_check",
    "describe_export",
    "describe_layers",
    "describe_rewrites",
    "export_file",
    "export_onnx",
    "export_to_dict",
    "layers_to_dict",
    "load_checkpoint",
    "open_network",
    "recognise",
    "rewrites_to_dict",
    "run_ladder",
]

_HOMES: Dict[str, str] = {
    "AippRequest": "convert",
    "CheckReport": "check",
    "Checkpoint": "inputs.checkpoint",
    "ConvertOptions": "convert",
    "ConvertReport": "convert",
    "ExportReport": "export_report",
    "Finding": "check",
    "NetworkOptions": "parity.reference",
    "bisect_model": "parity.explain",
    "bisection_to_dict": "parity.bisection",
    "check_bisection_folder": "parity.explain",
    "check_onnx": "check",
    "check_to_dict": "check",
    "compare_model_layers": "parity.explain",
    "compile_om": "convert",
    "describe_bisection": "parity.bisection",
    "describe_check": "check",
    "describe_export": "export_report",
    "describe_rewrites": "rewrites",
    "describe_layers": "parity.layers",
    "export_file": "export",
    "export_onnx": "export",
    "export_to_dict": "export_report",
    "layers_to_dict": "parity.layers",
    "load_checkpoint": "inputs.checkpoint",
    "open_network": "parity.network",
    "recognise": "inputs.recognition",
    "rewrites_to_dict": "rewrites",
    "run_ladder": "parity.ladder",
}
_EXTRA = ("torch", "onnx", "onnx_ir", "onnxruntime", "onnxsim", "onnxscript")


def _explain_missing(error: ModuleNotFoundError) -> Optional[MissingExtraError]:
    """The line that installs the extra, when it is one of its libraries that is missing."""
    if error.name is None or error.name.partition(".")[0] not in _EXTRA:
        return None
    return MissingExtraError.for_module(error.name, "export", "exporting a model")


__getattr__ = lazy_attributes(
    __name__,
    {name: f"{__name__}.{home}" for name, home in _HOMES.items()},
    explain_missing=_explain_missing,
)


def __dir__() -> List[str]:
    """All public names, loaded or not."""
    return sorted(__all__)
