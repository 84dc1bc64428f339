"""``acl.util``: addresses of arrays and bytes, and arrays and bytes at addresses."""

from __future__ import annotations

import ctypes
import sys
import warnings
from typing import TYPE_CHECKING, Tuple

import numpy as np

from atlas_hpe_runtime.simulator.calls import AclFailure, acl_call

if TYPE_CHECKING:
    from atlas_hpe_runtime.simulator.machine import Machine
    from atlas_hpe_runtime.simulator.settings import SimulatorSettings

__all__ = [
    "bytes_to_ptr",
    "numpy_contiguous_to_ptr",
    "numpy_to_ptr",
    "ptr_to_bytes",
    "ptr_to_numpy",
]

#: Numbers of NumPy's C types (ascend.md section 1.4).
_DTYPES = {
    0: np.bool_,
    1: np.int8,
    2: np.uint8,
    3: np.int16,
    4: np.uint16,
    5: np.int32,
    6: np.uint32,
    7: np.int64,
    8: np.uint64,
    9: np.int64,
    10: np.uint64,
    11: np.float32,
    12: np.float64,
    23: np.float16,
}
# Frames from the warning to the program: the function that warns, its caller, the wrapper.
_STACK_LEVEL = 4
_WARNS_SINCE = "7.0"


def _has_numpy_forms(settings: SimulatorSettings) -> bool:
    """From CANN 7.0 on they need Python 3.8 (ascend.md section 1.9)."""
    return not settings.has(_WARNS_SINCE, None) or sys.version_info >= (3, 8)


@acl_call("acl.util.numpy_to_ptr", "O", returns="value", when=_has_numpy_forms)
def numpy_to_ptr(machine: Machine, array: object) -> int:
    """The address of an array, which has to stay alive; a strided one only gives a warning."""
    _warn_old(machine, "numpy_to_ptr", "bytes_to_ptr")
    found = _array(array)
    if not found.flags.c_contiguous:
        warnings.warn(
            "The input ndarray is discontiguous. Please use acl.util.bytes_to_ptr instead.",
            Warning,
            stacklevel=_STACK_LEVEL - 1,
        )
    return _address(machine, found)


@acl_call("acl.util.numpy_contiguous_to_ptr", "O", returns="value", when=_has_numpy_forms)
def numpy_contiguous_to_ptr(machine: Machine, array: object) -> Tuple[int, np.ndarray]:
    """The address of a contiguous form of an array, and that form, which has to stay alive."""
    _warn_old(machine, "numpy_contiguous_to_ptr", "bytes_to_ptr")
    found = np.ascontiguousarray(_array(array))
    return _address(machine, found), found


@acl_call("acl.util.ptr_to_numpy", "kOi", returns="value", default=None, when=_has_numpy_forms)
def ptr_to_numpy(machine: Machine, pointer: int, shape: object, kind: int) -> np.ndarray:
    """An array that shares the memory at an address.

    Raises:
        RuntimeError: The program can't reach all of that memory; the device's module makes the
            array, and the process dies when it is used.
    """
    _warn_old(machine, "ptr_to_numpy", "ptr_to_bytes")
    if not isinstance(shape, tuple):
        raise ValueError("shape is empty")  # noqa: TRY004 - the exception of the device's module
    if not all(isinstance(side, int) for side in shape):
        raise TypeError("the second argument is not list of int")
    if kind not in _DTYPES or min(shape, default=0) < 0:
        raise ValueError(f"no array of the type {kind} and the shape {shape}")
    dtype = np.dtype(_DTYPES[kind])
    data = _reach(machine, pointer, _product(shape) * dtype.itemsize)
    return data.view(dtype).reshape(shape)


@acl_call("acl.util.bytes_to_ptr", "O", returns="value", since="6.0")
def bytes_to_ptr(machine: Machine, data: object) -> int:
    """The address of a bytes object, which has to stay alive; writing there changes it."""
    if not isinstance(data, bytes):
        raise ValueError("needs an byte as argument")  # noqa: TRY004 - as the device's module
    address = ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0
    machine.memory.register(address, len(data), data)
    return address


@acl_call("acl.util.ptr_to_bytes", "kk", returns="value", default=b"", since="6.0")
def ptr_to_bytes(machine: Machine, pointer: int, size: int) -> bytes:
    """A copy of the memory at an address.

    Raises:
        RuntimeError: The program can't reach all of that memory; the process would die.
    """
    return _reach(machine, pointer, size).tobytes()


def _array(array: object) -> np.ndarray:
    if not isinstance(array, np.ndarray):
        raise ValueError("needs an ndarray as argument")  # noqa: TRY004 - as the device's module
    return array


def _address(machine: Machine, array: np.ndarray) -> int:
    address = int(array.ctypes.data)
    machine.memory.register(address, array.nbytes if array.flags.c_contiguous else 0, array)
    return address


def _reach(machine: Machine, pointer: int, size: int) -> np.ndarray:
    if not size:
        return np.empty(0, np.uint8)
    try:
        return machine.memory.view(pointer, size, "host")
    except AclFailure:
        raise RuntimeError(
            f"{machine.title}: the program can't reach {size} bytes at {pointer:#x}"
        ) from None


def _product(shape: Tuple[int, ...]) -> int:
    return int(np.prod(shape, dtype=object))


def _warn_old(machine: Machine, name: str, better: str) -> None:
    if machine.settings.has(_WARNS_SINCE, None):
        warnings.warn(
            f"acl.util.{name} will be deprecated. Please use acl.util.{better} instead.",
            Warning,
            stacklevel=_STACK_LEVEL,
        )
