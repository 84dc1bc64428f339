"""The onnxruntime back-end behind the Session contract."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Any, Callable, Dict, List, Sequence, Tuple, Union

import numpy as np
import pytest

import tiny_onnx
from atlas_hpe.errors import DeviceError, InputError, ModelFileError, SessionError, UsageError
from atlas_hpe_runtime import Session, open_session

onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture
def model_path(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(tiny_onnx.hand_model())
    return path


def bright_spot(row: int, column: int) -> np.ndarray:
    image = np.zeros((1, 3, 16, 16), np.float32)
    image[:, :, row, column] = 1
    return image


def test_run_returns_named_outputs(model_path: Path) -> None:
    with open_session(model_path) as session:
        outputs = session.run({"image": bright_spot(3, 12)})
    assert sorted(outputs) == ["joints", "presence"]
    np.testing.assert_allclose(outputs["joints"][0, 10], [12.5 / 16, 3.5 / 16], atol=1e-5)


def test_submitted_runs_come_back_by_handle_in_any_order(model_path: Path) -> None:
    with open_session(model_path) as session:
        handles = {column: session.submit({"image": bright_spot(0, column)}) for column in (2, 9)}
        for column in (9, 2):
            joints = session.result(handles[column])["joints"]
            assert joints[0, 10, 0] == pytest.approx((column + 0.5) / 16, abs=1e-5)


def test_outputs_belong_to_the_caller(model_path: Path) -> None:
    with open_session(model_path) as session:
        first = session.run({"image": bright_spot(0, 2)})["joints"]
        before = first.copy()
        session.run({"image": bright_spot(0, 9)})
    np.testing.assert_array_equal(first, before)


def test_a_result_is_taken_once(model_path: Path) -> None:
    with open_session(model_path) as session:
        handle = session.submit({"image": bright_spot(0, 0)})
        session.result(handle)
        with pytest.raises(SessionError, match=f"handle {handle}"):
            session.result(handle)


@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        ({}, "got nothing"),
        ({"picture": np.zeros((1, 3, 16, 16), np.float32)}, "got picture"),
        ({"image": np.zeros((1, 3, 16, 8), np.float32)}, r"got float32 \[1, 3, 16, 8\]"),
        ({"image": np.zeros((3, 16, 16), np.float32)}, r"got float32 \[3, 16, 16\]"),
        ({"image": np.zeros((1, 3, 16, 16), np.float64)}, "got float64"),
    ],
)
def test_wrong_feeds_name_what_is_expected_and_what_came(
    model_path: Path, feeds: dict, message: str
) -> None:
    with open_session(model_path) as session, pytest.raises(SessionError, match=message):
        session.run(feeds)


def test_a_closed_session_says_so(model_path: Path) -> None:
    session = open_session(model_path)
    session.close()
    session.close()
    for use in (session.run, session.submit):
        with pytest.raises(SessionError, match="closed"):
            use({"image": bright_spot(0, 0)})


def test_damaged_and_foreign_files_are_refused(tmp_path: Path, model_path: Path) -> None:
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(model_path.read_bytes()[:200])
    with pytest.raises(ModelFileError, match="damaged"):
        open_session(cut)
    with pytest.raises(InputError, match="does not exist"):
        open_session(tmp_path / "absent.onnx")
    other = tmp_path / "model.tflite"
    other.write_bytes(b"x")
    with pytest.raises(ModelFileError, match="no back-end takes"):
        open_session(other)


def test_a_graph_that_onnxruntime_refuses_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "unknown.onnx"
    nodes = [tiny_onnx.node("NoSuchOperator", ["x"], ["y"])]
    path.write_bytes(tiny_onnx.model(nodes, {"x": (1,)}, {"y": (1,)}))
    with pytest.raises(ModelFileError, match="does not take the model") as caught:
        open_session(path)
    assert "NoSuchOperator" in str(caught.value)


def test_an_error_inside_a_run_is_a_device_error(tmp_path: Path) -> None:
    path = tmp_path / "table.onnx"
    nodes = [
        tiny_onnx.node("Cast", ["x"], ["row"], to=tiny_onnx.DTYPES["int64"]),
        tiny_onnx.node("Gather", ["table", "row"], ["y"], axis=0),
    ]
    table = tiny_onnx.tensor("table", np.arange(3, dtype=np.float32))
    path.write_bytes(tiny_onnx.model(nodes, {"x": (1,)}, {"y": (1,)}, [table]))
    with open_session(path) as session:
        for fetch in (session.run, lambda feeds: session.result(session.submit(feeds))):
            with pytest.raises(DeviceError, match="failed on a run") as caught:
                fetch({"x": np.float32([7])})
            assert caught.value.why is not None and "Gather" in caught.value.why
        assert session.run({"x": np.float32([2])})["y"].tolist() == [2]


def test_weights_outside_the_folder_are_refused_before_onnxruntime_sees_the_file(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(16))
    path = folder / "model.onnx"
    tensors = [tiny_onnx.external_tensor("w", (4,), "../secret.bin")]
    nodes = [tiny_onnx.node("Add", ["x", "w"], ["y"])]
    path.write_bytes(tiny_onnx.model(nodes, {"x": (4,)}, {"y": (4,)}, tensors))
    with pytest.raises(ModelFileError, match="outside its own folder"):
        open_session(path)


def test_a_library_that_is_there_but_broken_is_not_called_missing(
    model_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "onnxruntime.py").write_text("raise ImportError('libgomp.so: cannot allocate')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
    with pytest.raises(DeviceError, match="installed but can't be loaded") as caught:
        open_session(model_path)
    assert "libgomp" in str(caught.value)


def test_unknown_backend_and_threads_are_usage_errors(model_path: Path) -> None:
    with pytest.raises(UsageError, match="no back-end 'npu'"):
        open_session(model_path, backend="npu")
    with pytest.raises(UsageError, match="too few"):
        open_session(model_path, threads=0)
    with pytest.raises(UsageError, match="100000 threads are too many"):
        open_session(model_path, threads=100_000)  # ONNX Runtime would hang


@pytest.mark.parametrize("option", [{"half": True}, {"providers": ["CPUExecutionProvider"]}])
@pytest.mark.parametrize("backend", ["acl", "acllite", "simulator"])
def test_an_option_of_onnxruntime_is_not_ignored_by_another_back_end(
    model_path: Path, backend: str, option: Dict[str, Any]
) -> None:
    with pytest.raises(UsageError, match=f"'{backend}' does not have this option") as caught:
        open_session(model_path, backend=backend, **option)
    assert caught.value.where == next(iter(option))


@pytest.mark.parametrize("backend", ["auto", "simulator"])
def test_a_model_whose_name_is_not_utf_8_is_to_be_renamed(tmp_path: Path, backend: str) -> None:
    path = tmp_path / "\udcff.onnx"
    path.write_bytes(tiny_onnx.hand_model())
    with pytest.raises(InputError, match="not UTF-8") as caught:
        open_session(path, backend=backend)
    assert caught.value.fix == "rename it"


def test_one_provider_may_be_given_as_a_text(model_path: Path) -> None:
    with open_session(model_path, providers="CPUExecutionProvider") as session:
        assert session.backend == "onnxruntime"


@pytest.mark.parametrize(
    ("feeds", "got"),
    [
        (np.zeros((2, 3), np.float32), "got a ndarray"),
        ([np.zeros((2, 3), np.float32)], "got a list"),
        (None, "got a NoneType"),
        ({1: np.zeros(1), "image": np.zeros(1)}, "got 1, image"),
        ({}, "got nothing"),
    ],
)
def test_feeds_that_are_no_dict_of_inputs_are_one_clear_error(
    model_path: Path, feeds: Any, got: str
) -> None:
    with open_session(model_path) as session, pytest.raises(SessionError) as caught:
        session.run(feeds)
    assert got in str(caught.value.why)


def test_the_session_keeps_the_protocol(model_path: Path) -> None:
    with open_session(model_path) as session:
        typed: Session = session
        assert typed.backend == "onnxruntime"
        assert [spec.name for spec in typed.inputs] == ["image"]


def write_identity(path: Path, shape: Sequence[Union[int, str]], dtype: str = "float32") -> Path:
    nodes = [tiny_onnx.node("Identity", ["x"], ["y"])]
    sizes = {"x": shape}, {"y": shape}
    path.write_bytes(tiny_onnx.model(nodes, *sizes, dtypes={"x": dtype, "y": dtype}))
    return path


def spread(values: np.ndarray) -> np.ndarray:
    """The same values with gaps between them."""
    return np.repeat(values, 2, axis=-1)[..., ::2]


def shift(values: np.ndarray) -> np.ndarray:
    """The same values at an address that no float may have."""
    data = np.frombuffer(b"\0" + values.tobytes(), np.uint8)[1:]
    return data.view(values.dtype).reshape(values.shape)


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch) -> List[np.ndarray]:
    """The arrays that ONNX Runtime is given to read."""
    seen: List[np.ndarray] = []
    bind = onnxruntime.IOBinding.bind_cpu_input

    def record(binding: object, name: str, array: np.ndarray) -> None:
        seen.append(array)
        bind(binding, name, array)

    monkeypatch.setattr(onnxruntime.IOBinding, "bind_cpu_input", record)
    return seen


def test_a_feed_is_read_where_it_lies(model_path: Path, bound: List[np.ndarray]) -> None:
    image = bright_spot(3, 12)
    with open_session(model_path) as session:
        session.run({"image": image})
    assert bound[0] is image


def test_an_output_whose_size_is_told_wrong_comes_as_it_is(tmp_path: Path) -> None:
    """ONNX Runtime infers one column too many where the last window would begin in the padding."""
    pool = tiny_onnx.node(
        "AveragePool", ["x"], ["y"], kernel_shape=[1, 1], strides=[1, 3], ceil_mode=1
    )
    path = tmp_path / "pool.onnx"
    path.write_bytes(tiny_onnx.model([pool], {"x": (1, 1, 1, 8)}, {"y": (1, 1, 1, 4)}))
    x = np.arange(8, dtype=np.float32).reshape(1, 1, 1, 8)
    with open_session(path) as session:
        assert session.run({"x": x})["y"].ravel()[:3].tolist() == [0, 3, 6]


@pytest.mark.parametrize("change", [spread, shift, np.asfortranarray])
def test_strided_and_unaligned_feeds_are_understood(
    tmp_path: Path, bound: List[np.ndarray], change: Callable[[np.ndarray], np.ndarray]
) -> None:
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    with open_session(write_identity(tmp_path / "x.onnx", (2, 3, 4))) as session:
        np.testing.assert_array_equal(session.run({"x": change(values)})["y"], values)
    assert bound[0].flags.c_contiguous and bound[0].flags.aligned


@pytest.mark.parametrize("shape", [(4,), ("batch",)])
def test_outputs_share_no_memory_with_feeds(
    tmp_path: Path, shape: Sequence[Union[int, str]]
) -> None:
    feed = np.ones(4, np.float32)
    with open_session(write_identity(tmp_path / "x.onnx", shape)) as session:
        output = session.run({"x": feed})["y"]
        feed[:] = 2
        session.run({"x": feed})
    assert output.tolist() == [1] * 4
    output[:] = 3  # the caller may write into it


def test_an_open_size_is_told_as_minus_one_and_taken_from_the_feed(tmp_path: Path) -> None:
    with open_session(write_identity(tmp_path / "x.onnx", ("batch", 2))) as session:
        assert session.inputs[0].shape == session.outputs[0].shape == (-1, 2)
        for batch in (3, 1):
            assert session.run({"x": np.ones((batch, 2), np.float32)})["y"].shape == (batch, 2)


def test_fixed_and_open_outputs_of_one_model_keep_their_names(tmp_path: Path) -> None:
    path = tmp_path / "both.onnx"
    nodes = [tiny_onnx.node("Neg", ["x"], ["a"]), tiny_onnx.node("Neg", ["z"], ["b"])]
    sizes: Dict[str, Sequence[Union[int, str]]] = {"x": (2,), "z": ("n",)}
    path.write_bytes(tiny_onnx.model(nodes, sizes, {"a": (2,), "b": ("n",)}))
    with open_session(path) as session:
        found = session.run({"x": np.float32([1, 2]), "z": np.float32([3, 4, 5])})
    assert {name: array.tolist() for name, array in found.items()} == {
        "a": [-1, -2],
        "b": [-3, -4, -5],
    }


@pytest.mark.parametrize("dtype", ["float16", "float64", "uint8", "int32", "int64"])
@pytest.mark.parametrize("shape", [(), (3,)])
def test_every_type_and_a_scalar_come_through(
    tmp_path: Path, dtype: str, shape: Tuple[int, ...]
) -> None:
    path = write_identity(tmp_path / "x.onnx", shape, dtype)
    feed = np.full(shape, 7, dtype)
    with open_session(path) as session:
        assert session.inputs[0].dtype == session.outputs[0].dtype == dtype
        output = session.run({"x": feed})["y"]
    assert output.dtype == dtype and output.shape == shape
    np.testing.assert_array_equal(output, feed)


def test_a_model_stored_in_float16_runs(tmp_path: Path) -> None:
    path = tmp_path / "half.onnx"
    nodes = [tiny_onnx.node("Add", ["x", "w"], ["y"])]
    weights = [tiny_onnx.tensor("w", np.full(2, 0.5, np.float16))]
    types = {"x": "float16", "y": "float16"}
    path.write_bytes(tiny_onnx.model(nodes, {"x": (2,)}, {"y": (2,)}, weights, dtypes=types))
    with open_session(path) as session:
        assert session.run({"x": np.float16([1, 2])})["y"].tolist() == [1.5, 2.5]
        with pytest.raises(SessionError, match="takes float16"):
            session.run({"x": np.float32([1, 2])})


def test_run_timed_gives_the_outputs_of_run_and_times_that_fit_into_the_call(
    model_path: Path,
) -> None:
    image = bright_spot(3, 12)
    with open_session(model_path) as session:
        outputs = session.run({"image": image})
        started = perf_counter()
        timed, times = session.run_timed({"image": image})
        took_ms = 1e3 * (perf_counter() - started)
        with pytest.raises(SessionError, match="got nothing"):
            session.run_timed({})
    for name, array in outputs.items():
        np.testing.assert_array_equal(timed[name], array)
    steps = (times.copy_in_ms, times.execute_ms, times.copy_out_ms)
    assert all(step >= 0 for step in steps) and times.execute_ms > 0
    assert sum(steps) <= took_ms


def test_threads_that_run_at_once_get_their_own_outputs(model_path: Path) -> None:
    def ask(session: Session, column: int) -> float:
        joints = [session.run({"image": bright_spot(0, column)})["joints"] for _ in range(50)]
        return float(np.ptp([item[0, 10, 0] for item in joints]) + joints[0][0, 10, 0])

    with open_session(model_path, threads=1) as session, ThreadPoolExecutor(4) as pool:
        found = [pool.submit(ask, session, column) for column in range(4)]
        for column, item in enumerate(found):
            assert item.result() == pytest.approx((column + 0.5) / 16, abs=1e-5)
