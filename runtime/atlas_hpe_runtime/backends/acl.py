"""pyACL: runs an .om on an Ascend device."""

from __future__ import annotations

from pathlib import Path
from typing import Union

from atlas_hpe.errors import ModelFileError
from atlas_hpe_runtime.acl.api import load_acl
from atlas_hpe_runtime.acl.session import AclSession
from atlas_hpe_runtime.backends import SessionOptions

__all__ = ["open_model"]


def open_model(model: Union[Path, bytes], options: SessionOptions) -> AclSession:
    """Load an .om.

    Args:
        model: The file, or its content.
        options: ``device``, ``frames_in_flight``, ``batch`` and ``image_size`` count here.

    Raises:
        MissingExtraError: There is no pyACL on this machine.
        DeviceError: The device or the model can't be used; nothing is left behind.
        ModelFileError: An .onnx, or the model has inputs or outputs that can't be fed or read.
        UsageError: The model has no profile as the options want it.
    """
    acl = load_acl()
    if isinstance(model, Path) and model.suffix.lower() == ".onnx" and not acl.simulated:
        raise ModelFileError(
            "an Ascend device does not run .onnx files",
            where=model,
            fix=f"compile it with atc: atlas-hpe convert {model}; or use --backend onnxruntime",
        )
    return AclSession(acl, model, options)
