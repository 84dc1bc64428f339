"""Dynamic batch, image size and dims on the simulator."""

from __future__ import annotations

from dataclasses import replace
from typing import List, Tuple

import numpy as np
import pytest
from mdl_programs import Board, Bound, picture_model, sum_model

import tiny_onnx
from atlas_hpe_runtime.simulator.model_spec import SimulatedModel
from tiny_onnx import node

pytest.importorskip("onnxruntime")

HIDDEN = "ascend_mbatch_shape_data"
BATCH = SimulatedModel(
    sum_model((1, 4)), input_shapes={"x": (-1, 4)}, dynamic_batch=(1, 2, 8), input_format="ND"
)
IMAGE = SimulatedModel(
    picture_model((1, 1, "h", "w")),
    input_shapes={"image": (1, 1, -1, -1)},
    dynamic_image_size=((2, 4), (4, 2), (6, 8)),
)


def two_inputs(first: Tuple[object, ...], second: Tuple[object, ...]) -> bytes:
    nodes = [node("Add", ["a", "b"], ["y"])]
    return tiny_onnx.model(nodes, {"a": first, "b": second}, {"y": ("n", "m")})  # type: ignore[dict-item]


DIMS = SimulatedModel(
    two_inputs(("n", "m"), ("n", 1)),
    input_format="ND",
    input_shapes={"a": (-1, -1), "b": (-1, 1)},
    dynamic_dims=((2, 3, 2), (4, 5, 4)),
)


@pytest.fixture(params=["rc", "ep"])
def board(request: pytest.FixtureRequest) -> Board:
    return Board(mode=request.param)


def bound(board: Board, model: SimulatedModel, *sizes: int) -> Tuple[Bound, int, int]:
    """A model with zeros in its buffers; its description; where the hidden input is."""
    model_id = board.load(model)
    desc = board.desc(model_id)
    hidden, ret = board.acl.mdl.get_input_index_by_name(desc, HIDDEN)
    assert ret == 0
    hidden_size = board.acl.mdl.get_input_size_by_index(desc, hidden)
    feeds = [bytes(size) for size in (*sizes, hidden_size)]
    return board.bind(model_id, feeds), desc, hidden


def feed(found: Bound, index: int, array: np.ndarray) -> None:
    found.board.write(found.inputs[index][0], array.tobytes())


def read(found: Bound, index: int, shape: List[int], dtype: str = "float32") -> np.ndarray:
    count = int(np.prod(shape))
    return np.frombuffer(found.results()[index], dtype)[:count].reshape(shape)


def test_a_dynamic_batch_is_described_by_its_largest_profile(board: Board) -> None:
    _found, desc, hidden = bound(board, BATCH, 8 * 16)
    mdl = board.acl.mdl
    assert (mdl.get_num_inputs(desc), hidden) == (2, 1)
    assert mdl.get_input_name_by_index(desc, 1) == HIDDEN
    assert mdl.get_input_dims(desc, 0)[0]["dims"] == [-1, 4]
    assert mdl.get_input_size_by_index(desc, 0) == 8 * 16
    assert mdl.get_output_dims(desc, 0)[0]["dims"] == [8, 4]
    assert mdl.get_output_size_by_index(desc, 0) == 8 * 16
    assert mdl.get_cur_output_dims(desc, 0)[0]["dims"] == [8, 4]
    assert mdl.get_dynamic_batch(desc) == ({"batch": [1, 2, 8], "batchCount": 3}, 0)
    assert mdl.get_dynamic_hw(desc, -1) == ({"hwCount": 0, "hw": []}, 0)
    assert mdl.get_input_dynamic_gear_count(desc, -1) == (0, 0)
    assert mdl.get_input_data_type(desc, 1) == 9


