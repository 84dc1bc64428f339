"""``acl.init``, ``acl.finalize`` and the other calls of the top level."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from atlas_hpe_runtime.simulator.calls import AclFailure, acl_call
from atlas_hpe_runtime.simulator.codes import (
    INVALID_FILE,
    PARSE_FILE,
    REPEAT_FINALISE,
    REPEAT_INITIALISE,
)

if TYPE_CHECKING:
    from atlas_hpe_runtime.simulator.machine import Machine

__all__ = ["app_log", "finalize", "get_soc_name", "init"]

_LEVELS = {2: "warning", 3: "error"}


@acl_call("acl.init", "|s")
def init(machine: Machine, config: str = "") -> None:
    """Once per process: even after ``acl.finalize`` it gives 100002."""
    with machine.lock:
        if machine.initialised or machine.was_initialised:
            raise AclFailure(REPEAT_INITIALISE)
        if config:
            _check_config(Path(config))
        machine.initialised = machine.was_initialised = True
    machine.ledger.add("init", 0)


@acl_call("acl.finalize")
def finalize(machine: Machine) -> None:
    """Works without ``acl.init`` too; the second one gives 100037."""
    with machine.lock:
        if machine.finalised:
            raise AclFailure(REPEAT_FINALISE)
        machine.finalised = True
        machine.initialised = False
    machine.ledger.strike("init", 0)
    left = len(machine.ledger.live())
    if left:
        machine.ledger.note(f"acl.finalize before everything was released ({left} left)")


@acl_call("acl.get_soc_name", returns="value", default=None)
def get_soc_name(machine: Machine) -> str:
    """The name of the chip; needs no ``acl.init``."""
    return machine.settings.soc


@acl_call("acl.app_log", "is", returns="value", default=None)
def app_log(machine: Machine, level: int, message: str) -> None:
    """Warnings (2) and errors (3) go to stderr; the device has a log file for all levels."""
    if level in _LEVELS:
        sys.stderr.write(f"{machine.title}: app_log {_LEVELS[level]}: {message}\n")


def _check_config(path: Path) -> None:
    try:
        text = path.read_bytes()
    except OSError:
        raise AclFailure(INVALID_FILE) from None
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        raise AclFailure(PARSE_FILE) from None
