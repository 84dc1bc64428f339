"""What may be asked of the onnxruntime back-end: threads, providers, half precision."""

from __future__ import annotations

from pathlib import Path
from typing import List

import numpy as np
import pytest

import tiny_onnx
from atlas_hpe.errors import DeviceError, UsageError
from atlas_hpe_runtime import open_session
from atlas_hpe_runtime.session import BASIS_EMULATED, BASIS_HOST

onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture
def model_path(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(tiny_onnx.hand_model())
    return path


def test_threads_reach_onnxruntime(model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: List[int] = []
    make = onnxruntime.InferenceSession

    def record(path: str, settings: onnxruntime.SessionOptions, **rest: object) -> object:
        asked.append(settings.intra_op_num_threads)
        return make(path, settings, **rest)

    monkeypatch.setattr(onnxruntime, "InferenceSession", record)
    open_session(model_path, threads=3).close()
    open_session(model_path).close()
    assert asked == [3, 0]  # 0: as ONNX Runtime likes


def test_a_provider_is_taken_when_it_is_there_and_refused_with_the_list_when_not(
    model_path: Path,
) -> None:
    with open_session(model_path, providers=["CPUExecutionProvider"]) as session:
        assert session.backend == "onnxruntime"
    with pytest.raises(UsageError, match="no provider 'NoSuchProvider'") as caught:
        open_session(model_path, providers=["NoSuchProvider", "CPUExecutionProvider"])
    assert "CPUExecutionProvider" in str(caught.value.why)


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_provider_that_does_not_start_is_not_replaced_silently(
    model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["MIGraphXExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: names)
    with pytest.raises(DeviceError, match="could not start the provider 'MIGraphX") as caught:
        open_session(model_path, providers=names)
    assert "running: CPUExecutionProvider" in str(caught.value)


def test_half_computes_in_numbers_of_the_board_and_says_that_it_is_an_estimate(
    tmp_path: Path,
) -> None:
    path = tmp_path / "sum.onnx"
    nodes = [tiny_onnx.node("Add", ["x", "w"], ["y"])]
    weights = [tiny_onnx.tensor("w", np.full(1, 2.0**-12, np.float32))]
    path.write_bytes(tiny_onnx.model(nodes, {"x": (1,)}, {"y": (1,)}, weights))
    feed = np.ones(1, np.float32)
    with open_session(path) as exact, open_session(path, half=True) as half:
        assert exact.run({"x": feed})["y"][0] == 1 + 2.0**-12
        assert half.run({"x": feed})["y"][0] == 1  # a half has 11 bits
        assert half.outputs == exact.outputs
        assert exact.basis == BASIS_HOST
        assert half.basis == BASIS_EMULATED
        assert "estimated" in half.basis and "emulated" in half.basis
