"""Planted faults: the right node is named each time, and its files show it on their own."""

from __future__ import annotations

import io
import json
import math
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Dict, List

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import helper  # noqa: E402
from parity_graphs import (  # noqa: E402
    floats,
    get_constant,
    model_of,
    set_constant,
    unet,
    unet_feeds,
)

from atlas_hpe.errors import CheckFailedError, OutputError, SessionError  # noqa: E402
from atlas_hpe.parity import TOLERANCES  # noqa: E402
from atlas_hpe_export.parity.bisect import bisect_graph  # noqa: E402
from atlas_hpe_export.parity.bisection import (  # noqa: E402
    BISECTION_FILES,
    Bisection,
    bisection_to_dict,
    describe_bisection,
)
from atlas_hpe_export.parity.half_precision import emulate_half  # noqa: E402
from atlas_hpe_export.parity.intermediates import run_tensors  # noqa: E402

FLOAT32 = TOLERANCES["float32"]
FEEDS = unet_feeds()


def bisect(
    reference: onnx.ModelProto,
    candidate: onnx.ModelProto,
    folder: Path,
    limit: float = FLOAT32.tensor,
    feeds: Dict[str, np.ndarray] = FEEDS,
) -> Bisection:
    tolerance = replace(FLOAT32, tensor=limit)
    found = bisect_graph(reference, candidate, feeds, tolerance, folder)
    assert found is not None
    assert sorted(path.name for path in folder.iterdir()) == sorted(BISECTION_FILES)
    onnx.checker.check_model(str(folder / "node.onnx"), full_check=True)
    return found


def operators(folder: Path) -> List[str]:
    return [node.op_type for node in onnx.load(str(folder / "node.onnx")).graph.node]


def reproduce(folder: Path) -> float:
    """Run the three lines of the README in a new process that has numpy and onnxruntime alone."""
    readme = (folder / "README.txt").read_text(encoding="utf-8").rstrip().splitlines()
    blocker = "import sys\nfor name in ('torch', 'onnx', 'atlas_hpe'): sys.modules[name] = None\n"
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", blocker + "\n".join(readme[-3:])],
        cwd=str(folder),
        env=clean,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


def test_a_wrong_weight_deep_in_a_network_is_found(tmp_path: Path) -> None:
    model = unet()
    weight = get_constant(model, "deep.conv2.weight").copy()
    weight[3, 2, 1, 1] += 0.5
    wrong = set_constant(model, "deep.conv2.weight", weight)
    found = bisect(model, wrong, tmp_path)
    assert (found.node, found.op_type) == ("/deep/conv2/Conv", "Conv")
    assert found.module == "deep.conv2"
    assert found.tensor.name == "deep.conv2_raw"
    assert found.inputs == ("deep.conv1",)
    assert (found.nodes, operators(tmp_path)) == (1, ["Conv"])
    assert found.tensor.max_abs > found.limit == FLOAT32.tensor * max(1, found.tensor.scale)
    assert reproduce(tmp_path) == pytest.approx(found.tensor.max_abs, rel=1e-4)


def test_an_overflow_of_fp16_is_found(tmp_path: Path) -> None:
    loud = unet()
    for name in ("deep.conv1.weight", "deep.conv1.bias"):
        loud = set_constant(loud, name, 3e4 * get_constant(loud, name))
    # Weights that fp16 holds; only what the layer makes of them does not fit.
    assert np.abs(get_constant(loud, "deep.conv1.weight")).max() < 60000
    found = bisect(loud, emulate_half(loud), tmp_path, TOLERANCES["half"].tensor)
    assert found.node == "/deep/conv1/Conv"
    assert found.tensor.mismatched_not_finite > 0
    assert operators(tmp_path) == ["Conv", "Cast", "Cast"]
    assert reproduce(tmp_path) == math.inf
    assert any("NaN or infinite" in line for line in describe_bisection(found))


