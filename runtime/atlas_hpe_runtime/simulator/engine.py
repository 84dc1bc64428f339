"""ONNX Runtime as the arithmetic of the simulated device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atlas_hpe.errors import ModelFileError
from atlas_hpe_runtime.host.library import failure_types, load_onnxruntime, quiet_settings

if TYPE_CHECKING:
    import onnxruntime

__all__ = ["open_engine"]


_THREADS = 1  # of one run: the program's own threads run beside it


def open_engine(onnx: bytes, *, optimise: bool = True) -> onnxruntime.InferenceSession:
    """Open a graph on the processor.

    Args:
        onnx: A whole ONNX file, weights included.
        optimise: False leaves the graph as it is, which opens faster.

    Raises:
        MissingExtraError: onnxruntime is not installed.
        DeviceError: It is installed but can't be loaded.
        ModelFileError: It does not take the graph.
    """
    library = load_onnxruntime("the simulator")
    settings = quiet_settings(_THREADS)
    if not optimise:
        settings.graph_optimization_level = library.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return library.InferenceSession(onnx, settings, providers=["CPUExecutionProvider"])
    except failure_types() as error:
        raise ModelFileError(
            "ONNX Runtime does not take the model", why=str(error).strip()
        ) from error
