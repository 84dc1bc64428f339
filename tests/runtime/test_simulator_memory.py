"""Device, host and DVPP memory: bounds, sides, and what is noticed."""

from __future__ import annotations

import ctypes
import gc
from typing import Any, Dict, List, Tuple

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from simulated import good, started

from atlas_hpe_runtime.simulator import AclFailure, Machine, SimulatorSettings
from atlas_hpe_runtime.simulator.memory import Memory

MODES = ["rc", "ep"]
CARD = 1 << 52


def memory_of(**options: Any) -> Tuple[Memory, Machine]:
    machine = Machine(SimulatorSettings(**options))
    return machine.memory, machine


def code_of(call: Any, *arguments: Any) -> int:
    with pytest.raises(AclFailure) as caught:
        call(*arguments)
    failure: AclFailure = caught.value
    return failure.code


OPERATIONS = st.one_of(
    st.tuples(
        st.just("allocate"), st.integers(1, 300), st.sampled_from(["device", "host", "dvpp"])
    ),
    st.tuples(st.just("free"), st.integers(0, 9), st.just("")),
    st.tuples(st.just("set"), st.integers(0, 9), st.integers(0, 255)),
    st.tuples(st.just("copy"), st.integers(0, 9), st.integers(0, 9)),
)


@settings(max_examples=60)
@given(st.sampled_from(MODES), st.lists(OPERATIONS, max_size=40))
def test_memory_does_what_byte_arrays_do(mode: str, operations: List[Any]) -> None:
    memory, machine = memory_of(mode=mode)
    model: Dict[int, Tuple[str, bytearray]] = {}

    def reach(pointer: int, size: int) -> np.ndarray:
        side = "device" if memory.is_on_card(pointer) else "host"
        return memory.view(pointer, size, side)

    for what, first, second in operations:
        pointers = list(model)
        if what == "allocate":
            pointer = memory.allocate(first, second)
            model[pointer] = (second, bytearray(reach(pointer, first).tobytes()))
        elif not pointers:
            continue
        elif what == "free":
            pointer = pointers[first % len(pointers)]
            memory.free(pointer, model.pop(pointer)[0])
        elif what == "set":
            pointer = pointers[first % len(pointers)]
            data = model[pointer][1]
            reach(pointer, len(data))[:] = second
            data[:] = bytes([second]) * len(data)
        else:
            source = pointers[first % len(pointers)]
            target = pointers[second % len(pointers)]
            count = min(len(model[source][1]), len(model[target][1]))
            reach(target, count)[:] = reach(source, count)
            model[target][1][:count] = model[source][1][:count]
        for pointer, (space, data) in model.items():
            assert reach(pointer, len(data)).tobytes() == bytes(data)
            assert memory.space_of(pointer) == memory.space_of(pointer + len(data) - 1) == space
    listed = {entry.handle: (entry.kind, entry.size) for entry in machine.ledger.live()}
    assert listed == {p: (f"{space} memory", len(data)) for p, (space, data) in model.items()}
    counted = [len(d) for space, d in model.values() if mode == "rc" or space != "host"]
    assert memory.room() == ((8192 << 20) - sum(counted), 8192 << 20)
    assert machine.ledger.notes() == ()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("space", "alignment"), [("device", 64), ("host", 64), ("dvpp", 128)])
def test_blocks_are_aligned(mode: str, space: str, alignment: int) -> None:
    memory, _ = memory_of(mode=mode)
    assert all(memory.allocate(size, space) % alignment == 0 for size in (1, 7, 65, 4097))


def test_a_card_has_addresses_that_no_process_has() -> None:
    memory, _ = memory_of(mode="ep")
    assert memory.allocate(8, "device") >= CARD
    assert memory.allocate(8, "dvpp") >= CARD
    assert memory.allocate(8, "host") < CARD


def test_the_board_has_real_addresses() -> None:
    memory, _ = memory_of(mode="rc")
    for space in ("device", "host", "dvpp"):
        pointer = memory.allocate(4, space)
        memory.view(pointer, 4, "device")[:] = [1, 2, 3, 4]
        assert ctypes.string_at(pointer, 4) == b"\1\2\3\4"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("space", ["device", "host", "dvpp"])
def test_freeing_twice_fails_and_is_noted(
    mode: str, space: str, capsys: pytest.CaptureFixture[str]
) -> None:
    memory, machine = memory_of(mode=mode)
    pointer = memory.allocate(8, space)
    memory.free(pointer, space)
    assert code_of(memory.free, pointer, space) == 107000
    assert "it was freed before" in machine.ledger.notes()[0]
    assert "simulated Ascend310: " in capsys.readouterr().err
    assert machine.ledger.live() == ()


