"""Memory: allocate, free, copy and set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Tuple

import numpy as np

from atlas_hpe_runtime.simulator.calls import AclFailure, acl_call
from atlas_hpe_runtime.simulator.codes import INVALID_PARAM, PARAM_INVALID, SYSTEM_DMA

if TYPE_CHECKING:
    from atlas_hpe_runtime.simulator.machine import Machine

__all__ = [
    "free",
    "free_host",
    "malloc",
    "malloc_host",
    "memcpy",
    "memcpy_async",
    "memset",
    "memset_async",
]

_HOST_TO_HOST = 0
#: Kind of a copy -> sides of source and destination.
_SIDES = {
    _HOST_TO_HOST: ("host", "host"),
    1: ("host", "device"),
    2: ("device", "host"),
    3: ("device", "device"),
}


@acl_call("acl.rt.malloc", "ki", returns="value+ret", needs="context")
def malloc(machine: Machine, size: int, policy: int) -> int:
    """Device memory; a policy that is not known means the usual one, as on the device."""
    return machine.memory.allocate(size, "device")


@acl_call("acl.rt.free", "k", needs="context")
def free(machine: Machine, pointer: int) -> None:
    """Give back what ``malloc`` gave."""
    machine.memory.free(pointer, "device")


@acl_call("acl.rt.malloc_host", "k", returns="value+ret", needs="context")
def malloc_host(machine: Machine, size: int) -> int:
    """Host memory; on the board itself that is the device's."""
    return machine.memory.allocate(size, "host")


@acl_call("acl.rt.free_host", "k", needs="context")
def free_host(machine: Machine, pointer: int) -> None:
    """Give back what ``malloc_host`` gave."""
    machine.memory.free(pointer, "host")


@acl_call("acl.rt.memcpy", "kkkki", needs="context")
def memcpy(
    machine: Machine, target: int, capacity: int, source: int, count: int, kind: int
) -> None:
    """Copy ``count`` bytes; destination first."""
    _check_copy(target, capacity, source, count, kind)
    _copy(machine, target, source, count, kind)


@acl_call("acl.rt.memcpy_async", "kkkkik", needs="context")
def memcpy_async(
    machine: Machine, target: int, capacity: int, source: int, count: int, kind: int, stream: int
) -> None:
    """As ``memcpy``, in a stream; kind 0 fails there (ascend.md section 1.8)."""
    _check_copy(target, capacity, source, count, kind)

    def task() -> None:
        if kind == _HOST_TO_HOST:
            raise AclFailure(SYSTEM_DMA)
        _copy(machine, target, source, count, kind)

    machine.stream(stream).submit(task)


@acl_call("acl.rt.memset", "kkik", needs="context")
def memset(machine: Machine, pointer: int, capacity: int, value: int, count: int) -> None:
    """Set ``count`` bytes to the lowest 8 bits of ``value``."""
    _check_set(pointer, capacity, count)
    _set(machine, pointer, value, count)


@acl_call("acl.rt.memset_async", "kkikk", needs="context")
def memset_async(
    machine: Machine, pointer: int, capacity: int, value: int, count: int, stream: int
) -> None:
    """As ``memset``, in a stream."""
    _check_set(pointer, capacity, count)
    machine.stream(stream).submit(lambda: _set(machine, pointer, value, count))


def _check_copy(target: int, capacity: int, source: int, count: int, kind: int) -> None:
    if not target or not source or kind not in _SIDES:
        raise AclFailure(INVALID_PARAM)
    if not 0 < count <= capacity:
        raise AclFailure(PARAM_INVALID)


def _check_set(pointer: int, capacity: int, count: int) -> None:
    if not pointer:
        raise AclFailure(INVALID_PARAM)
    if not 0 < count <= capacity:
        raise AclFailure(PARAM_INVALID)


def _copy(machine: Machine, target: int, source: int, count: int, kind: int) -> None:
    source_side, target_side = _sides(machine, source, target, kind)
    destination = machine.memory.view(target, count, target_side)
    np.copyto(destination, machine.memory.view(source, count, source_side))


def _set(machine: Machine, pointer: int, value: int, count: int) -> None:
    machine.memory.view(pointer, count, _side(machine, pointer))[:] = value & 0xFF


def _sides(machine: Machine, source: int, target: int, kind: int) -> Tuple[str, str]:
    """From where the processor or the card's engine reach source and destination.

    On the board itself the processor copies, whatever the kind. For a card the kind has to fit in
    the oldest generation; from CANN 6.0 on the addresses decide (ascend.md section 1.2).
    """
    sides = _side(machine, source), _side(machine, target)
    oldest = not machine.settings.has(since="6.0", until=None)
    if machine.settings.mode == "ep" and oldest and sides != _SIDES[kind]:
        machine.ledger.note(
            f"a copy of kind {kind} ({' to '.join(_SIDES[kind])}) from {sides[0]} memory "
            f"to {sides[1]} memory"
        )
        raise AclFailure(PARAM_INVALID)
    return sides


def _side(machine: Machine, pointer: int) -> str:
    return "device" if machine.memory.is_on_card(pointer) else "host"