def test_a_chosen_batch_is_what_runs(board: Board) -> None:
    found, desc, hidden = bound(board, BATCH, 8 * 16)
    mdl = board.acl.mdl
    rows = np.arange(32, dtype=np.float32).reshape(8, 4)
    feed(found, 0, rows)
    assert found.execute() == 0
    np.testing.assert_array_equal(read(found, 0, [8, 4]), 2 * rows)  # none chosen: the largest
    for batch in (2, 1, 8):
        board.write(found.outputs[0][0], bytes(128))
        assert mdl.set_dynamic_batch_size(found.model_id, found.sources, hidden, batch) == 0
        assert mdl.get_cur_output_dims(desc, 0)[0]["dims"] == [batch, 4]
        assert mdl.get_cur_output_dims(desc, 1)[0]["dims"] == [batch]
        assert mdl.get_output_dims(desc, 0)[0]["dims"] == [8, 4]
        assert found.execute() == 0
        want = np.where(np.arange(8)[:, None] < batch, 2 * rows, 0)
        np.testing.assert_array_equal(read(found, 0, [8, 4]), want)


def test_a_buffer_for_the_chosen_batch_is_enough(board: Board) -> None:
    found, _, hidden = bound(board, BATCH, 2 * 16)
    assert found.execute() == 100017
    call = board.acl.mdl.set_dynamic_batch_size
    assert call(found.model_id, found.sources, hidden, 2) == 0
    assert found.execute() == 0


def test_each_dataset_keeps_its_own_batch_until_it_runs() -> None:
    board = Board()
    found, _, hidden = bound(board, BATCH, 8 * 16)
    other = board.bind(found.model_id, [bytes(128), bytes(8)])
    mdl = board.acl.mdl
    rows = np.arange(32, dtype=np.float32)
    for item, batch in ((found, 1), (other, 2)):
        feed(item, 0, rows)
        assert mdl.set_dynamic_batch_size(item.model_id, item.sources, hidden, batch) == 0
    stream, _ = board.acl.rt.create_stream()
    for item in (found, other):
        assert mdl.execute_async(item.model_id, item.sources, item.targets, stream) == 0
    assert board.acl.rt.synchronize_stream(stream) == 0
    assert [np.count_nonzero(read(item, 0, [32])) for item in (found, other)] == [3, 7]


def test_a_chosen_image_size_is_what_runs(board: Board) -> None:
    found, desc, hidden = bound(board, IMAGE, 6 * 8 * 4)
    mdl = board.acl.mdl
    assert mdl.get_input_dims(desc, 0)[0]["dims"] == [1, 1, -1, -1]
    assert mdl.get_dynamic_hw(desc, -1) == (
        {"hwCount": 3, "hw": [[2, 4], [4, 2], [6, 8]]},
        0,
    )
    assert mdl.get_dynamic_batch(desc) == ({"batch": [], "batchCount": 0}, 0)
    assert mdl.get_input_size_by_index(desc, hidden) == 16
    picture = np.arange(8, dtype=np.float32)
    feed(found, 0, picture)
    call = mdl.set_dynamic_hw_size
    assert call(found.model_id, found.sources, hidden, 4, 2) == 0
    assert mdl.get_cur_output_dims(desc, 0)[0]["dims"] == [1, 1, 4, 2]
    assert found.execute() == 0
    np.testing.assert_array_equal(read(found, 0, [8]), picture)
    assert call(found.model_id, found.sources, hidden, 8, 6) == 145000


def test_image_sizes_of_nhwc_are_the_middle_axes() -> None:
    board = Board()
    model = replace(
        IMAGE,
        onnx=picture_model((1, "h", "w", 3)),
        input_format="NHWC",
        input_shapes={"image": (1, -1, -1, 3)},
    )
    _, desc, _ = bound(board, model, 8)
    assert board.acl.mdl.get_output_dims(desc, 0)[0]["dims"] == [1, 6, 8, 3]


