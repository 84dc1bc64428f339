"""Ranges on sample inputs: what float16 would lose, found by running the graph."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Dict

import numpy as np
import onnx
import pytest
from check_graphs import INTS, body, model, node, rules_of

from atlas_hpe.errors import InputError
from atlas_hpe_export.check import check_onnx, describe_check, ranges

SQUARED = model([node("Mul", "x x", "s"), node("Sqrt", "s")], {"x": (1, 4)})


def feed(*numbers: float) -> Dict[str, np.ndarray]:
    return {"x": np.array([numbers], np.float32)}


def found(proto: onnx.ModelProto, arrays: Dict[str, np.ndarray]) -> Dict[str, str]:
    report = check_onnx(proto, inputs=arrays)
    return {item.rule: item.severity for item in report.findings}


def test_a_value_beyond_float16_is_a_blocker_at_its_node() -> None:
    report = check_onnx(SQUARED, inputs=feed(1, 2, 3, -300))
    (item,) = report.findings
    assert (item.rule, item.severity, item.op_type) == ("fp16-overflow", "blocker", "Mul")
    assert "9e+04" in item.what
    assert "estimated" in item.why
    assert not report.passed


def test_what_float16_holds_is_no_finding() -> None:
    assert check_onnx(SQUARED, inputs=feed(1, 2, 3, -255.5)).findings == ()


def test_an_input_itself_may_be_too_large() -> None:
    proto = model([node("Sigmoid")], {"x": (1, 4)})
    (item,) = check_onnx(proto, inputs=feed(0, 0, 0, 7e4)).findings
    assert item.what.startswith("input 'x' reaches")


def test_every_sample_counts() -> None:
    stacked = np.zeros((3, 1, 4), np.float32)
    stacked[2, 0, 1] = 300
    report = check_onnx(SQUARED, inputs={"x": stacked})
    assert report.samples == 3
    assert rules_of(report) == ["fp16-overflow"]
    assert "3 samples" in describe_check(report)[-1]
    assert "estimated for the board" in describe_check(report)[-1]


def test_nan_is_a_blocker_and_infinity_a_warning() -> None:
    assert found(model([node("Log")], {"x": (1, 4)}), feed(1, 1, 1, -1)) == {"nan": "blocker"}
    assert found(model([node("Log")], {"x": (1, 4)}), feed(1, 1, 1, 0)) == {"infinite": "warning"}


def test_whole_numbers_that_float16_rounds_are_pointed_out() -> None:
    proto = model([node("Floor")], {"x": (1, 4)})
    assert found(proto, feed(1.5, 3, 4, 2049.5)) == {"fp16-index": "warning"}
    assert found(proto, feed(1.5, 3, 4, 2048.5)) == {}
    assert found(proto, feed(1.5, 3, 4, 4096.5)) == {}


def test_fractions_are_no_index_arithmetic() -> None:
    assert found(model([node("Relu")], {"x": (1, 4)}), feed(0.5, 3, 4, 2049.0)) == {}


def test_the_model_stays_as_it_is() -> None:
    before = SQUARED.SerializeToString()
    check_onnx(SQUARED, inputs=feed(1, 2, 3, 4))
    assert before == SQUARED.SerializeToString()


def test_tensors_come_in_batches_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    real = ranges.open_runner

    def counted(*arguments: object, **options: object) -> object:
        opened.append(arguments)
        return real(*arguments, **options)

    monkeypatch.setattr(ranges, "open_runner", counted)
    monkeypatch.setattr(ranges, "MAX_BATCH_BYTES", 16)
    assert rules_of(check_onnx(SQUARED, inputs=feed(300, 0, 0, 0))) == ["fp16-overflow"]
    assert len(opened) == 2


def test_bodies_of_if_are_run_but_not_looked_into() -> None:
    branch = node(
        "If",
        "b",
        then_branch=body([node("Mul", "x x", "t")], ["t"]),
        else_branch=body([node("Neg", "x", "e")], ["e"]),
    )
    proto = model([branch], {"x": (1, 4), "b": ()}, dtypes={"b": 9}, outputs=("y",))
    proto.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info("y", 1, (1, 4)))
    arrays = {**feed(300, 0, 0, 0), "b": np.array(True)}
    assert "fp16-overflow" in rules_of(check_onnx(proto, inputs=arrays))


def test_a_file_of_arrays_is_read(tmp_path: Path) -> None:
    path = tmp_path / "samples.npz"
    np.savez(path, x=np.full((2, 1, 4), 300.0))
    report = check_onnx(SQUARED, inputs=path)
    assert (report.samples, rules_of(report)) == (2, ["fp16-overflow"])


def test_open_axes_take_what_they_get() -> None:
    proto = model([node("Mul", "x x")], {"x": ("N", 4)})
    assert "fp16-overflow" in found(proto, {"x": np.full((5, 4), 300, np.float32)})


@pytest.mark.parametrize(
    ("arrays", "part"),
    [
        ({}, "missing: x"),
        ({"x": np.zeros((1, 4)), "z": np.zeros(1)}, "not an input: z"),
        ({"x": np.zeros((2, 4))}, "the input is [1, 4]"),
        ({"x": np.zeros((1, 1, 1, 4))}, "the input is [1, 4]"),
        ({"x": np.zeros((0, 1, 4))}, "there is no sample"),
        ({"x": np.array([["a", "b", "c", "d"]])}, "are <U1"),
        ({"x": np.zeros((1, 4), complex)}, "are complex128"),
    ],
)
def test_samples_that_do_not_fit(arrays: Dict[str, np.ndarray], part: str) -> None:
    with pytest.raises(InputError) as caught:
        check_onnx(SQUARED, inputs=arrays)
    assert part in str(caught.value)


def test_inputs_with_different_numbers_of_samples_are_refused() -> None:
    proto = model([node("Add", "x z")], {"x": (1, 4), "z": (1, 4)})
    arrays = {"x": np.zeros((2, 1, 4)), "z": np.zeros((3, 1, 4))}
    with pytest.raises(InputError, match="different numbers"):
        check_onnx(proto, inputs=arrays)


def test_floats_are_no_integers() -> None:
    proto = model([node("Cast", to=1)], {"x": (2,)}, dtypes={"x": INTS})
    with pytest.raises(InputError, match="are float64"):
        check_onnx(proto, inputs={"x": np.zeros(2)})


def _objects(path: Path) -> None:
    np.savez(path, x=np.array([{}], dtype=object))


def _single_array(path: Path) -> None:
    with path.open("wb") as stream:
        np.save(stream, np.zeros(3))


def _truncated(path: Path) -> None:
    np.savez(path, x=np.zeros((1, 4)))
    path.write_bytes(path.read_bytes()[:-40])


def _huge_claim(path: Path) -> None:
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head, {"descr": "<f4", "fortran_order": False, "shape": (10**9, 10**6)}
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", head.getvalue() + bytes(64))


@pytest.mark.parametrize(
    "write",
    [
        _objects,
        _single_array,
        _truncated,
        _huge_claim,
        lambda path: path.write_text("x,y\n1,2\n"),
        lambda path: path.write_bytes(b""),
        lambda path: path.mkdir(),
        lambda path: None,
    ],
)
def test_files_that_hold_no_samples(write: object, tmp_path: Path) -> None:
    path = tmp_path / "samples.npz"
    write(path)
    with pytest.raises(InputError) as caught:
        check_onnx(SQUARED, inputs=path)
    assert str(path) in str(caught.value)
