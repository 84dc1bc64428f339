"""acl.mdl on the simulator: loading, describing and running models."""

from __future__ import annotations

import threading
import warnings
from pathlib import Path
from typing import Callable, Dict

import numpy as np
import pytest
from mdl_programs import Board, Bound, file_of, floats, names, picture_model, sum_model

import atlas_hpe
import tiny_onnx
from atlas_hpe_runtime.simulator.engine import open_engine
from atlas_hpe_runtime.simulator.model_file import write_simulated_model
from atlas_hpe_runtime.simulator.model_spec import SimulatedModel
from tiny_onnx import node

pytest.importorskip("onnxruntime")

FEED = np.array([1, 2, 40, 0.1], np.float32).tobytes()


@pytest.fixture(params=["rc", "ep"])
def board(request: pytest.FixtureRequest) -> Board:
    return Board(mode=request.param)


def test_a_model_computes_as_the_board_does(board: Board) -> None:
    values, ids = board.run(board.load(sum_model()), [FEED])
    tenth = float(np.float32(np.float16(0.1)))
    assert floats(values) == [2, 4, 80, 2 * tenth]
    assert np.frombuffer(ids, np.int32).tolist() == [2]  # int64 in the graph


def test_forced_single_precision_is_not_rounded(board: Board) -> None:
    model = SimulatedModel(sum_model(), precision="fp32")
    values, _ = board.run(board.load(model), [FEED])
    assert floats(values)[3] == float(np.float32(0.1) * 2)


def test_a_description_says_what_the_model_takes_and_gives(board: Board) -> None:
    mdl, desc = board.acl.mdl, board.desc(board.load(sum_model()))
    assert (mdl.get_num_inputs(desc), mdl.get_num_outputs(desc)) == (1, 2)
    assert mdl.get_input_name_by_index(desc, 0) == "x"
    assert mdl.get_input_size_by_index(desc, 0) == 16
    assert mdl.get_input_dims(desc, 0) == ({"name": "x", "dimCount": 2, "dims": [1, 4]}, 0)
    assert mdl.get_input_dims_v2(desc, 0) == mdl.get_input_dims(desc, 0)
    assert (mdl.get_input_data_type(desc, 0), mdl.get_input_format(desc, 0)) == (0, 2)
    assert mdl.get_output_name_by_index(desc, 0) == "sum:0:y"
    assert mdl.get_output_name_by_index(desc, 1) == "ArgMax_1:0:ids"
    want = {"name": "ArgMax_1:0:ids", "dimCount": 1, "dims": [1]}
    assert mdl.get_output_dims(desc, 1) == mdl.get_cur_output_dims(desc, 1) == (want, 0)
    assert (mdl.get_output_data_type(desc, 1), mdl.get_output_size_by_index(desc, 1)) == (3, 4)
    assert mdl.get_input_index_by_name(desc, "x") == (0, 0)
    assert mdl.get_output_index_by_name(desc, "ArgMax_1:0:ids") == (1, 0)
    assert mdl.get_output_index_by_name(desc, "ids") == (0, 100000)


@pytest.mark.parametrize(("layout", "number"), [("NCHW", 0), ("NHWC", 1), ("ND", 2)])
def test_the_format_is_the_one_that_atc_was_told(layout: str, number: int) -> None:
    board = Board()
    desc = board.desc(board.load(SimulatedModel(picture_model(), input_format=layout)))
    assert board.acl.mdl.get_input_format(desc, 0) == number
    assert board.acl.mdl.get_output_format(desc, 0) == number


