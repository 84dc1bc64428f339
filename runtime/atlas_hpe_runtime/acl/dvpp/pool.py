"""Device memory for pictures and coded data that is used again and again."""

from __future__ import annotations

from collections import deque
from contextlib import ExitStack
from typing import Deque, Dict

from atlas_hpe.errors import SessionError
from atlas_hpe_runtime.acl.api import acquire
from atlas_hpe_runtime.acl.dvpp.layout import align
from atlas_hpe_runtime.acl.owner import DeviceOwner

__all__ = ["MemoryPool"]

#: Blocks are multiples of a page, and large ones of a quarter of a power of two: pictures of a
#: thousand sizes then share a few kinds of blocks, at the price of a quarter more memory at most.
_PAGE_BYTES = 1 << 12


class MemoryPool:
    """Blocks of DVPP memory; the one that is given back is the next one that is taken.

    Any thread may give a block back, also the garbage collector. Closing frees all blocks, those
    that are still in use too.

    Args:
        owner: The device; stays the caller's.
    """

    def __init__(self, owner: DeviceOwner) -> None:
        self.owner = owner
        self._resources = ExitStack()
        self._free: Dict[int, Deque[int]] = {}
        self.closed = False

    def take(self, size_bytes: int) -> int:
        """The address of a block that holds so many bytes; its content is anything.

        Raises:
            SessionError: The pool is closed.
            DeviceError: The device has no memory left.
        """
        if self.closed:
            raise SessionError("the device memory of the pictures has been released")
        block_bytes = _block_bytes(size_bytes)
        free = self._free.setdefault(block_bytes, deque())
        try:
            return free.pop()
        except IndexError:
            pass
        with self.owner:
            return acquire(
                self._resources,
                self.owner.acl,
                "media.dvpp_malloc",
                block_bytes,
                undo="media.dvpp_free",
            )

    def give_back(self, pointer: int, size_bytes: int) -> None:
        """Let a block be used again.

        Args:
            pointer: What ``take`` gave.
            size_bytes: What it was asked for.
        """
        # A deque's append needs no lock: the garbage collector may call this at any moment.
        self._free[_block_bytes(size_bytes)].append(pointer)

    def close(self) -> None:
        """Free all blocks; calling it again does nothing.

        Raises:
            DeviceError: A block could not be freed at the first try; all others were.
        """
        self.closed = True
        with self.owner.for_release():
            self._resources.close()


def _block_bytes(size_bytes: int) -> int:
    """Size of the block for so many bytes."""
    quarter = 1 << max(0, size_bytes.bit_length() - 3)
    return align(size_bytes, max(_PAGE_BYTES, quarter))
