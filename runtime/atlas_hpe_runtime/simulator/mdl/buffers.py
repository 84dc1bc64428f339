"""Data buffers and datasets: what a model is given to read and to write."""

from __future__ import annotations

from typing import TYPE_CHECKING, List

import numpy as np

from atlas_hpe_runtime.simulator.calls import AclFailure, acl_call
from atlas_hpe_runtime.simulator.codes import INVALID_PARAM
from atlas_hpe_runtime.simulator.mdl.constants import ACL_DTYPES

if TYPE_CHECKING:
    from atlas_hpe_runtime.simulator.machine import Machine

__all__ = [
    "DataBuffer",
    "add_dataset_buffer",
    "create_data_buffer",
    "create_dataset",
    "data_type_size",
    "destroy_data_buffer",
    "destroy_dataset",
    "find_buffer",
    "find_dataset",
    "get_data_buffer_addr",
    "get_data_buffer_size",
    "get_data_buffer_size_v2",
    "get_dataset_buffer",
    "get_dataset_num_buffers",
    "update_data_buffer",
]

_SIZES = {number: np.dtype(name).itemsize for name, number in ACL_DTYPES.items()}
_BUFFER, _DATASET = "data buffer", "dataset"


class DataBuffer:
    """An address and a size, which the program may change; the memory is not its own."""

    def __init__(self, pointer: int, size: int) -> None:
        self.pointer = pointer
        self.size = size


class _Dataset:
    """Handles of data buffers, in order."""

    def __init__(self) -> None:
        self.buffers: List[int] = []


def find_buffer(machine: Machine, handle: int) -> DataBuffer:
    """The data buffer of a handle.

    Raises:
        AclFailure: 100000, there is none.
    """
    buffer = machine.handles.get(_BUFFER, handle)
    if not isinstance(buffer, DataBuffer):
        raise AclFailure(INVALID_PARAM)
    return buffer


def find_dataset(machine: Machine, handle: int) -> List[DataBuffer]:
    """The data buffers of a dataset.

    Raises:
        AclFailure: 100000, there is no such dataset, or one of its buffers was destroyed.
    """
    return [find_buffer(machine, buffer) for buffer in _dataset(machine, handle).buffers]


def _dataset(machine: Machine, handle: int) -> _Dataset:
    dataset = machine.handles.get(_DATASET, handle)
    if not isinstance(dataset, _Dataset):
        raise AclFailure(INVALID_PARAM)
    return dataset


@acl_call("acl.data_type_size", "i", returns="value")
def data_type_size(machine: Machine, dtype: int) -> int:
    """Bytes of an element; 0 for a type without a fixed size."""
    return _SIZES.get(dtype, 0)


@acl_call("acl.create_data_buffer", "kk", returns="value")
def create_data_buffer(machine: Machine, pointer: int, size: int) -> int:
    """A buffer that points to memory of the program."""
    return machine.handles.add(_BUFFER, DataBuffer(pointer, size))


@acl_call("acl.destroy_data_buffer", "k")
def destroy_data_buffer(machine: Machine, buffer: int) -> None:
    """Give a buffer back; its memory stays."""
    machine.handles.remove(_BUFFER, buffer)


@acl_call("acl.update_data_buffer", "kkk")
def update_data_buffer(machine: Machine, buffer: int, pointer: int, size: int) -> None:
    """Point a buffer to other memory."""
    found = find_buffer(machine, buffer)
    with machine.lock:
        found.pointer, found.size = pointer, size


@acl_call("acl.get_data_buffer_addr", "k", returns="value")
def get_data_buffer_addr(machine: Machine, buffer: int) -> int:
    """Where a buffer points."""
    return find_buffer(machine, buffer).pointer


@acl_call("acl.get_data_buffer_size", "k", returns="value")
def get_data_buffer_size(machine: Machine, buffer: int) -> int:
    """Bytes of a buffer, cut to 32 bits."""
    return find_buffer(machine, buffer).size & 0xFFFFFFFF


@acl_call("acl.get_data_buffer_size_v2", "k", returns="value")
def get_data_buffer_size_v2(machine: Machine, buffer: int) -> int:
    """Bytes of a buffer."""
    return find_buffer(machine, buffer).size


@acl_call("acl.mdl.create_dataset", returns="value")
def create_dataset(machine: Machine) -> int:
    """An empty list of buffers."""
    return machine.handles.add(_DATASET, _Dataset())


@acl_call("acl.mdl.destroy_dataset", "k")
def destroy_dataset(machine: Machine, dataset: int) -> None:
    """Give the list back; its buffers stay."""
    machine.handles.remove(_DATASET, dataset)


@acl_call("acl.mdl.add_dataset_buffer", "kk", returns="value+ret")
def add_dataset_buffer(machine: Machine, dataset: int, buffer: int) -> int:
    """Append a buffer; the dataset comes back."""
    find_buffer(machine, buffer)
    found = _dataset(machine, dataset)
    with machine.lock:
        found.buffers.append(buffer)
    return dataset


@acl_call("acl.mdl.get_dataset_num_buffers", "k", returns="value")
def get_dataset_num_buffers(machine: Machine, dataset: int) -> int:
    """How many buffers a dataset has."""
    return len(_dataset(machine, dataset).buffers)


@acl_call("acl.mdl.get_dataset_buffer", "kk", returns="value")
def get_dataset_buffer(machine: Machine, dataset: int, index: int) -> int:
    """A buffer of a dataset, 0 where there is none."""
    buffers = _dataset(machine, dataset).buffers
    return buffers[index] if index < len(buffers) else 0
