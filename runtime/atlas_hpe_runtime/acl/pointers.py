"""Addresses of host memory, in both generations of pyACL (ascend.md sections 1.4 and 1.9).

Releases that have ``bytes_to_ptr`` give up the NumPy forms: on newer ones each call warns, and on
Python 3.7 they are gone. Older releases have the NumPy forms only. An address is a plain integer
for both, and whoever asks for it keeps the memory alive.
"""

from __future__ import annotations

import numpy as np

from atlas_hpe_runtime.acl.api import Acl

__all__ = ["array_pointer", "bytes_pointer"]


def array_pointer(acl: Acl, array: np.ndarray) -> int:
    """The address of a C-contiguous array.

    Raises:
        DeviceError: ACL refused the array.
    """
    if acl.has("util.bytes_to_ptr"):
        # It takes bytes only, which would be a copy; the array knows its address as well.
        return int(array.__array_interface__["data"][0])
    return acl.number("util.numpy_to_ptr", array)


def bytes_pointer(acl: Acl, data: bytes) -> int:
    """The address of the content of ``data``.

    Raises:
        DeviceError: ACL refused it.
    """
    if acl.has("util.bytes_to_ptr"):
        return acl.number("util.bytes_to_ptr", data)
    return acl.number("util.numpy_to_ptr", np.frombuffer(data, np.uint8))
