"""Device memory and copies to and from it, with the copy kinds of the run mode.

On the board itself (RC mode) host and device are one memory: only device memory is allocated and
every copy is of the kind device to device. With a card (EP mode) the kinds are host to device and
device to host (ascend.md section 1.8). Copies are synchronous, because rt.memcpy_async fails on
the Atlas 200 DK (section 10, row 21).
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from atlas_hpe_runtime.acl.api import acquire
from atlas_hpe_runtime.acl.constants import (
    COPY_DEVICE_TO_DEVICE,
    COPY_DEVICE_TO_HOST,
    COPY_HOST_TO_DEVICE,
    MALLOC_NORMAL_ONLY,
)
from atlas_hpe_runtime.acl.owner import DeviceOwner
from atlas_hpe_runtime.acl.pointers import array_pointer

__all__ = ["DeviceBuffer", "allocate", "read_array", "write_array"]


@dataclass(frozen=True)
class DeviceBuffer:
    """A block of device memory.

    Attributes:
        pointer: Its address on the device.
        size_bytes: Its size.
    """

    pointer: int
    size_bytes: int


def allocate(stack: ExitStack, owner: DeviceOwner, size_bytes: int) -> DeviceBuffer:
    """Allocate device memory that the stack frees.

    Raises:
        DeviceError: There is not enough.
    """
    pointer = acquire(stack, owner.acl, "rt.malloc", size_bytes, MALLOC_NORMAL_ONLY, undo="rt.free")
    return DeviceBuffer(pointer, size_bytes)


def write_array(owner: DeviceOwner, buffer: DeviceBuffer, array: np.ndarray) -> None:
    """Copy a C-contiguous array to the start of a buffer.

    Raises:
        DeviceError: The copy failed.
    """
    kind = COPY_DEVICE_TO_DEVICE if owner.on_board else COPY_HOST_TO_DEVICE
    source = array_pointer(owner.acl, array)
    owner.acl.call("rt.memcpy", buffer.pointer, buffer.size_bytes, source, array.nbytes, kind)


def read_array(owner: DeviceOwner, pointer: int, array: np.ndarray) -> None:
    """Fill a C-contiguous array from device memory.

    Raises:
        DeviceError: The copy failed.
    """
    kind = COPY_DEVICE_TO_DEVICE if owner.on_board else COPY_DEVICE_TO_HOST
    target = array_pointer(owner.acl, array)
    owner.acl.call("rt.memcpy", target, array.nbytes, pointer, array.nbytes, kind)
