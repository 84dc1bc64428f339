"""Devices and contexts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Tuple

from atlas_hpe_runtime.simulator.calls import AclFailure, acl_call
from atlas_hpe_runtime.simulator.codes import (
    CONTEXT_NULL,
    DEVICE_ID,
    INVALID_PARAM,
    PARAM_INVALID,
)
from atlas_hpe_runtime.simulator.machine import Context

if TYPE_CHECKING:
    from atlas_hpe_runtime.simulator.machine import Machine

__all__ = [
    "create_context",
    "destroy_context",
    "get_context",
    "get_device",
    "get_device_count",
    "get_mem_info",
    "get_run_mode",
    "reset_device",
    "set_context",
    "set_device",
]

_RUN_ON_DEVICE, _RUN_ON_HOST = 0, 1
_DDR_KINDS, _HBM_KINDS = (0, 2, 3), (1, 4, 5)


@acl_call("acl.rt.set_device", "i")
def set_device(machine: Machine, device: int) -> None:
    """Also makes the device's default context the current one of the calling thread."""
    _check_device(machine, device)
    with machine.lock:
        context = machine.devices.get(device)
        if context is None:
            context = Context(device)
            context.handle = machine.handles.add("context", context, listed=False)
            machine.devices[device] = context
            machine.ledger.add("device", device)
    machine.set_device_context(context)


@acl_call("acl.rt.reset_device", "i")
def reset_device(machine: Machine, device: int) -> None:
    """Ends the device's contexts; 107001 if it is not in use."""
    _check_device(machine, device)
    with machine.lock:
        contexts = [
            context
            for _, context in machine.handles.all_of("context")
            if isinstance(context, Context) and context.device == device and context.alive
        ]
        if not contexts:
            raise AclFailure(DEVICE_ID)
        for context in contexts:
            context.alive = False
            context.default_stream.close()
        default = machine.devices.pop(device, None)
        if default is not None:
            machine.handles.remove("context", default.handle)
    machine.ledger.strike("device", device)


@acl_call("acl.rt.get_device", returns="value+ret", needs="context")
def get_device(machine: Machine) -> int:
    """The device of the current context."""
    return machine.context().device


@acl_call("acl.rt.get_device_count", returns="value+ret")
def get_device_count(machine: Machine) -> int:
    """How many devices there are."""
    return machine.settings.devices


@acl_call("acl.rt.get_run_mode", returns="value+ret")
def get_run_mode(machine: Machine) -> int:
    """0 on the board itself, 1 on the host of a card; needs no ``acl.init``."""
    return _RUN_ON_DEVICE if machine.settings.mode == "rc" else _RUN_ON_HOST


@acl_call("acl.rt.create_context", "i", returns="value+ret")
def create_context(machine: Machine, device: int) -> int:
    """A new context, which becomes the current one of the calling thread."""
    _check_device(machine, device)
    context = Context(device)
    context.handle = machine.handles.add("context", context)
    machine.set_context(context)
    return context.handle


@acl_call("acl.rt.destroy_context", "k")
def destroy_context(machine: Machine, handle: int) -> None:
    """107000 for the default context of a device, which goes with ``reset_device``."""
    context = _context(machine, handle)
    with machine.lock:
        if context in machine.devices.values():
            raise AclFailure(PARAM_INVALID)
        machine.handles.remove("context", handle)
        context.alive = False
        context.default_stream.close()
    machine.leave_context(context)


@acl_call("acl.rt.set_context", "k")
def set_context(machine: Machine, handle: int) -> None:
    """Make a context the current one of the calling thread."""
    context = _context(machine, handle)
    if not context.alive:
        raise AclFailure(CONTEXT_NULL)
    machine.set_context(context)


@acl_call("acl.rt.get_context", returns="value+ret", needs="context")
def get_context(machine: Machine) -> int:
    """The current context of the calling thread."""
    return machine.context().handle


@acl_call("acl.rt.get_mem_info", "i", returns="values+ret", default=(0, 0), needs="context")
def get_mem_info(machine: Machine, kind: int) -> Tuple[int, int]:
    """Free and total bytes; the Ascend 310 has DDR (0), and no HBM (1)."""
    if kind in _DDR_KINDS:
        return machine.memory.room()
    if kind in _HBM_KINDS:
        return 0, 0
    raise AclFailure(PARAM_INVALID)


def _check_device(machine: Machine, device: int) -> None:
    if not 0 <= device < machine.settings.devices:
        raise AclFailure(DEVICE_ID)


def _context(machine: Machine, handle: int) -> Context:
    if not handle:
        raise AclFailure(INVALID_PARAM)
    try:
        context = machine.handles.get("context", handle)
    except AclFailure:
        context = None
    if not isinstance(context, Context):
        raise AclFailure(CONTEXT_NULL)
    return context
