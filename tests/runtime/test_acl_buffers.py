"""What a frame costs: which calls it makes, and that it allocates nothing but its outputs."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from acl_board import graph, negation, random_array, simulated_board, write_model
from fake_acl import FakeModel, fake_gate

from atlas_hpe_runtime.acl.session import AclSession
from atlas_hpe_runtime.backends import SessionOptions

SHAPE = (1, 3, 256, 256)
BYTES = 4 * 3 * 256 * 256


def test_a_frame_makes_five_calls_and_none_that_allocates() -> None:
    model = FakeModel([("x", SHAPE, 0)], [("y", (1, 4), 0)])
    x = random_array(SHAPE)
    with AclSession(fake_gate(model), Path("fake.om"), SessionOptions()) as session:
        session.run({"x": x})
        model.calls.clear()
        for _ in range(5):
            session.run({"x": x})
    a_frame = {"rt.memcpy": 10, "mdl.execute_async": 5, "rt.synchronize_stream": 5}
    during = Counter(model.calls[: sum(a_frame.values())])
    assert during == a_frame


def test_the_first_generation_asks_for_two_pointers_more() -> None:
    model = FakeModel([("x", SHAPE, 0)], [("y", (1, 4), 0)])
    with AclSession(fake_gate(model, "5.0"), Path("fake.om"), SessionOptions()) as session:
        model.calls.clear()
        session.run({"x": random_array(SHAPE)})
        assert Counter(model.calls)["util.numpy_to_ptr"] == 2


@pytest.mark.parametrize(
    ("generation", "call"), [("5.0", "util.numpy_to_ptr"), ("6.0", "util.bytes_to_ptr")]
)
def test_a_model_in_memory_is_pointed_at_as_the_generation_does(generation: str, call: str) -> None:
    model = FakeModel([("x", SHAPE, 0)], [("y", (1, 4), 0)])
    with AclSession(fake_gate(model, generation), b"a model"):
        assert Counter(name for name in model.calls if name.startswith("util.")) == {call: 1}


@pytest.mark.parametrize("contiguous", [True, False])
def test_frames_allocate_their_outputs_only(contiguous: bool) -> None:
    model = FakeModel([("x", SHAPE, 0)], [("y", (64, 256), 0)])
    x = random_array(SHAPE)
    if not contiguous:
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    with AclSession(fake_gate(model), Path("fake.om"), SessionOptions()) as session:
        for _ in range(3):  # both slots have what they ever need
            session.run({"x": x})
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(10):
                session.run({"x": x})
            peak = tracemalloc.get_traced_memory()[1] - before
        finally:
            tracemalloc.stop()
    output = 4 * 64 * 256
    assert output <= peak < 3 * output  # the frame's own, and the one that is being let go
    assert peak < BYTES // 2


def test_padding_and_hand_over_allocate_nothing_on_the_device(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    path = write_model(
        tmp_path,
        negation(("n", 3, 4, 4)),
        input_shapes={"x": (-1, 3, 4, 4)},
        dynamic_batch=(1, 2, 4),
    )
    with simulated_board() as board, board.open(path) as session:
        full = random_array((4, 3, 4, 4))

        def frames() -> None:
            for batch in (1, 2, 3, 4):
                session.run({"x": full[:batch]})
            session.run({"x": session.run_resident({"x": full})["y"]})

        frames()
        before = board.counts
        frames()
        made = {
            name: count - before.get(name, 0)
            for name, count in board.counts.items()
            if ("malloc" in name or "create" in name) and count != before.get(name, 0)
        }
    assert made == {}


def test_buffers_are_made_for_each_frame_in_flight(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    path = write_model(tmp_path, graph("Identity", (2, 3)))
    for frames in (1, 3):
        with simulated_board() as board, board.open(path, frames_in_flight=frames):
            assert board.live()["device memory"] == 2 * frames
