"""The laptop's side: PyTorch -> ONNX that the board's compiler takes, with proof.

Each name is loaded when it is first used (PEP 562), because torch and onnx take seconds to load and
are not there on a board.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Dict, List

from atlas_hpe.errors import MissingExtraError

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


def __getattr__(name: str) -> object:
    """Load a public name from its module on first use.

    Raises:
        MissingExtraError: A library of the extra ``export`` is not installed.
    """
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'atlas_hpe_export' has no attribute '{name}'")
    try:
        module = importlib.import_module(f"atlas_hpe_export.{home}")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in _EXTRA:
            raise
        raise MissingExtraError.for_module(error.name, "export", "exporting a model") from error
    value: object = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> List[str]:
    """All public names, loaded or not."""
    return sorted(__all__)