def test_what_can_not_be_freed_is_told_apart() -> None:
    memory, machine = memory_of()
    pointer = memory.allocate(64, "device")
    assert code_of(memory.free, 0, "device") == 100000
    assert code_of(memory.free, pointer + 8, "device") == 107000
    assert code_of(memory.free, pointer, "host") == 107000
    assert code_of(memory.free, pointer, "dvpp") == 107000
    assert code_of(memory.free, 12345, "device") == 107000
    inside, host, dvpp, foreign = machine.ledger.notes()
    assert "inside a block" in inside
    assert "device memory, use acl.rt.free" in host
    assert "acl.media.dvpp_free" in dvpp
    assert "no such block" in foreign
    memory.free(pointer, "device")


@pytest.mark.parametrize("mode", MODES)
def test_a_freed_block_is_out_of_reach(mode: str) -> None:
    memory, machine = memory_of(mode=mode)
    pointer = memory.allocate(64, "device")
    memory.free(pointer, "device")
    assert code_of(memory.view, pointer + 3, 8, "device") == 107000
    assert "that was freed" in machine.ledger.notes()[0]


def test_a_freed_block_no_longer_holds_the_data() -> None:
    memory, _ = memory_of()
    pointer = memory.allocate(8, "device")
    data = memory.view(pointer, 8, "host")
    data[:] = 7
    memory.free(pointer, "device")
    assert not (data == 7).any()


def test_a_fresh_block_holds_old_data() -> None:
    memory, _ = memory_of()
    assert set(memory.view(memory.allocate(64, "device"), 64, "host").tobytes()) == {0xA5}


@example("rc", 0, 64)
@example("rc", 0, 65)
@example("ep", 60, 5)
@given(st.sampled_from(MODES), st.integers(0, 80), st.integers(1, 80))
def test_an_access_stays_inside_its_block(mode: str, offset: int, size: int) -> None:
    memory, machine = memory_of(mode=mode)
    pointer = memory.allocate(64, "dvpp")
    if offset + size <= 64:
        assert memory.view(pointer + offset, size, "device").size == size
        assert machine.ledger.notes() == ()
    elif offset < 64:
        assert code_of(memory.view, pointer + offset, size, "device", 507015) == 507015
        past = offset + size - 64
        assert f"ends {past} bytes past its dvpp block" in machine.ledger.notes()[0]
    else:
        assert code_of(memory.view, pointer + offset, size, "device") == 107000


@pytest.mark.parametrize("space", ["device", "dvpp"])
def test_the_program_can_not_reach_a_card(space: str) -> None:
    memory, machine = memory_of(mode="ep")
    pointer = memory.allocate(8, space)
    assert code_of(memory.view, pointer, 8, "host") == 107000
    assert "segmentation fault" in machine.ledger.notes()[0]
    assert code_of(memory.view, CARD + (1 << 40), 8, "host") == 107000


def test_a_card_can_not_reach_the_host() -> None:
    memory, machine = memory_of(mode="ep")
    assert code_of(memory.view, memory.allocate(8, "host"), 8, "device") == 107000
    assert "host memory, which the chip can't reach" in machine.ledger.notes()[0]


@pytest.mark.parametrize("mode", MODES)
def test_the_engines_reach_no_memory_of_the_program(mode: str) -> None:
    memory, machine = memory_of(mode=mode)
    array = np.zeros(8, np.uint8)
    memory.register(int(array.ctypes.data), 8, array)
    assert code_of(memory.view, int(array.ctypes.data), 8, "device") == 107000
    assert "no memory of the device" in machine.ledger.notes()[0]


@pytest.mark.parametrize("access", ["host", "device"])
def test_null_is_no_address(access: str) -> None:
    memory, machine = memory_of()
    assert code_of(memory.view, 0, 8, access) == 107000
    assert "is null" in machine.ledger.notes()[0]


def test_a_known_array_has_bounds() -> None:
    memory, machine = memory_of()
    array = np.arange(16, dtype=np.uint8)
    start = int(array.ctypes.data)
    memory.register(start, 16, array)
    assert memory.view(start + 4, 12, "host").tolist() == list(range(4, 16))
    assert code_of(memory.view, start, 17, "host") == 107000
    assert code_of(memory.view, start + 8, 9, "host") == 107000
    assert "ends 1 bytes past its array" in machine.ledger.notes()[0]


