"""Why a device refused a model: what the file says, beside the bare code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Optional, Union

from atlas_hpe.errors import AtlasHpeError, DeviceError, InputError, ModelFileError
from atlas_hpe.simulated_file import SIMULATED_WORDS, is_simulated_file
from atlas_hpe_runtime.acl.api import Acl

__all__ = ["explain_refusal"]


def explain_refusal(acl: Acl, model: Union[Path, bytes], error: DeviceError) -> AtlasHpeError:
    """The error for a model that could not be loaded, with the cause if the file shows one.

    Only called after a failure, so that a model that loads is not read twice. On the simulator
    nothing is changed.

    Args:
        acl: The gate.
        model: Path of the .om, or its content.
        error: What the device said.

    Returns:
        A better error, or the one that was given.
    """
    if acl.simulated:
        return error
    # Needed after a failure only.
    from atlas_hpe.om_file import find_misfit, parse_om, read_om_summary

    try:
        if _is_simulated(model):
            return _simulated(error)
        summary = parse_om(model) if isinstance(model, bytes) else read_om_summary(model)
    except ModelFileError as damage:
        why = ": ".join(part for part in (damage.what, damage.why) if part)
        return _with_cause(error, why, damage.fix)
    except (InputError, OSError):
        return error
    misfit = find_misfit(summary, soc=_chip(acl), cann=_release())
    if misfit is None:
        return error
    if not misfit.fatal:
        return _with_cause(error, f"{misfit.what}: {misfit.why}", misfit.fix)
    why = f"{misfit.why} ({_said(error)})"
    return DeviceError(misfit.what, where=error.where, why=why, fix=misfit.fix)


def _is_simulated(model: Union[Path, bytes]) -> bool:
    if isinstance(model, bytes):
        return model.startswith(SIMULATED_WORDS)
    return is_simulated_file(model)


def _simulated(error: DeviceError) -> ModelFileError:
    return ModelFileError(
        "this is a simulated model, which runs on the simulator only",
        where=error.where,
        why=f"the board's compiler did not make it ({_said(error)})",
        fix="use --backend simulator, or compile it: atlas-hpe convert MODEL.onnx",
    )


def _with_cause(error: DeviceError, cause: str, fix: Optional[str]) -> DeviceError:
    why = f"{error.why}; {cause}"
    return DeviceError(error.what, where=error.where, why=why, fix=fix or error.fix)


def _said(error: DeviceError) -> str:
    return f"{error.what}: {error.why}"


def _chip(acl: Acl) -> Optional[str]:
    """The device's chip; None when this generation does not tell."""
    if not acl.has("get_soc_name"):
        return None
    name, code = acl.try_call("get_soc_name")
    return name if code == 0 and isinstance(name, str) else None


def _release() -> Optional[str]:
    """Version of the CANN that this process runs with, None when nothing tells."""
    from atlas_hpe.cann.runtime import find_runtime

    install = find_runtime(os.environ)
    return None if install is None else install.version
