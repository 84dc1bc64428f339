"""ONNX Runtime on the host: the reference that everything else is held against."""

from __future__ import annotations

from pathlib import Path
from typing import List, Sequence, Union

from atlas_hpe.errors import DeviceError, ModelFileError, UsageError
from atlas_hpe.files import read_bytes
from atlas_hpe.onnx_file import read_onnx_summary
from atlas_hpe_runtime.backends import SessionOptions
from atlas_hpe_runtime.host.library import failure_types, load_onnxruntime, quiet_settings
from atlas_hpe_runtime.host.session import OnnxRuntimeSession
from atlas_hpe_runtime.session import BASIS_EMULATED, BASIS_HOST

__all__ = ["open_model"]

_CPU = "CPUExecutionProvider"


def open_model(path: Path, options: SessionOptions) -> OnnxRuntimeSession:
    """Load an .onnx file.

    Args:
        path: The file.
        options: ``threads``, ``providers`` (of ONNX Runtime, the first that can takes a node; the
            CPU alone when there are none) and ``half`` (every value is rounded to half precision
            after each node, as on the board; slow) count here.

    Raises:
        UsageError: A provider that this ONNX Runtime does not have.
        MissingExtraError: onnxruntime is not installed.
        DeviceError: It is installed but can't be loaded, or a provider can't be started.
        ModelFileError: The file is damaged, unsafe, or not one that ONNX Runtime takes.
    """
    onnxruntime = load_onnxruntime("running an .onnx")
    providers = _check_providers(options.providers, onnxruntime.get_available_providers())
    read_onnx_summary(path)  # refuses damaged files and weights from outside the folder
    model: Union[str, bytes] = _emulate_half(path) if options.half else str(path)
    failures = failure_types()
    try:
        session = onnxruntime.InferenceSession(
            model, quiet_settings(options.threads), providers=providers
        )
    except failures as error:
        raise ModelFileError(
            "ONNX Runtime does not take the model",
            where=path,
            why=str(error).strip(),
            fix="look at it with: atlas-hpe inspect " + str(path),
        ) from error
    _check_started(providers, session.get_providers())
    return OnnxRuntimeSession(session, failures, BASIS_EMULATED if options.half else BASIS_HOST)


def _check_providers(wanted: Sequence[str], available: Sequence[str]) -> List[str]:
    """The providers to ask for; ONNX Runtime itself would only warn about one it lacks."""
    for name in wanted:
        if name not in available:
            raise UsageError(
                f"this ONNX Runtime has no provider '{name}'",
                where="providers",
                why="it has " + ", ".join(available),
                fix="choose one of those, or install the onnxruntime package that brings it",
            )
    return list(wanted) or [_CPU]


def _check_started(wanted: Sequence[str], running: Sequence[str]) -> None:
    """ONNX Runtime goes on without a provider whose libraries it can't load."""
    for name in wanted:
        if name not in running:
            raise DeviceError(
                f"ONNX Runtime could not start the provider '{name}'",
                why="its libraries or its device can't be used; running: " + ", ".join(running),
                fix="install what the provider needs, or leave it out",
            )


def _emulate_half(path: Path) -> bytes:
    from atlas_hpe_runtime.simulator.half import half_graph  # the board's programs do without

    return half_graph(read_bytes(path))
