"""The program's own memory: arrays, bytes and whatever else it has the address of."""

from __future__ import annotations

import ctypes
import mmap
import threading
import weakref
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from typing import Callable, Optional, Union

import numpy as np

from atlas_hpe_runtime.simulator.ledger import Ledger

__all__ = ["ProcessMemory"]

_MOST_PAGES = 1 << 24
_MOST = 1024


@dataclass(frozen=True)
class _Known:
    start: int
    size: int
    is_alive: Callable[[], bool]


class ProcessMemory:
    """Looks at addresses that the device did not hand out.

    Args:
        ledger: Where the use of an array that is gone is noted.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._known: OrderedDict[int, _Known] = OrderedDict()
        self._lock = threading.Lock()

    def register(self, pointer: int, size: int, owner: object) -> None:
        """Remember the bounds of an object's memory, without keeping the object alive."""
        is_alive = _watch(owner)
        with self._lock:
            old = self._known.pop(pointer, None)
            if old is not None and old.size > size and old.is_alive():
                size, is_alive = old.size, old.is_alive  # the new one is a part of the old
            self._known[pointer] = _Known(pointer, size, is_alive)
            if len(self._known) > _MOST:
                self._known.popitem(last=False)

    def view(self, pointer: int, size: int) -> Union[np.ndarray, str]:
        """The memory as ``uint8 [size]``, or what is wrong with it, to follow "it"."""
        with self._lock:
            known = self._find(pointer)
            if known is not None and not known.is_alive():
                del self._known[known.start]
                self._ledger.note(
                    f"the array at {known.start:#x} is gone, but its address is still in use: "
                    "keep a reference to the array"
                )
                known = None
        if known is not None and pointer + size > known.start + known.size:
            return f"ends {pointer + size - known.start - known.size} bytes past its array"
        if known is None and not _is_mapped(pointer, size):
            return (
                "is no memory of the program; the real call ends the process (segmentation fault)"
            )
        memory = (ctypes.c_uint8 * size).from_address(pointer)
        return np.frombuffer(memoryview(memory), np.uint8)

    def _find(self, pointer: int) -> Optional[_Known]:
        exact = self._known.get(pointer)
        if exact is not None:
            return exact
        around = [
            known
            for known in self._known.values()
            if known.start <= pointer < known.start + known.size
        ]
        return max(around, key=lambda known: known.start + known.size, default=None)


def _watch(owner: object) -> Callable[[], bool]:
    """Whether an object still lives; one that can't be watched is taken to."""
    while isinstance(owner, np.ndarray) and isinstance(owner.base, np.ndarray):
        owner = owner.base  # the memory lives as long as the array that it was made for
    if not isinstance(owner, np.ndarray) or owner.base is not None:
        return lambda: True
    reference = weakref.ref(owner)
    return lambda: reference() is not None


def _is_mapped(pointer: int, size: int) -> bool:
    """Whether every page is memory of this process, which mincore(2) knows; else not asked."""
    first = pointer - pointer % mmap.PAGESIZE
    pages = -(-(pointer + size - first) // mmap.PAGESIZE)
    if pages > _MOST_PAGES:
        return False
    ask = _find_mincore()
    if ask is None:
        return pointer > 0
    resident = (ctypes.c_ubyte * pages)()
    return ask(ctypes.c_void_p(first), ctypes.c_size_t(pages * mmap.PAGESIZE), resident) == 0


@lru_cache(maxsize=None)
def _find_mincore() -> Optional[Callable[..., int]]:
    try:
        function: Callable[..., int] = ctypes.CDLL(None).mincore
    except (AttributeError, OSError, TypeError):  # not a POSIX system
        return None
    return function