def test_a_resize_with_other_coordinates_is_found(tmp_path: Path) -> None:
    model, wrong = unet(), unet()
    (resize,) = [node for node in wrong.graph.node if node.op_type == "Resize"]
    modes = {item.name: item for item in resize.attribute}
    modes["coordinate_transformation_mode"].s = b"asymmetric"
    found = bisect(model, wrong, tmp_path)
    assert (found.node, found.module) == ("/up/Resize", "up")
    assert operators(tmp_path) == ["Resize"]
    assert reproduce(tmp_path) == pytest.approx(found.tensor.max_abs, rel=1e-4)


def test_nothing_is_written_where_nothing_breaks(tmp_path: Path) -> None:
    model, folder = unet(), tmp_path / "out"
    tolerance = TOLERANCES["half"]
    assert bisect_graph(model, emulate_half(model), FEEDS, tolerance, folder) is None
    assert not folder.exists()


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 6, 7, 12])
def test_small_errors_that_add_up_are_shown_by_the_fewest_nodes(tmp_path: Path, depth: int) -> None:
    """Nine nodes without an error, then one after another adds 0.01 too much."""
    names = [f"/front{i}/Relu" for i in range(9)] + [f"/step{i}/Add" for i in range(12)]
    nodes = [
        helper.make_node(
            name.split("/")[-1],
            [f"t{i}" if i else "x", *(["w"] if "step" in name else [])],
            [f"t{i + 1}"],
            name,
        )
        for i, name in enumerate(names)
    ]
    x = floats(4)
    model = model_of(nodes, {"x": x}, {f"t{len(nodes)}": x}, {"w": x})
    limit = 0.01 * (depth - 0.5)
    found = bisect(model, set_constant(model, "w", x + 0.01), tmp_path, limit, {"x": x})
    assert (found.node, found.nodes) == (f"/step{depth - 1}/Add", depth)
    assert found.tensor.max_abs == pytest.approx(0.01 * depth)


def off_by_a_fifth(
    nodes: List[onnx.NodeProto], x: np.ndarray, y: np.ndarray, folder: Path
) -> Bisection:
    """The reference adds w = 0 where the candidate adds 0.2; 0.3 is allowed."""
    zero = np.float32([0])
    reference = model_of(nodes, {"x": x}, {"y": y}, {"w": zero, "zero": zero})
    return bisect(reference, set_constant(reference, "w", zero + 0.2), folder, 0.3, {"x": x})


def test_the_part_is_grown_only_as_far_as_needed(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Add", ["x", "w"], ["a"], "/front/Add"),
        helper.make_node("Mul", ["a", "zero"], ["b"], "/wall/Mul"),
        helper.make_node("Add", ["b", "w"], ["c"], "/one/Add"),
        helper.make_node("Add", ["c", "w"], ["d"], "/two/Add"),
        helper.make_node("Relu", ["d"], ["y"], "/end/Relu"),
    ]
    found = off_by_a_fifth(nodes, floats(4), floats(4), tmp_path)
    assert (found.node, found.inputs) == ("/two/Add", ("b",))
    assert operators(tmp_path) == ["Add", "Add"]


def test_one_output_of_a_node_can_be_fed_and_the_other_made(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Split", ["x"], ["a", "b"], "/split/Split"),
        helper.make_node("Add", ["b", "w"], ["c"], "/add/Add"),
        helper.make_node("Sum", ["a", "c", "w"], ["y"], "/sum/Sum"),
    ]
    found = off_by_a_fifth(nodes, floats(4), floats(2), tmp_path)
    assert (found.node, found.inputs) == ("/sum/Sum", ("x", "b"))
    assert operators(tmp_path) == ["Split", "Add", "Sum"]
    assert reproduce(tmp_path) == pytest.approx(0.4)


def test_an_input_that_is_read_late_is_fed_all_along(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], "/a/Relu"),
        helper.make_node("Relu", ["a"], ["b"], "/b/Relu"),
        helper.make_node("Add", ["b", "w"], ["c"], "/c/Add"),
        helper.make_node("Sum", ["x", "c", "w"], ["y"], "/y/Sum"),
    ]
    found = off_by_a_fifth(nodes, floats(4), floats(4), tmp_path)
    assert (found.node, sorted(found.inputs)) == ("/y/Sum", ["b", "x"])


