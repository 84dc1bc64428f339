"""Memory of pictures: used again, and of few kinds however many sizes the pictures have."""

from __future__ import annotations

import pytest

from atlas_hpe.errors import SessionError
from atlas_hpe_runtime.acl.dvpp.pool import MemoryPool
from dvpp_device import machine_of, simulated_device


def test_pictures_of_a_thousand_sizes_share_few_blocks() -> None:
    with simulated_device() as owner:
        pool = MemoryPool(owner)
        for size_bytes in range(1, 1 << 21, 2111):
            pool.give_back(pool.take(size_bytes), size_bytes)
        counts = machine_of(owner).faults.counts()
        assert counts["acl.media.dvpp_malloc"] <= 4 * 21
        pool.close()
        with pytest.raises(SessionError, match="has been released"):
            pool.take(1)


@pytest.mark.parametrize("size_bytes", [1, 4096, 4097, 65_537, 3_110_400])
def test_a_block_holds_what_was_asked_for_and_little_more(size_bytes: int) -> None:
    with simulated_device() as owner:
        pool = MemoryPool(owner)
        pointer = pool.take(size_bytes)
        # The simulator refuses what lies beyond the block.
        owner.acl.call("rt.memset", pointer, size_bytes, 0, size_bytes)
        (block,) = [
            item for item in machine_of(owner).ledger.live() if item.call.endswith("dvpp_malloc")
        ]
        assert size_bytes <= int(block.size or 0) <= max(8192, size_bytes * 5 // 4)
        assert pool.take(size_bytes) != pointer
        pool.close()
