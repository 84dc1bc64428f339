"""What goes wrong with models on the simulator, and the code that says so."""

from __future__ import annotations

from pathlib import Path
from typing import Dict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mdl_programs import Board, Bound, file_of, picture_model, sum_model
from simulated import started

import tiny_onnx
from atlas_hpe.aipp import AippSpec, DynamicAipp
from atlas_hpe_runtime.simulator.model_spec import SimulatedModel
from tiny_onnx import node

pytest.importorskip("onnxruntime")

FEED = np.array([1, 2, 40, 0.1], np.float32).tobytes()
RGB = AippSpec("rgb", 6, 4, (0, 0, 0), (0, 0, 0), (1, 1, 1))
reshape = tiny_onnx.tensor("four", np.array([4], np.int64))
FIXED = tiny_onnx.model(
    [node("Reshape", ["x", "four"], ["y"])], {"x": (4,)}, {"y": (4,)}, [reshape]
)


@pytest.fixture(params=["rc", "ep"])
def board(request: pytest.FixtureRequest) -> Board:
    return Board(mode=request.param)


@pytest.mark.parametrize(
    ("content", "code", "note"),
    [
        (b"IMOD" + bytes(252), 500002, "compiled for a real device"),
        (b"not a model at all", 500002, "not an ONNX model"),
        (sum_model()[:-9], 500002, "ONNX"),
        (sum_model(("n", 4)), 145021, "free axes"),
        (sum_model((-1, 4)), 145021, "free axes"),
        (SimulatedModel(sum_model(), soc="Ascend310P3"), 507008, "Ascend310P3"),
        (file_of(SimulatedModel(sum_model()))[:-1], 500002, "SHA-256"),
        (file_of(SimulatedModel(b"")), 145006, ""),
        (SimulatedModel(sum_model(), input_shapes={"z": (1, 4)}), 500002, "no input 'z'"),
        (SimulatedModel(sum_model(), output_dtypes={"z": "int8"}), 500002, "no output 'z'"),
        (SimulatedModel(sum_model(), input_shapes={"x": (4,)}), 500002, "does not fit"),
        (SimulatedModel(sum_model(), aipp={"x": RGB}), 500002, "takes no AIPP"),
        (SimulatedModel(picture_model((1, 3, 5, 6)), aipp={"image": RGB}), 500002, "(3, 5, 6)"),
        (SimulatedModel(picture_model((1, 1, 4, 6)), aipp={"image": RGB}), 500002, "(1, 4, 6)"),
        (
            SimulatedModel(FIXED, input_shapes={"x": (-1,)}, dynamic_batch=(4, 8)),
            500002,
            "does not run with the shapes",
        ),
        (SimulatedModel(sum_model(), input_shapes={"x": (1 << 20, 1 << 20)}), 500002, "too large"),
        (
            tiny_onnx.model(
                [node("Identity", ["x"], ["y"])],
                {"x": (1,)},
                {"y": (1,)},
                dtypes={"x": "string", "y": "string"},
            ),
            500002,
            "no type for the input 'x'",
        ),
        (
            SimulatedModel(
                tiny_onnx.model(
                    [node("Identity", ["x"], ["y"])],
                    {"x": (1,)},
                    {"y": (1,)},
                    dtypes={"x": "int32", "y": "int32"},
                ),
                fp16_inputs=("x",),
            ),
            500002,
            "can't be float16",
        ),
    ],
)
def test_a_model_that_is_not_taken_has_its_code(content: object, code: int, note: str) -> None:
    board = Board()
    free = board.acl.rt.get_mem_info(0)
    assert board.try_load(content) == (0, code)
    assert note in "\n".join(board.machine.ledger.notes())
    assert board.acl.rt.get_mem_info(0) == free


def test_a_path_that_leads_nowhere_has_its_code(board: Board, tmp_path: Path) -> None:
    mdl = board.acl.mdl
    for path in (tmp_path / "none.om", tmp_path):
        assert mdl.load_from_file(str(path)) == (0, 145002)
        assert mdl.query_size(str(path)) == (0, 0, 145002)
    assert mdl.load_from_file_with_mem(str(tmp_path), 0, 0, 0, 0) == (0, 145002)
    with pytest.raises(TypeError, match=r"acl\.mdl\.load_from_file args parse failed"):
        mdl.load_from_file(tmp_path)


def test_a_model_that_is_not_in_the_programs_memory_can_not_be_loaded() -> None:
    board = Board(mode="ep")
    content = sum_model()
    pointer = board.malloc(content)
    assert board.acl.mdl.load_from_mem(pointer, len(content)) == (0, 145007)
    assert board.acl.mdl.load_from_mem(0, 0) == (0, 145007)