def test_what_is_made_is_not_fed_as_well(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], "/a/Relu"),
        helper.make_node("Relu", ["a"], ["b"], "/b/Relu"),
        helper.make_node("Add", ["b", "w"], ["c"], "/c/Add"),
        helper.make_node("Sum", ["b", "c", "w"], ["y"], "/y/Sum"),
    ]
    found = off_by_a_fifth(nodes, floats(4), floats(4), tmp_path)
    assert (found.node, found.inputs) == ("/y/Sum", ("a",))


def test_tensors_of_other_shapes_are_passed_over(tmp_path: Path) -> None:
    x = np.float32([[0, 1, 2], [3, 4, 5]])
    turn, straight = (
        [helper.make_node(name, ["b"], ["a"]), helper.make_node(name, ["a"], ["c"])]
        for name in ("Transpose", "Relu")
    )
    start = helper.make_node("Relu", ["x"], ["b"])
    end = helper.make_node("Add", ["c", "w"], ["y"], "/end/Add")
    reference = model_of([start, *straight, end], {"x": x}, {"y": x}, {"w": x})
    candidate = model_of([start, *turn, end], {"x": x}, {"y": x}, {"w": x + 1})
    assert bisect(reference, candidate, tmp_path, feeds={"x": x}).node == "/end/Add"


def test_integers_are_made_and_never_fed(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Add", ["x", "w"], ["a"], "/add/Add"),
        helper.make_node("ArgMax", ["a"], ["best"], "/best/ArgMax", axis=0),
        helper.make_node("Gather", ["a", "best"], ["b"], "/pick/Gather"),
        helper.make_node("Add", ["b", "w"], ["y"], "/last/Add"),
    ]
    x = np.float32([0, 1, 0])
    found = off_by_a_fifth(nodes, x, floats(1), tmp_path)
    assert (found.node, found.inputs) == ("/last/Add", ("x",))
    assert operators(tmp_path) == ["Add", "ArgMax", "Gather", "Add"]


def test_an_input_that_is_no_float_is_fed_as_it_is(tmp_path: Path) -> None:
    x, index = np.float32([1, 2, 3]), np.int64([2, 0])
    nodes = [helper.make_node("Gather", ["w", "index"], ["y"], "/pick/Gather")]
    model = model_of(nodes, {"index": index}, {"y": floats(2)}, {"w": x})
    found = bisect(model, set_constant(model, "w", x + 1), tmp_path, feeds={"index": index})
    assert found.inputs == ("index",)
    assert reproduce(tmp_path) == 1


def test_tensors_that_only_one_graph_has_are_walked_through(tmp_path: Path) -> None:
    """As after a rewrite: two nodes stand where one was."""
    x, half = np.float32([1, 2]), np.float32([0.5])
    one = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Mul", ["a", "w"], ["y"], "/m/Mul"),
    ]
    two = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Mul", ["a", "w"], ["between"], "/m/Mul/Mul"),
        helper.make_node("Mul", ["between", "w"], ["y"], "/m/Mul/Mul_1"),
    ]
    models = [model_of(nodes, {"x": x}, {"y": x}, {"w": half}) for nodes in (one, two)]
    found = bisect(*models, tmp_path, feeds={"x": x})
    assert (found.node, found.inputs, found.nodes) == ("/m/Mul", ("a",), 2)


def test_the_feeds_must_fit(tmp_path: Path) -> None:
    with pytest.raises(SessionError):
        bisect_graph(unet(), unet(), {"image": floats(1, 3, 4, 4)}, FLOAT32, tmp_path)


def broken() -> onnx.ModelProto:
    return set_constant(unet(), "down.conv.bias", np.ones(4))


def test_files_that_exist_are_not_replaced_unasked(tmp_path: Path) -> None:
    old = tmp_path / "expected.npz"
    old.write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        bisect_graph(unet(), broken(), {}, FLOAT32, tmp_path)  # before the feeds are looked at
    assert [path.name for path in tmp_path.iterdir()] == ["expected.npz"]
    assert old.read_text() == "mine"
    found = bisect_graph(unet(), broken(), FEEDS, FLOAT32, tmp_path, force=True)
    assert reproduce(tmp_path) > found.limit


