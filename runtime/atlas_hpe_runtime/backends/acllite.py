"""AclLite: runs an .om through Huawei's classes, on boards that are set up for them."""

from __future__ import annotations

from pathlib import Path

from atlas_hpe_runtime.acl.api import load_acl
from atlas_hpe_runtime.acllite.library import load_model_class
from atlas_hpe_runtime.acllite.session import AclLiteSession
from atlas_hpe_runtime.backends import SessionOptions

__all__ = ["open_model"]


def open_model(path: Path, options: SessionOptions) -> AclLiteSession:
    """Load an .om.

    Args:
        path: The file.
        options: ``device`` and ``batch`` count here.

    Raises:
        MissingExtraError: There is no pyACL or no AclLite on this machine.
        DeviceError: The device or the model can't be used; nothing is left behind.
        ModelFileError: The model has ports or profiles that AclLite can't run.
        UsageError: The model has no profile as the options want it.
    """
    acl = load_acl()  # before AclLite, which asks for the run mode while it is imported
    return AclLiteSession(load_model_class(), acl, path, options)