@pytest.mark.parametrize("index", [2, -1])
def test_what_is_not_there_has_no_description(board: Board, index: int) -> None:
    mdl, desc = board.acl.mdl, board.desc(board.load(sum_model()))
    empty = mdl.create_desc()
    for handle, place in ((desc, index), (empty, 0), (0, 0), (desc + 1, 0)):
        for side in ("input", "output"):
            assert getattr(mdl, f"get_{side}_dims")(handle, place) == ({}, 100000)
            assert getattr(mdl, f"get_{side}_size_by_index")(handle, place) == 0
            assert getattr(mdl, f"get_{side}_name_by_index")(handle, place) == ""
            assert getattr(mdl, f"get_{side}_data_type")(handle, place) == -1
            assert getattr(mdl, f"get_{side}_format")(handle, place) == -1
        assert mdl.get_input_dims_v2(handle, place) == ({}, 100000)
        assert mdl.get_cur_output_dims(handle, place) == ({}, 100000)
    assert mdl.get_num_inputs(empty) == mdl.get_num_outputs(empty) == 0
    assert mdl.get_dynamic_batch(empty) == ({}, 100000)
    assert mdl.get_desc(empty, 77) == 145003
    first, second = mdl.get_input_dims(empty, 0)[0], mdl.get_input_dims(empty, 0)[0]
    assert first is not second


def test_names_of_more_than_127_characters_are_replaced_in_the_dims() -> None:
    board = Board()
    fits, long = "f" * 127, "n" * 128
    onnx = tiny_onnx.model(
        [node("Add", [fits, long], ["y"])], {fits: (1,), long: (1,)}, {"y": (1,)}
    )
    model_id = board.load(onnx)
    mdl, desc = board.acl.mdl, board.desc(model_id)
    short = f"acl_modelId_{model_id}_input_1"
    assert mdl.get_input_dims(desc, 0)[0]["name"] == fits
    assert mdl.get_input_dims(desc, 1)[0]["name"] == short
    assert mdl.get_input_name_by_index(desc, 1) == long
    assert mdl.get_tensor_real_name(desc, short) == mdl.get_tensor_real_name(desc, long) == long
    assert mdl.get_tensor_real_name(desc, "none") is None


def test_a_description_outlives_its_model(board: Board) -> None:
    model_id = board.load(sum_model())
    desc = board.desc(model_id)
    assert board.acl.mdl.unload(model_id) == 0
    assert board.acl.mdl.get_input_size_by_index(desc, 0) == 16


def test_half_precision_inputs_and_outputs_have_two_bytes_a_value(board: Board) -> None:
    model = SimulatedModel(
        sum_model(), fp16_inputs=("x",), output_dtypes={"y": "float16", "ids": "int64"}
    )
    model_id = board.load(model)
    mdl, desc = board.acl.mdl, board.desc(model_id)
    assert mdl.get_input_data_type(desc, 0) == mdl.get_output_data_type(desc, 0) == 1
    assert mdl.get_input_size_by_index(desc, 0) == mdl.get_output_size_by_index(desc, 0) == 8
    assert mdl.get_output_data_type(desc, 1) == 9
    feed = np.array([1, 5, 3, 40000], np.float16)
    values, ids = board.run(model_id, [feed.tobytes()])
    assert np.frombuffer(values, np.float16).tolist() == [2, 10, 6, np.inf]
    assert np.frombuffer(ids, np.int64).tolist() == [3]


def test_models_are_loaded_from_files_and_their_size_is_known(board: Board, tmp_path: Path) -> None:
    weights = tiny_onnx.tensor("w", np.ones((100, 4), np.float32))
    onnx = tiny_onnx.model(
        [node("Add", ["x", "w"], ["y"])], {"x": (1, 4)}, {"y": (100, 4)}, [weights]
    )
    path = tmp_path / "net.om"
    write_simulated_model(path, SimulatedModel(onnx))
    mdl, acl = board.acl.mdl, board.acl
    work, weight, ret = mdl.query_size(str(path))
    assert (weight, ret) == (800, 0)
    assert work >= 16 + 1600
    content = path.read_bytes()
    again = mdl.query_size_from_mem(acl.util.bytes_to_ptr(content), len(content))
    assert again == (work, weight, 0)
    free = acl.rt.get_mem_info(0)[0]
    model_id, ret = mdl.load_from_file(str(path))
    assert ret == 0
    assert acl.rt.get_mem_info(0)[0] == free - work - weight
    assert floats(board.run(model_id, [FEED])[0])[:3] == [2, 3, 41]
    live = [entry for entry in board.machine.ledger.live() if entry.kind == "model"]
    assert [(entry.size, entry.call) for entry in live] == [
        (work + weight, "acl.mdl.load_from_file")
    ]
    free = acl.rt.get_mem_info(0)[0]
    assert mdl.unload(model_id) == 0
    assert acl.rt.get_mem_info(0)[0] == free + work + weight
    assert "model" not in names(board)
    assert mdl.unload(model_id) == 145003


