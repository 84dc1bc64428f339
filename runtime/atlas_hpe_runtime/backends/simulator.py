"""The simulated device: the code that runs on the board, on a machine without one."""

from __future__ import annotations

import os
import sys
import threading
from functools import lru_cache
from pathlib import Path

from atlas_hpe.files import read_bytes
from atlas_hpe.onnx_file import read_onnx_summary
from atlas_hpe_runtime.acl.api import Acl, load_acl
from atlas_hpe_runtime.acl.session import AclSession
from atlas_hpe_runtime.backends import SessionOptions
from atlas_hpe_runtime.host.library import load_onnxruntime
from atlas_hpe_runtime.simulator.child import LEDGERS
from atlas_hpe_runtime.simulator.install import build_acl
from atlas_hpe_runtime.simulator.machine import Machine
from atlas_hpe_runtime.simulator.model_file import MARKER, read_simulated_model
from atlas_hpe_runtime.simulator.settings import SimulatorSettings

__all__ = ["open_model"]

_GATES_LOCK = threading.Lock()  # two threads that open the first session get one device


def open_model(path: Path, options: SessionOptions) -> AclSession:
    """Load a simulated model, or an .onnx as atc would take it without any option.

    The variables ATLAS_HPE_SIM_MODE, _CANN, _SOC, _DEVICES, _MEMORY_MB and _FAIL say what is
    simulated. All sessions of a process with the same settings are on the same simulated device.

    Args:
        path: The file.
        options: As for the back-end ``acl``.

    Raises:
        UsageError: An impossible setting, or the model has no profile as the options want it.
        MissingExtraError: onnxruntime is not installed.
        ModelFileError: A real .om, or a damaged or unsafe file.
        DeviceError: The simulated device refused a request; nothing is left behind.
    """
    load_onnxruntime("the simulator")
    content = read_bytes(path)
    read_simulated_model(content, str(path))
    if not content.startswith(MARKER):
        read_onnx_summary(path)  # says more than the code that a device gives
    return AclSession(_gate(), path, options)


def _gate() -> Acl:
    """The gate of the simulator that the process runs on, else of one of its own."""
    # Under "atlas-hpe simulate" acl is the simulator, whether it was imported or not yet.
    if hasattr(sys.modules.get("acl"), "__simulated__") or os.environ.get(LEDGERS):
        return load_acl()
    with _GATES_LOCK:
        return _make_gate(SimulatorSettings.from_environment())


@lru_cache(maxsize=None)
def _make_gate(settings: SimulatorSettings) -> Acl:
    return Acl(build_acl(Machine(settings)), simulated=True)
