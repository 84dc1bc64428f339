"""A drop-in module ``acl`` without a board: the device's side of the runtime, simulated.

What is faithful and what is not: docs/simulator.md.
"""

from __future__ import annotations

from atlas_hpe_runtime.simulator.calls import AclFailure, acl_call
from atlas_hpe_runtime.simulator.install import build_acl, install, uninstall
from atlas_hpe_runtime.simulator.ledger import LiveHandle
from atlas_hpe_runtime.simulator.machine import Machine
from atlas_hpe_runtime.simulator.settings import SimulatorSettings

__all__ = [
    "AclFailure",
    "LiveHandle",
    "Machine",
    "SimulatorSettings",
    "acl_call",
    "build_acl",
    "install",
    "uninstall",
]
