"""``acl.media``: memory for DVPP, and channels for pictures (ascend.md section 5.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atlas_hpe_runtime.simulator.calls import AclFailure, acl_call
from atlas_hpe_runtime.simulator.media.codes import (
    BAD_PARAMETER,
    CHANNEL_STILL_OPEN,
    NOT_SUPPORTED,
    Refusal,
)
from atlas_hpe_runtime.simulator.media.fields import find, make_creator
from atlas_hpe_runtime.simulator.media.objects import ChannelDesc

if TYPE_CHECKING:
    from atlas_hpe_runtime.simulator.machine import Machine

__all__ = [
    "check_channel",
    "check_dvpp_memory",
    "create_channel",
    "destroy_channel",
    "destroy_channel_desc",
    "dvpp_free",
    "dvpp_malloc",
    "set_channel_desc_mode",
]

_DESC = "channel description"
_CHANNEL = "DVPP channel"

_create_desc = make_creator(
    __name__, "dvpp_create_channel_desc", _DESC, ChannelDesc, needs="context"
)


@acl_call("acl.media.dvpp_malloc", "k", returns="value+ret", needs="context")
def dvpp_malloc(machine: Machine, size: int) -> int:
    """Device memory that DVPP reaches; its address is a multiple of 16."""
    return machine.memory.allocate(size, "dvpp")


@acl_call("acl.media.dvpp_free", "k", needs="context")
def dvpp_free(machine: Machine, pointer: int) -> None:
    """Give memory of ``dvpp_malloc`` back."""
    machine.memory.free(pointer, "dvpp")


@acl_call("acl.media.dvpp_destroy_channel_desc", "k")
def destroy_channel_desc(machine: Machine, handle: int) -> None:
    """Destroy a description; 148051 while its channel is open. A null handle is no failure."""
    if not handle:
        return
    if find(machine, _DESC, handle, ChannelDesc).channel:
        raise AclFailure(CHANNEL_STILL_OPEN)
    machine.handles.remove(_DESC, handle)


@acl_call("acl.media.dvpp_set_channel_desc_mode", "kI")
def set_channel_desc_mode(machine: Machine, handle: int, mode: int) -> None:
    """Other chips choose their units here; Ascend 310 answers 200006."""
    find(machine, _DESC, handle, ChannelDesc)
    raise AclFailure(NOT_SUPPORTED)


@acl_call("acl.media.dvpp_create_channel", "k", needs="context")
def create_channel(machine: Machine, handle: int) -> None:
    """Open a channel."""
    desc = find(machine, _DESC, handle, ChannelDesc)
    with machine.lock:
        if desc.channel:
            raise AclFailure(BAD_PARAMETER)
        desc.channel = machine.handles.add(_CHANNEL, desc)


@acl_call("acl.media.dvpp_destroy_channel", "k", needs="context")
def destroy_channel(machine: Machine, handle: int) -> None:
    """Close a channel."""
    desc = find(machine, _DESC, handle, ChannelDesc)
    with machine.lock:
        if not desc.channel:
            raise AclFailure(BAD_PARAMETER)
        machine.handles.remove(_CHANNEL, desc.channel)
        desc.channel = 0


def check_channel(machine: Machine, handle: int) -> None:
    """Raise 100000 unless the description's channel is open."""
    if not find(machine, _DESC, handle, ChannelDesc).channel:
        raise Refusal("the channel is not open")


def check_dvpp_memory(machine: Machine, pointer: int, size: int) -> None:
    """Raise 100000 unless all these bytes are memory of ``dvpp_malloc``."""
    if machine.memory.space_of(pointer) != "dvpp":
        raise Refusal(f"address {pointer:#x} is no memory of dvpp_malloc")
    machine.memory.view(pointer, size, "device", BAD_PARAMETER)