def test_a_part_of_a_known_array_does_not_hide_the_rest() -> None:
    memory, _ = memory_of()
    array = np.zeros(16, np.uint8)
    start = int(array.ctypes.data)
    memory.register(start, 16, array)
    memory.register(start, 2, array[:2])
    assert memory.view(start, 16, "host").size == 16


def test_an_array_that_is_gone_is_noted() -> None:
    memory, machine = memory_of()
    pool = np.zeros(64, np.uint8)  # keeps the address mapped
    array = np.frombuffer(pool, np.uint8).copy()
    start = int(array.ctypes.data)
    memory.register(start, 64, array)
    del array
    gc.collect()
    memory.view(start, 64, "host")
    assert "keep a reference to the array" in machine.ledger.notes()[0]


def test_a_view_lives_as_long_as_its_array() -> None:
    memory, machine = memory_of()
    array = np.zeros(64, np.uint8)
    part = array[:8]
    start = int(part.ctypes.data)
    memory.register(start, 8, part)
    del part
    memory.view(start, 8, "host")[:] = 3
    assert array[:8].tolist() == [3] * 8
    assert machine.ledger.notes() == ()


def test_a_view_dies_with_its_array() -> None:
    memory, machine = memory_of()
    array = np.zeros(64, np.uint8)
    part = array[:8]
    start = int(part.ctypes.data)
    memory.register(start, 8, part)
    del part, array
    gc.collect()
    memory.view(start, 8, "host")
    assert "is gone" in machine.ledger.notes()[0]


def test_memory_of_the_program_is_taken_if_it_is_mapped() -> None:
    memory, machine = memory_of()
    buffer = ctypes.create_string_buffer(b"words", 16)
    assert memory.view(ctypes.addressof(buffer), 5, "host").tobytes() == b"words"
    assert code_of(memory.view, 64, 5, "host") == 107000
    assert "no memory of the program" in machine.ledger.notes()[0]


def test_a_write_past_the_end_is_noticed_when_the_block_is_freed() -> None:
    memory, machine = memory_of()
    for offset in (-1, 8):
        pointer = memory.allocate(8, "device")
        ctypes.memset(pointer + offset, 0, 1)
        memory.free(pointer, "device")
    assert len(machine.ledger.notes()) == 2
    assert all("were overwritten" in note for note in machine.ledger.notes())


def test_memory_ends() -> None:
    memory, _ = memory_of(memory_mb=1)
    first = memory.allocate(1 << 19, "device")
    memory.allocate(1 << 19, "dvpp")
    assert memory.room() == (0, 1 << 20)
    assert code_of(memory.allocate, 1, "host") == 207001  # the board has one memory
    memory.free(first, "device")
    memory.allocate(1 << 19, "host")
    card, _ = memory_of(memory_mb=1, mode="ep")
    card.allocate(1 << 21, "host")
    assert card.room() == (1 << 20, 1 << 20)
    assert code_of(card.allocate, 0, "device") == 100000


@pytest.mark.parametrize("size", [-1, -100, (1 << 63) - 100])
def test_more_memory_than_any_host_has_is_refused(size: int) -> None:
    acl, _ = started(mode="ep")
    assert acl.rt.malloc_host(size) == (0, 207001)


def test_a_large_block_costs_no_memory_before_it_is_used() -> None:
    memory, _ = memory_of()
    pointer = memory.allocate(4 << 30, "device")
    memory.view(pointer + (4 << 30) - 1, 1, "device")[:] = 5
    memory.free(pointer, "device")


@pytest.mark.parametrize("mode", MODES)
def test_what_is_left_names_the_line_that_made_it(mode: str) -> None:
    acl, machine = started(mode=mode)
    pointer = good(acl.rt.malloc(100, 2))
    (entry,) = [one for one in machine.ledger.live() if one.kind == "device memory"]
    assert entry.handle == pointer
    assert entry.size == 100
    assert entry.call == "acl.rt.malloc"
    assert __file__ in entry.site
    assert "in test_what_is_left_names_the_line_that_made_it" in entry.site
    assert "100 bytes: acl.rt.malloc at" in machine.ledger.report()
    assert acl.rt.free(pointer) == 0
    assert "device memory" not in machine.ledger.report()


def test_only_so_many_freed_blocks_are_kept_back() -> None:
    memory, machine = memory_of(mode="ep")
    pointers = [memory.allocate(8, "device") for _ in range(600)]
    for pointer in pointers:
        memory.free(pointer, "device")
    assert code_of(memory.view, pointers[-1], 8, "device") == 107000
    assert code_of(memory.view, pointers[0], 8, "device") == 107000
    newest, oldest = machine.ledger.notes()
    assert "was freed" in newest
    assert "in no block of the card" in oldest
