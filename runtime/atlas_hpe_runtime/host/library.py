"""The ONNX Runtime library itself: loaded when it is needed, quiet, and silent to its makers."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, List, Optional, Tuple, Type

from atlas_hpe.errors import DeviceError, MissingExtraError

if TYPE_CHECKING:
    import onnxruntime

__all__ = ["failure_types", "load_onnxruntime", "quiet_settings"]

_FATAL_ONLY = 4  # errors come as exceptions, and need no second voice on the terminal


def load_onnxruntime(purpose: str) -> ModuleType:
    """Import the library.

    Args:
        purpose: What needs it, for example "running an .onnx".

    Raises:
        MissingExtraError: It is not installed.
        DeviceError: It is installed but can't be loaded.
    """
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise MissingExtraError.for_module("onnxruntime", "host", purpose) from error
    except ImportError as error:
        raise DeviceError(
            "onnxruntime is installed but can't be loaded",
            why=str(error),
            fix="pip install --force-reinstall onnxruntime",
        ) from error
    onnxruntime.disable_telemetry_events()  # nothing is reported home
    module: ModuleType = onnxruntime
    return module


def quiet_settings(threads: Optional[int]) -> onnxruntime.SessionOptions:
    """Settings of a session.

    Args:
        threads: Threads that compute one run, None for one per core.
    """
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = _FATAL_ONLY
    if threads is not None:
        settings.intra_op_num_threads = threads
    # Waiting threads must not spin: the other stages of a pipeline need those cores.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return settings


def failure_types() -> Tuple[Type[Exception], ...]:
    """ONNX Runtime raises a class per status code, all direct children of Exception."""
    from onnxruntime.capi import onnxruntime_pybind11_state as states

    found: List[Type[Exception]] = [RuntimeError]
    found += [
        item
        for item in vars(states).values()
        if isinstance(item, type) and issubclass(item, Exception)
    ]
    return tuple(found)
