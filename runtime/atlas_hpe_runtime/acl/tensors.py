"""Arrays that stay in device memory, handed from one model to the next without a host copy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

import numpy as np
from typing_extensions import Protocol

from atlas_hpe.card import TensorSpec
from atlas_hpe.errors import SessionError
from atlas_hpe_runtime.acl.memory import read_array
from atlas_hpe_runtime.acl.owner import DeviceOwner

__all__ = ["DeviceTensor", "MemoryOwner", "check_alive", "read_tensor"]


class MemoryOwner(Protocol):
    """Whoever holds the memory of tensors: a session, or a stage of DVPP."""

    def holds(self, tensor: DeviceTensor) -> bool:
        """Whether the tensor's content is still there, neither released nor written over."""


@dataclass(frozen=True)
class DeviceTensor:
    """An array in device memory; a session takes it as a feed in place of an ndarray.

    Attributes:
        pointer: Its address on the device.
        size_bytes: Bytes that may be read from there.
        spec: Name, shape and element type; the name is the producer's.
        owner: Who holds the memory.
        device: The device that it lies on.
        generation: The owner's count of what lay there, this array included.
    """

    pointer: int
    size_bytes: int
    spec: TensorSpec
    owner: MemoryOwner
    device: DeviceOwner
    generation: int = 0

    @property
    def shape(self) -> Tuple[int, ...]:
        """Shape, as an ndarray has it."""
        return self.spec.shape

    @property
    def dtype(self) -> np.dtype:
        """Element type, as an ndarray has it."""
        return np.dtype(self.spec.dtype)


def check_alive(tensor: DeviceTensor) -> None:
    """Make sure that the tensor's content is still there.

    Raises:
        SessionError: Its owner released it, or has written over it.
    """
    if not tensor.owner.holds(tensor):
        raise SessionError(
            f"the device tensor '{tensor.spec.name}' is no longer there",
            why="whoever made it was closed or has used its memory again",
            fix="use it before its maker runs twice more, or copy it with read_tensor()",
        )


def read_tensor(tensor: DeviceTensor) -> np.ndarray:
    """Copy a tensor to the host; the array belongs to the caller.

    Raises:
        SessionError: Its content is no longer there.
        DeviceError: The copy failed.
    """
    check_alive(tensor)
    array = np.empty(tensor.shape, tensor.dtype)
    with tensor.device:
        read_array(tensor.device, tensor.pointer, array)
    return array
