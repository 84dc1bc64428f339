"""The numbers that stand for objects of the device."""

from __future__ import annotations

import threading
from typing import Dict, Tuple

from atlas_hpe_runtime.simulator.calls import AclFailure
from atlas_hpe_runtime.simulator.codes import INVALID_PARAM
from atlas_hpe_runtime.simulator.ledger import Ledger

__all__ = ["Handles"]

_FIRST = 0x1000_0000
_STEP = 0x10
# Model ids are small numbers on the device too, and 32 bits wide.
_NUMBERED = ("model",)


class Handles:
    """Hands out numbers for objects, and never the same number twice.

    Args:
        ledger: Where each handle is entered and struck out.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._objects: Dict[int, Tuple[str, object]] = {}
        self._next = {kind: 1 for kind in _NUMBERED}
        self._next_address = _FIRST
        self._lock = threading.Lock()

    def add(self, kind: str, value: object, *, listed: bool = True, size: int = 0) -> int:
        """Hand out a number for an object.

        Args:
            kind: What it is, in words for the ledger: ``"stream"``, ``"dataset"``, ...
            value: The object.
            listed: Whether the program has to give it back, and so whether the ledger has it.
            size: Bytes for the ledger, 0 where that means nothing.
        """
        with self._lock:
            if kind in self._next:
                handle = self._next[kind]
                self._next[kind] += 1
            else:
                handle = self._next_address
                self._next_address += _STEP
            self._objects[handle] = (kind, value)
        if listed:
            self._ledger.add(kind, handle, size)
        return handle

    def get(self, kind: str, handle: int) -> object:
        """The object of a handle.

        Raises:
            AclFailure: 100000, there is none, it is of another kind, or it was destroyed.
        """
        with self._lock:
            found, value = self._objects.get(handle, ("", None))
        if found != kind:
            raise AclFailure(INVALID_PARAM)
        return value

    def remove(self, kind: str, handle: int) -> object:
        """Take a handle back; the object it stood for.

        Raises:
            AclFailure: 100000, as for ``get``.
        """
        with self._lock:
            found, value = self._objects.get(handle, ("", None))
            if found != kind:
                raise AclFailure(INVALID_PARAM)
            del self._objects[handle]
        self._ledger.strike(kind, handle)
        return value

    def all_of(self, kind: str) -> Tuple[Tuple[int, object], ...]:
        """All handles of one kind with their objects, oldest first."""
        with self._lock:
            items = list(self._objects.items())
        return tuple((handle, value) for handle, (found, value) in items if found == kind)
