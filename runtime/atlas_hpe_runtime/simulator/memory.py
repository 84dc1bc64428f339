"""Device, host and DVPP memory with bounds, and who may reach which."""

from __future__ import annotations

import bisect
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

import numpy as np

from atlas_hpe_runtime.simulator.calls import AclFailure
from atlas_hpe_runtime.simulator.codes import INVALID_PARAM, MEMORY_ALLOCATION, PARAM_INVALID
from atlas_hpe_runtime.simulator.ledger import Ledger
from atlas_hpe_runtime.simulator.process_memory import ProcessMemory
from atlas_hpe_runtime.simulator.settings import SimulatorSettings

__all__ = ["ACCESSES", "SPACES", "Memory"]

#: Kinds of memory, with the call that gives it back.
SPACES: Dict[str, str] = {
    "device": "acl.rt.free",
    "host": "acl.rt.free_host",
    "dvpp": "acl.media.dvpp_free",
}
#: Who reaches for a memory: the chip's engines, or the program's processor.
ACCESSES: Tuple[str, ...] = ("device", "host")

_ALIGNMENT = {"device": 64, "host": 64, "dvpp": 128}
# No process can have these addresses: user space ends at 2**47 or 2**48 (x86-64, AArch64).
_CARD_FIRST = 1 << 52
_CARD_GAP = 4096
_GUARD = 64
_GUARD_BYTE, _FRESH_BYTE, _FREED_BYTE = 0xFD, 0xA5, 0xDD
# Only so much of a block is overwritten, so that large blocks cost no time and no real memory.
_MARK_BYTES = 1 << 20
_FREED_BLOCKS, _FREED_BYTES = 512, 32 << 20


@dataclass(frozen=True)
class _Block:
    """A piece of memory that was handed out, with the bytes around it that nobody may touch."""

    start: int
    space: str
    data: np.ndarray
    guards: Tuple[np.ndarray, np.ndarray]

    @property
    def end(self) -> int:
        return self.start + int(self.data.size)