def test_a_program_may_provide_the_memory_of_a_model(board: Board, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(sum_model())
    content = path.read_bytes()
    mdl = board.acl.mdl
    work_size, weight_size, _ = mdl.query_size(str(path))
    work, weight = board.malloc(bytes(work_size)), board.malloc(b"0")
    pointer = board.acl.util.bytes_to_ptr(content)
    free = board.acl.rt.get_mem_info(0)[0]
    given = (work, work_size, weight, weight_size)
    loads: Dict[str, Callable[..., object]] = {
        "file": lambda *space: mdl.load_from_file_with_mem(str(path), *space),
        "memory": lambda *space: mdl.load_from_mem_with_mem(pointer, len(content), *space),
    }
    for load in loads.values():
        model_id, ret = load(*given)  # type: ignore[misc]
        assert ret == 0
        assert board.acl.rt.get_mem_info(0)[0] == free
        assert floats(board.run(model_id, [FEED])[0])[0] == 2
        assert load(work, work_size - 1, weight, weight_size) == (0, 145000)
        assert load(work, work_size + 1, weight, weight_size) == (0, 145000)  # beyond its block
        assert load(0, 0, 0, 0)[1] == 0  # type: ignore[index]
        free = board.acl.rt.get_mem_info(0)[0]


def test_a_config_loads_a_model_in_the_same_four_ways(tmp_path: Path) -> None:
    board = Board()
    mdl = board.acl.mdl
    path = tmp_path / "net.onnx"
    path.write_bytes(sum_model())
    content = path.read_bytes()
    work, weight, _ = mdl.query_size(str(path))
    options = {
        2: str(path),
        3: board.acl.util.bytes_to_ptr(content),
        4: len(content),
        5: board.malloc(b"0"),
        6: weight,
        7: board.malloc(bytes(work)),
        8: work,
        0: 3,
    }
    for kind in (1, 2, 3, 4):
        config = mdl.create_config_handle()
        for key, value in {1: kind, **options}.items():
            assert mdl.set_config_opt(config, key, value) == 0
        before = board.acl.rt.get_mem_info(0)[0]
        model_id, ret = mdl.load_with_config(config)
        assert ret == 0
        own = before - board.acl.rt.get_mem_info(0)[0]
        assert (own == 0) == (kind in (2, 4))
        assert floats(board.run(model_id, [FEED])[0])[0] == 2
        assert mdl.destroy_config_handle(config) == 0
        assert mdl.load_with_config(config) == (0, 100000)
    config = mdl.create_config_handle()
    assert mdl.load_with_config(config) == (0, 100000)
    assert mdl.set_config_opt(config, 1, 5) == 0
    assert mdl.load_with_config(config) == (0, 200006)
    assert mdl.set_config_opt(config, 1, 1) == 0
    assert mdl.load_with_config(config) == (0, 100000)
    assert mdl.set_config_opt(config, 99, 1) == 100000
    with pytest.raises(TypeError, match=r"acl\.mdl\.set_config_opt args parse failed"):
        mdl.set_config_opt(config, 2, 5)


def test_config_loading_came_with_a_later_generation() -> None:
    assert not hasattr(Board(cann="5.0").acl.mdl, "load_with_config")
    assert hasattr(Board(cann="5.0").acl.mdl, "load_from_mem_with_mem")


def test_a_model_runs_on_a_stream_in_order(board: Board) -> None:
    acl = board.acl
    first = board.bind(board.load(sum_model()), [FEED])
    second = Bound(board, first.model_id, first.outputs[:1], first.outputs)
    stream, _ = acl.rt.create_stream()
    for bound in (first, second, second):
        ret = acl.mdl.execute_async(bound.model_id, bound.sources, bound.targets, stream)
        assert ret == 0
    assert acl.rt.synchronize_stream(stream) == 0
    assert floats(first.results()[0])[:3] == [8, 16, 320]


def test_what_fails_on_a_stream_shows_when_it_is_waited_for(board: Board) -> None:
    bound = board.bind(board.load(sum_model()), [FEED])
    assert board.acl.rt.free(bound.inputs[0][0]) == 0
    stream, _ = board.acl.rt.create_stream()
    call = board.acl.mdl.execute_async
    assert call(bound.model_id, bound.sources, bound.targets, stream) == 0
    assert board.acl.rt.synchronize_stream(stream) == 507011
    assert "freed" in board.machine.ledger.notes()[-1]
    assert call(bound.model_id, bound.sources, bound.targets, stream + 1) == 107003


def test_a_model_belongs_to_the_context_that_loaded_it(board: Board) -> None:
    acl = board.acl
    bound = board.bind(board.load(sum_model()), [FEED])
    own, _ = acl.rt.get_context()
    other, _ = acl.rt.create_context(0)
    stream, _ = acl.rt.create_stream()
    assert bound.execute() == 107004
    call = acl.mdl.execute_async
    assert call(bound.model_id, bound.sources, bound.targets, stream) == 107004
    assert acl.mdl.unload(bound.model_id) == 107004
    assert acl.rt.set_context(own) == 0
    assert bound.execute() == 0
    found = []
    thread = threading.Thread(target=lambda: found.append(bound.execute()))
    thread.start()
    thread.join()
    assert found == [107002]
    assert other != own


def test_threads_with_the_context_share_a_model(board: Board) -> None:
    acl = board.acl
    model_id = board.load(sum_model())
    context, _ = acl.rt.get_context()
    bounds = [
        board.bind(model_id, [np.full(4, number, np.float32).tobytes()]) for number in range(4)
    ]
    codes = []

    def work(bound: Bound) -> None:
        acl.rt.set_context(context)
        codes.extend(bound.execute() for _ in range(20))

    threads = [threading.Thread(target=work, args=(bound,)) for bound in bounds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [0] * 80
    assert [floats(bound.results()[0])[0] for bound in bounds] == [0, 2, 4, 6]


def test_everything_that_is_given_back_is_crossed_out() -> None:
    board = Board()
    acl, mdl = board.acl, board.acl.mdl
    model_id = board.load(sum_model())
    bound = board.bind(model_id, [FEED])
    assert bound.execute() == 0
    for dataset in (bound.sources, bound.targets):
        for index in range(mdl.get_dataset_num_buffers(dataset)):
            buffer = mdl.get_dataset_buffer(dataset, index)
            assert acl.rt.free(acl.get_data_buffer_addr(buffer)) == 0
            assert acl.destroy_data_buffer(buffer) == 0
        assert bound.execute() == 100000  # a dataset with a buffer that is gone
        assert mdl.destroy_dataset(dataset) == 0
        assert mdl.destroy_dataset(dataset) == 100000
    found = names(board)
    for kind in ("device memory", "data buffer", "dataset"):
        assert kind not in found
    assert found["model"] == 1 and found["model description"] == 1
    assert mdl.unload(model_id) == 0


def test_a_data_buffer_is_a_pointer_and_a_size() -> None:
    board = Board()
    acl, mdl = board.acl, board.acl.mdl
    buffer = acl.create_data_buffer(1 << 40, (1 << 33) + 5)
    assert acl.get_data_buffer_addr(buffer) == 1 << 40
    assert acl.get_data_buffer_size(buffer) == 5
    assert acl.get_data_buffer_size_v2(buffer) == (1 << 33) + 5
    assert acl.update_data_buffer(buffer, 64, 7) == 0
    assert (acl.get_data_buffer_addr(buffer), acl.get_data_buffer_size_v2(buffer)) == (64, 7)
    assert acl.get_data_buffer_addr(0) == acl.get_data_buffer_size_v2(buffer + 1) == 0
    dataset = mdl.create_dataset()
    assert mdl.add_dataset_buffer(dataset, buffer) == (dataset, 0)
    assert mdl.add_dataset_buffer(dataset, 0) == mdl.add_dataset_buffer(0, buffer) == (0, 100000)
    assert mdl.get_dataset_num_buffers(dataset) == 1
    assert mdl.get_dataset_buffer(dataset, 0) == buffer
    assert mdl.get_dataset_buffer(dataset, 1) == mdl.get_dataset_buffer(0, 0) == 0
    with pytest.raises(TypeError, match=r"acl\.create_data_buffer args parse failed"):
        acl.create_data_buffer(b"", 1)


@pytest.mark.parametrize(
    ("dtype", "size"), [(-1, 0), (0, 4), (1, 2), (3, 4), (4, 1), (5, 0), (9, 8), (11, 8), (12, 1)]
)
def test_types_have_their_sizes(dtype: int, size: int) -> None:
    assert Board().acl.data_type_size(dtype) == size


def test_a_file_is_the_same_model_from_memory_and_from_disk(tmp_path: Path) -> None:
    board = Board()
    model = SimulatedModel(sum_model(), output_dtypes={"y": "float16"})
    path = tmp_path / "net.om"
    path.write_bytes(file_of(model))
    model_id, ret = board.acl.mdl.load_from_file(str(path))
    assert ret == 0
    assert board.run(model_id, [FEED]) == board.run(board.load(model), [FEED])


@pytest.mark.parametrize(
    "dtype", ["float32", "float16", "float64", "int32", "int64", "uint8", "bool"]
)
def test_every_type_goes_in_and_comes_out(dtype: str) -> None:
    board = Board()
    onnx = tiny_onnx.model(
        [node("Identity", ["x"], ["y"])], {"x": (4,)}, {"y": (4,)}, dtypes={"x": dtype, "y": dtype}
    )
    kept = "int64" if dtype == "int64" else dtype
    model = SimulatedModel(onnx, output_dtypes={} if dtype == "float64" else {"y": kept})
    model_id = board.load(model)
    feed = np.array([0, 1, 3, 1], "uint8" if dtype == "bool" else dtype)
    (found,) = board.run(model_id, [feed.tobytes()])
    assert found == feed.astype(dtype).tobytes()


def test_float16_outputs_beyond_its_range_are_infinite_without_a_warning() -> None:
    board = Board()
    model = SimulatedModel(sum_model(), precision="fp32", output_dtypes={"y": "float16"})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values, _ = board.run(board.load(model), [np.full(4, 40000, np.float32).tobytes()])
    assert np.frombuffer(values, np.float16).tolist() == [np.inf] * 4


def test_the_shipped_model_finds_the_joints_that_it_finds_on_the_host() -> None:
    onnx = (Path(atlas_hpe.__file__).parent / "models" / "hand_landmark.onnx").read_bytes()
    board = Board()
    image = np.random.default_rng(3).random((1, 3, 128, 128), np.float32)
    model_id = board.load(SimulatedModel(onnx))
    desc = board.desc(model_id)
    name = board.acl.mdl.get_output_name_by_index(desc, 0)
    joints = np.frombuffer(board.run(model_id, [image.tobytes()])[0], np.float32)
    want = open_engine(onnx).run(["joints"], {"image": image})[0].reshape(-1)
    assert name.endswith(":0:joints") and name.count(":") == 2
    np.testing.assert_allclose(joints, want, atol=2e-3)
    assert np.any(joints != want)


def test_the_size_of_a_model_with_free_axes_is_not_known() -> None:
    board = Board()
    content = sum_model(("n", 4))
    pointer = board.acl.util.bytes_to_ptr(content)
    assert board.acl.mdl.query_size_from_mem(pointer, len(content)) == (0, 0, 145021)
