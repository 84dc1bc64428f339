"""A simulated module ``acl`` for tests, without installing it."""

from __future__ import annotations

from typing import Any, Tuple

from atlas_hpe_runtime.simulator import Machine, SimulatorSettings, build_acl


def fresh(**settings: Any) -> Tuple[Any, Machine]:
    """The module and its machine, nothing called yet."""
    machine = Machine(SimulatorSettings(**settings))
    return build_acl(machine), machine


def started(**settings: Any) -> Tuple[Any, Machine]:
    """The module and its machine, with device 0 set."""
    acl, machine = fresh(**settings)
    assert acl.init() == 0
    assert acl.rt.set_device(0) == 0
    return acl, machine


def good(answer: Tuple[Any, int]) -> Any:
    """The value of a ``(value, ret)``; the call must have worked."""
    value, ret = answer
    assert ret == 0
    return value


def live_kinds(machine: Machine) -> Tuple[str, ...]:
    return tuple(entry.kind for entry in machine.ledger.live())