class Memory:
    """The memories of a simulated device and of the program that uses it.

    With ``mode="rc"`` every block has a real address, and both sides reach it. With ``"ep"`` the
    blocks of the card (spaces ``"device"`` and ``"dvpp"``) have addresses that no process can
    reach. Fresh blocks hold old data, freed ones are overwritten and kept back for a while, and
    what is written past an end is noticed when the block is freed.

    Args:
        settings: Mode and size.
        ledger: Where blocks are entered, and misuse is noted.
    """

    def __init__(self, settings: SimulatorSettings, ledger: Ledger) -> None:
        self._one_memory = settings.mode == "rc"
        self._limit = settings.memory_mb << 20
        self._ledger = ledger
        self._process = ProcessMemory(ledger)
        self._used = 0
        self._next_card = _CARD_FIRST
        self._starts: List[int] = []
        self._blocks: Dict[int, _Block] = {}
        self._freed: OrderedDict[int, _Block] = OrderedDict()
        self._lock = threading.RLock()

    def allocate(self, size: int, space: str) -> int:
        """Hand out a block.

        Args:
            size: Bytes.
            space: One of SPACES. A DVPP block starts on a multiple of 128, others
                of 64.

        Raises:
            AclFailure: 100000 for 0 bytes, 207001 if the device's memory is used up.
        """
        if not size:
            raise AclFailure(INVALID_PARAM)
        counted = self._is_counted(space)
        with self._lock:
            if counted and self._used + size > self._limit:
                raise AclFailure(MEMORY_ALLOCATION)
            block = self._make(size, space)
            self._used += size if counted else 0
            self._blocks[block.start] = block
            bisect.insort(self._starts, block.start)
            # The system may hand out an address a second time, once a kept block is let go.
            self._freed.pop(block.start, None)
        self._ledger.add(f"{space} memory", block.start, size)
        return block.start

    def free(self, pointer: int, space: str) -> None:
        """Take a block back.

        Raises:
            AclFailure: 100000 for a null pointer, 107000 if it is not the start of a live block of
                that space (freed before, another space's, an address inside a block).
        """
        if not pointer:
            raise AclFailure(INVALID_PARAM)
        with self._lock:
            block = self._blocks.get(pointer)
            if block is None or block.space != space:
                self._ledger.note(self._why_not_freed(pointer, space))
                raise AclFailure(PARAM_INVALID)
            del self._blocks[pointer]
            self._starts.remove(pointer)
            self._used -= int(block.data.size) if self._is_counted(space) else 0
            self._keep_back(block)
        self._ledger.strike(f"{space} memory", pointer)

    def view(
        self, pointer: int, size: int, access: str, failure: int = PARAM_INVALID
    ) -> np.ndarray:
        """A piece of memory as it is reached from one side.

        Args:
            pointer: First byte; any address inside a block.
            size: Bytes.
            access: ``"device"`` for the chip's engines, which reach blocks only, and on a card only
                the card's; ``"host"`` for the processor, which on a card reaches all but those, and
                the program's own memory.
            failure: Return code for what can't be reached.

        Returns:
            ``uint8 [size]``, writable, which shares the memory.

        Raises:
            AclFailure: ``failure``: null, out of bounds, freed, or of the other side.
        """
        with self._lock:
            block = self._find(pointer)
            if block is not None:
                trouble = self._trouble(block, pointer, size, access)
                if trouble is None:
                    offset = pointer - block.start
                    return block.data[offset : offset + size]
            else:
                trouble = self._gone(pointer)
        if trouble is None and access == "device":
            trouble = "is no memory of the device"
        if trouble is None:
            found = self._process.view(pointer, size)
            if isinstance(found, np.ndarray):
                return found
            trouble = found
        self._ledger.note(f"{access} access to {size} bytes at {pointer:#x}: it {trouble}")
        raise AclFailure(failure)

    def space_of(self, pointer: int) -> Optional[str]:
        """The space of the live block that an address lies in; None for the program's memory."""
        with self._lock:
            block = self._find(pointer)
        return None if block is None else block.space

    def is_on_card(self, pointer: int) -> bool:
        """Whether only the chip reaches the address: it belongs to a card, live or freed."""
        return not self._one_memory and pointer >= _CARD_FIRST

    def register(self, pointer: int, size: int, owner: object) -> None:
        """Remember the bounds of the program's own memory, of which it asked for the address.

        Args:
            pointer: First byte.
            size: Bytes.
            owner: The array or bytes object that holds it; it is not kept alive.
        """
        if size:
            self._process.register(pointer, size, owner)

    def room(self) -> Tuple[int, int]:
        """Free and total bytes of the device's memory."""
        with self._lock:
            return self._limit - self._used, self._limit

    def reserve(self, size: int) -> None:
        """Count memory of the device that the program gets no address of: a model's own.

        Raises:
            AclFailure: 207001 if the device's memory is used up.
        """
        with self._lock:
            if self._used + size > self._limit:
                raise AclFailure(MEMORY_ALLOCATION)
            self._used += size

    def release(self, size: int) -> None:
        """Give back what was reserved."""
        with self._lock:
            self._used -= size

    def _is_counted(self, space: str) -> bool:
        return self._one_memory or space != "host"

    def _make(self, size: int, space: str) -> _Block:
        alignment = _ALIGNMENT[space]
        try:
            raw = np.empty(size + alignment + 2 * _GUARD, np.uint8)
        except (MemoryError, ValueError, OverflowError):  # NumPy's own limits
            raise AclFailure(MEMORY_ALLOCATION) from None
        offset = _GUARD + -(int(raw.ctypes.data) + _GUARD) % alignment
        guards = raw[:offset], raw[offset + size :]
        for guard in guards:
            guard[:] = _GUARD_BYTE
        data = raw[offset : offset + size]
        data[:_MARK_BYTES] = _FRESH_BYTE
        start = int(data.ctypes.data)
        if not self._one_memory and space != "host":
            start = self._next_card
            self._next_card += -(-size // _CARD_GAP) * _CARD_GAP + _CARD_GAP
        return _Block(start, space, data, guards)

    def _find(self, pointer: int) -> Optional[_Block]:
        place = bisect.bisect_right(self._starts, pointer) - 1
        if place < 0:
            return None
        block = self._blocks[self._starts[place]]
        return block if pointer < block.end else None

    def _trouble(self, block: _Block, pointer: int, size: int, access: str) -> Optional[str]:
        if pointer + size > block.end:
            return f"ends {pointer + size - block.end} bytes past its {block.space} block"
        if self._one_memory:
            return None
        if access == "host" and block.space != "host":
            return (
                f"is {block.space} memory of the card, which the program can't reach; "
                "the real call ends the process (segmentation fault)"
            )
        if access == "device" and block.space == "host":
            return "is host memory, which the chip can't reach"
        return None

    def _gone(self, pointer: int) -> Optional[str]:
        if not pointer:
            return "is null"
        for block in self._freed.values():
            if block.start <= pointer < block.end:
                return f"lies in a {block.space} block that was freed"
        if self.is_on_card(pointer):
            return "lies in no block of the card"
        return None

    def _keep_back(self, block: _Block) -> None:
        # Without parts of NumPy that import something: blocks are freed by objects that die while
        # Python shuts down, too.
        if any(guard.tobytes().strip(bytes([_GUARD_BYTE])) for guard in block.guards):
            self._ledger.note(
                f"bytes before or after the {block.space} block {block.start:#x} "
                f"({block.data.size} bytes) were overwritten"
            )
        block.data[:_MARK_BYTES] = _FREED_BYTE
        self._freed[block.start] = block
        kept = sum(int(old.data.size) for old in self._freed.values())
        while kept > _FREED_BYTES or len(self._freed) > _FREED_BLOCKS:
            kept -= int(self._freed.popitem(last=False)[1].data.size)

    def _why_not_freed(self, pointer: int, space: str) -> str:
        call = SPACES[space]
        block = self._find(pointer)
        if block is not None and block.start == pointer:
            return f"{call}({pointer:#x}): it is {block.space} memory, use {SPACES[block.space]}"
        if block is not None:
            return f"{call}({pointer:#x}): it lies inside a block that starts at {block.start:#x}"
        if pointer in self._freed:
            return f"{call}({pointer:#x}): it was freed before"
        return f"{call}({pointer:#x}): no such block was handed out, or it was freed before"
