"""The onnxruntime back-end behind the Session contract."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import tiny_onnx
from atlas_hpe.errors import DeviceError, InputError, ModelFileError, SessionError, UsageError
from atlas_hpe_runtime import Session, open_session

pytest.importorskip("onnxruntime")


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


def test_the_session_keeps_the_protocol(model_path: Path) -> None:
    with open_session(model_path) as session:
        typed: Session = session
        assert typed.backend == "onnxruntime"
        assert [spec.name for spec in typed.inputs] == ["image"]