def test_a_number_of_a_config_is_read_as_c_reads_it() -> None:
    acl, _ = started()
    handle = acl.mdl.create_config_handle()
    for attribute, value in ((1, 3), (3, id(handle)), (4, -9999)):
        assert acl.mdl.set_config_opt(handle, attribute, value) == 0
    assert acl.mdl.load_with_config(handle) == (0, 145007)


def test_loading_needs_a_context(tmp_path: Path) -> None:
    board = Board()
    path = tmp_path / "net.onnx"
    path.write_bytes(sum_model())
    assert board.acl.rt.reset_device(0) == 0
    assert board.acl.mdl.load_from_file(str(path)) == (0, 107002)


def test_a_device_without_room_refuses_a_model() -> None:
    board = Board(memory_mb=1)
    weights = tiny_onnx.tensor("w", np.ones(1 << 20, np.float32))
    onnx = tiny_onnx.model([node("ReduceSum", ["w"], ["y"], axes=[0])], {}, {"y": (1,)}, [weights])
    assert board.try_load(onnx) == (0, 207001)


@pytest.mark.parametrize("size", [0, 15])
def test_a_buffer_that_is_too_small_is_refused(board: Board, size: int) -> None:
    bound = board.bind(board.load(sum_model()), [FEED])
    (first, _), outputs = bound.inputs[0], bound.outputs
    assert Bound(board, bound.model_id, [(first, size)], outputs).execute() == 100017
    small = [(outputs[0][0], size), outputs[1]]
    assert Bound(board, bound.model_id, bound.inputs, small).execute() == 100018
    assert "the model needs 16" in board.machine.ledger.notes()[-1]


def test_a_buffer_may_be_larger_than_needed(board: Board) -> None:
    bound = board.bind(board.load(sum_model()), [FEED + bytes(100)], [200, 4])
    assert bound.execute() == 0
    assert bound.results()[0][16:] == bytes(184)


def test_a_dataset_with_another_number_of_buffers_is_refused(board: Board) -> None:
    bound = board.bind(board.load(sum_model()), [FEED])
    twice = bound.inputs * 2
    assert Bound(board, bound.model_id, twice, bound.outputs).execute() == 100017
    assert Bound(board, bound.model_id, bound.inputs, bound.outputs[:1]).execute() == 100018


def test_memory_that_is_not_the_devices_fails_the_run() -> None:
    board = Board(mode="ep")
    bound = board.bind(board.load(sum_model()), [FEED])
    host, _ = board.acl.rt.malloc_host(16)
    for pointer in (host, 0, bound.inputs[0][0] + 1):
        assert Bound(board, bound.model_id, [(pointer, 16)], bound.outputs).execute() == 507011


def test_what_is_no_model_or_dataset_is_refused(board: Board) -> None:
    bound = board.bind(board.load(sum_model()), [FEED])
    execute = board.acl.mdl.execute
    assert execute(99, bound.sources, bound.targets) == 145003
    assert execute(bound.model_id, bound.targets + 1, bound.targets) == 100000
    assert execute(bound.model_id, bound.sources, 0) == 100000
    with pytest.raises(TypeError, match=r"acl\.mdl\.execute args parse failed"):
        execute(bound.model_id, bound.sources)


def test_a_result_of_another_size_than_was_compiled_fails_the_run(board: Board) -> None:
    onnx = tiny_onnx.model(
        [node("NonZero", ["x"], ["y"])], {"x": (4,)}, {"y": (1, "n")}, dtypes={"y": "int64"}
    )
    bound = board.bind(board.load(onnx), [FEED])
    assert bound.execute() == 507011


def test_a_fault_on_order_takes_the_place_of_the_call(board: Board) -> None:
    planned = Board(fail="acl.mdl.execute@2=507011,acl.mdl.create_dataset@9=1")
    bound = planned.bind(planned.load(sum_model()), [FEED])
    assert [bound.execute() for _ in range(3)] == [0, 507011, 0]


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_any_damaged_model_is_a_model_or_a_code(data: st.DataObject) -> None:
    board = Board()
    models = [sum_model(), file_of(SimulatedModel(picture_model(), aipp={"image": RGB}))]
    content = bytearray(data.draw(st.sampled_from(models)))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    model_id, ret = board.try_load(bytes(content))
    assert (model_id > 0) == (ret == 0)


def test_dynamic_aipp_without_settings_fails_the_run(board: Board) -> None:
    settings_: Dict[str, DynamicAipp] = {"image": DynamicAipp(288)}
    model_id = board.load(SimulatedModel(picture_model(), aipp=settings_))
    assert board.bind(model_id, [bytes(288), bytes(160)]).execute() == 507011
