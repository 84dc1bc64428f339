"""Arrays that are used again, so that a running pipeline allocates nothing large per frame."""

from __future__ import annotations

import sys
import threading
from typing import List, Sequence, Tuple, Type, Union

import numpy as np

__all__ = ["PictureBuffers"]

#: A picture waits in front of a stage or is worked on; more than these are seldom on their way.
MOST = 32


class PictureBuffers:
    """Gives out arrays, and gives one out again once nobody else refers to it.

    A fresh picture costs more than its malloc: the C library hands blocks of this size back to the
    system, and every page of the next one is a page fault with 4096 bytes to clear.

    Who is done with an array is not told but seen: NumPy makes every view refer to the array that
    owns the memory (``view.base``; a view of a view refers to the owner as well), a memoryview or
    a tensor of another library does too. So as long as anybody can reach the memory, the owner's
    reference count says so, and an array that a caller keeps is never overwritten. A raw address
    (``array.ctypes.data``) or a weak reference keeps nothing: hold the array beside it.

    Reference counts are exact in CPython with its interpreter lock; elsewhere each array is fresh.

    Have an object for each kind of picture: when none fits, those of other sizes that nobody uses
    are forgotten, so that a source that changes its size does not leave its old pictures in memory.

    Args:
        most: Arrays remembered at most. When more are in use the oldest is forgotten: it stays its
            user's and is freed as any other array.

    Threads may share one object.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most if _counts_are_exact() else 0
        self._kept: List[np.ndarray] = []
        self._lock = threading.Lock()

    def take(
        self, shape: Sequence[int], dtype: Union[Type[np.generic], np.dtype] = np.uint8
    ) -> np.ndarray:
        """An array for the caller alone, C-contiguous and writeable; its content is arbitrary.

        Args:
            shape: Its shape.
            dtype: Its type.
        """
        wanted: Tuple[int, ...] = tuple(shape)
        with self._lock:
            array = self._find(wanted, np.dtype(dtype))
            self._kept.append(array)
            del self._kept[: max(0, len(self._kept) - self._most)]
            return array

    def _find(self, shape: Tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """An array that nobody uses, taken out of those kept, or a fresh one."""
        unused = [index for index in range(len(self._kept)) if _count(self._kept, index) == _UNUSED]
        for index in unused:
            if self._kept[index].shape == shape and self._kept[index].dtype == dtype:
                array = self._kept.pop(index)
                array.setflags(write=True)  # the last user may have protected it
                return array
        for index in reversed(unused):
            del self._kept[index]
        return np.empty(shape, dtype)


def _count(arrays: List[np.ndarray], index: int) -> int:
    """References to one array of a list, the list's and the look itself included."""
    return sys.getrefcount(arrays[index])


#: The count of an array that only its list refers to: measured, for it depends on the interpreter.
_UNUSED = _count([np.empty(0)], 0)


def _counts_are_exact() -> bool:
    has_lock = getattr(sys, "_is_gil_enabled", lambda: True)  # 3.13 and later may run without
    return sys.implementation.name == "cpython" and bool(has_lock())