def test_chosen_dims_are_what_runs(board: Board) -> None:
    found, desc, hidden = bound(board, DIMS, 4 * 5 * 4, 4 * 4)
    mdl = board.acl.mdl
    assert mdl.get_input_dynamic_gear_count(desc, -1) == (2, 0)
    dims, ret = mdl.get_input_dynamic_dims(desc, -1, 2)
    assert ret == 0
    assert [item["dims"] for item in dims] == [[2, 3, 2, 1], [4, 5, 4, 1]]
    assert [item["dimCount"] for item in dims] == [4, 4]
    assert mdl.get_input_dynamic_dims(desc, -1, 3) == ([], 100000)
    assert hidden == 2 and mdl.get_input_size_by_index(desc, hidden) == 24
    feed(found, 0, np.arange(6, dtype=np.float32))
    feed(found, 1, np.array([10, 20], np.float32))
    call = mdl.set_input_dynamic_dims
    assert call(found.model_id, found.sources, hidden, dims[0]) == 0
    assert mdl.get_cur_output_dims(desc, 0)[0]["dims"] == [2, 3]
    assert found.execute() == 0
    assert read(found, 0, [2, 3]).tolist() == [[10, 11, 12], [23, 24, 25]]
    for wrong in ([2, 3, 4, 1], [2, 3, 2, 2], [2, 3, 2]):
        item = {"dimCount": len(wrong), "dims": wrong}
        assert call(found.model_id, found.sources, hidden, item) == 145000
    bad: List[object] = [
        None,
        {},
        {"dims": [2, 3, 2, 1]},
        {"dimCount": 3, "dims": [2, 3, 2, 1]},
        {"dimCount": 4, "dims": (2, 3, 2, 1)},
        {"dimCount": 1, "dims": [np.int64(2)]},
    ]
    for item in bad:
        with pytest.raises(TypeError, match=r"set_input_dynamic_dims args parse failed"):
            call(found.model_id, found.sources, hidden, item)


def test_what_can_not_be_chosen_has_its_code(board: Board) -> None:
    found, _, hidden = bound(board, BATCH, 8 * 16)
    mdl, model_id = board.acl.mdl, found.model_id
    call = mdl.set_dynamic_batch_size
    assert call(model_id, found.sources, hidden, 3) == 145013
    assert call(model_id, found.sources, 0, 2) == 145000
    assert call(model_id, found.sources, 9, 2) == 100000
    assert call(model_id, 0, hidden, 2) == 100000
    assert call(99, found.sources, hidden, 2) == 145003
    assert mdl.set_dynamic_hw_size(model_id, found.sources, hidden, 2, 2) == 100019
    short = board.dataset(found.inputs[0], (found.inputs[1][0], 7))
    assert call(model_id, short, hidden, 2) == 145012
    null = board.dataset(found.inputs[0], (0, 8))
    assert call(model_id, null, hidden, 2) == 145011
    static = board.bind(board.load(sum_model()), [bytes(16)])
    assert call(static.model_id, static.sources, 0, 1) == 100019
    bound_short = Bound(board, model_id, [found.inputs[0], (found.inputs[1][0], 7)], found.outputs)
    assert bound_short.execute() == 100017


def test_the_output_size_is_that_of_the_largest_profile_of_each_output() -> None:
    """The profile with the largest inputs need not have the largest output."""
    board = Board()
    onnx = tiny_onnx.model(
        [node("Add", ["a", "b"], ["y"])], {"a": ("n", 1), "b": (1, "m")}, {"y": ("n", "m")}
    )
    model = SimulatedModel(
        onnx,
        input_format="ND",
        input_shapes={"a": (-1, 1), "b": (1, -1)},
        dynamic_dims=((100, 1), (20, 20)),
    )
    _, desc, _ = bound(board, model, 8, 8)
    assert board.acl.mdl.get_output_dims(desc, 0)[0]["dims"] == [100, 1]
    assert board.acl.mdl.get_output_size_by_index(desc, 0) == 4 * 20 * 20
