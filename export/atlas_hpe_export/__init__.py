"""The laptop's side: PyTorch -> ONNX that the board's compiler takes, with proof.

Each name is loaded when it is first used (PEP 562), because torch and onnx take seconds to load and
are not there on a board.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, List, Optional

from atlas_hpe.errors import MissingExtraError
from atlas_hpe.lazy import lazy_attributes

if TYPE_CHECKING:
    from atlas_hpe_export.checkpoint import Checkpoint, load_checkpoint
    from atlas_hpe_export.checkpoint_parity import compare_checkpoint
    from atlas_hpe_export.export import export_checkpoint, export_onnx
    from atlas_hpe_export.export_report import ExportReport, describe_export, export_to_dict
    from atlas_hpe_export.parity import compare
    from atlas_hpe_export.parity_report import ParityReport, describe_parity, parity_to_dict
    from atlas_hpe_export.recognition import recognise
    from atlas_hpe_export.targets import TARGETS, Target
    from atlas_hpe_export.tolerances import TOLERANCES, Tolerance

__all__ = [
    "TARGETS",
    "TOLERANCES",
    "Checkpoint",
    "ExportReport",
    "ParityReport",
    "Target",
    "Tolerance",
    "compare",
    "compare_checkpoint",
    "describe_export",
    "describe_parity",
    "export_checkpoint",
    "export_onnx",
    "export_to_dict",
    "load_checkpoint",
    "parity_to_dict",
    "recognise",
]

_HOMES: Dict[str, str] = {
    "TARGETS": "targets",
    "TOLERANCES": "tolerances",
    "Checkpoint": "checkpoint",
    "ExportReport": "export_report",
    "ParityReport": "parity_report",
    "Target": "targets",
    "Tolerance": "tolerances",
    "compare": "parity",
    "compare_checkpoint": "checkpoint_parity",
    "describe_export": "export_report",
    "describe_parity": "parity_report",
    "export_checkpoint": "export",
    "export_onnx": "export",
    "export_to_dict": "export_report",
    "load_checkpoint": "checkpoint",
    "parity_to_dict": "parity_report",
    "recognise": "recognition",
}
_EXTRA = ("torch", "onnx", "onnxruntime", "onnxsim", "onnxscript")


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
