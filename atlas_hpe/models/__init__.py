"""The models that ship with the package, each an .onnx with its card inside."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Optional

from atlas_hpe.errors import ModelFileError

__all__ = [
    "DEFAULT_DETECTOR",
    "DEFAULT_MODEL",
    "SHIPPED_MODELS",
    "default_detector_path",
    "default_model_path",
]

#: Model -> one line about it. The file is ``models/<name>.onnx``, in words ``models/<name>.md``.
SHIPPED_MODELS: Dict[str, str] = {
    "hand_detector": "hands in a whole picture, for hand_landmark to read",
    "hand_landmark": "one hand in a square crop: joints, relative depth, side",
}
DEFAULT_MODEL = "hand_landmark"
DEFAULT_DETECTOR = "hand_detector"


def default_model_path() -> Path:
    """The model that runs when none is named.

    Raises:
        ModelFileError: The installation is incomplete.
    """
    path = Path(__file__).with_name(f"{DEFAULT_MODEL}.onnx")
    if not path.is_file():
        raise ModelFileError(
            "the default model is missing from this installation",
            where=path,
            fix="install atlas-hpe again, or name a model with --model",
        )
    return path


def default_detector_path() -> Optional[Path]:
    """The detector that finds the hands when none is named, None when none is installed."""
    path = Path(__file__).with_name(f"{DEFAULT_DETECTOR}.onnx")
    return path if path.is_file() else None