def test_a_folder_is_made_where_there_is_none(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    found = bisect(unet(), broken(), folder)
    assert found.folder == str(folder)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    for place in (file, file / "below"):
        with pytest.raises(OutputError, match="not a folder"):
            bisect_graph(unet(), broken(), FEEDS, FLOAT32, place)


def test_a_disk_that_refuses_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OutputError, match="can't be written"):
        bisect_graph(unet(), broken(), FEEDS, FLOAT32, tmp_path / ("x" * 300))

    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OutputError, match="can't be written") as caught:
        bisect_graph(unet(), broken(), FEEDS, FLOAT32, tmp_path / "out")
    assert caught.value.why == "No space left on device"


def test_files_that_do_not_show_the_break_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_what_the_candidate_says(arrays: Dict[str, np.ndarray]) -> bytes:
        buffer = io.BytesIO()
        np.savez(buffer, **run_tensors(broken(), list(arrays), FEEDS))
        return buffer.getvalue()

    monkeypatch.setattr("atlas_hpe_export.parity.bisection._to_npz", write_what_the_candidate_says)
    with pytest.raises(CheckFailedError, match="do not show"):
        bisect_graph(unet(), broken(), FEEDS, FLOAT32, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_break_that_vanishes_alone_is_an_error_that_names_the_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([True])
    monkeypatch.setattr(
        "atlas_hpe_export.parity.bisect.exceeds", lambda _tensor, _tolerance: next(answers, False)
    )
    with pytest.raises(CheckFailedError, match="runs alone") as caught:
        bisect_graph(unet(), broken(), FEEDS, FLOAT32, tmp_path / "out")
    assert caught.value.where == "Conv '/down/conv/Conv'"
    assert not (tmp_path / "out").exists()


def test_names_that_numpy_takes_for_options_are_tensors_too(tmp_path: Path) -> None:
    x = np.float32([1, 2])
    nodes = [helper.make_node("Add", ["file", "w"], ["allow_pickle"], "/add/Add")]
    model = model_of(nodes, {"file": x}, {"allow_pickle": x}, {"w": x})
    found = bisect(model, set_constant(model, "w", x + 1), tmp_path, feeds={"file": x})
    assert found.inputs == ("file",)
    assert reproduce(tmp_path) == 1


def test_a_part_without_inputs_can_be_run(tmp_path: Path) -> None:
    """ConstantOfShape depends on the input's shape alone, which the export folded here."""
    x = np.float32([1, 2])
    nodes = [
        helper.make_node("Shape", ["x"], ["size"]),
        helper.make_node("ConstantOfShape", ["size"], ["y"], "/fill/ConstantOfShape"),
    ]
    reference = model_of(nodes, {"x": x}, {"y": x})
    value = helper.make_tensor("value", 1, [1], [5.0])
    nodes[1].attribute.append(helper.make_attribute("value", value))
    found = bisect(reference, model_of(nodes, {"x": x}, {"y": x}), tmp_path, feeds={"x": x})
    assert found.op_type == "ConstantOfShape"
    assert reproduce(tmp_path) == 5


def test_the_result_goes_into_json_and_text(tmp_path: Path) -> None:
    found = bisect(unet(), broken(), tmp_path)
    assert json.loads(json.dumps(bisection_to_dict(found), allow_nan=False))["nodes"] == 1
    lines = describe_bisection(found)
    assert lines[0] == "first node that breaks the tolerance: Conv '/down/conv/Conv'"
    assert any("module 'down.conv'" in line for line in lines)
    root = replace(found, module="")
    assert any("outermost" in line for line in describe_bisection(root))
    unknown = replace(found, module=None)
    assert any("does not tell" in line for line in describe_bisection(unknown))
    assert asdict(found)["tensor"]["name"] == "down.conv_raw"
