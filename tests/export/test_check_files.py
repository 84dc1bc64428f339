"""Files of unknown origin: one clear error, or a report; never more than the onnx package."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, Dict

import numpy as np
import onnx
import pytest
from check_graphs import constant, model, node, rules_of
from hostile_files import hostile_onnx_files
from onnx import helper, numpy_helper

from atlas_hpe.errors import AtlasHpeError, InputError, MissingExtraError, ModelFileError
from atlas_hpe.models import default_model_path
from atlas_hpe_export.check import check_onnx, describe_check, inference, shapes

RELU = [node("Relu")]

BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "onnxruntime", "onnx_ir", "onnxscript", "onnxsim"):
            raise ModuleNotFoundError("No module named " + repr(name), name=name)

sys.meta_path.insert(0, Blocker())
from atlas_hpe_export import check_onnx, describe_check
"""


def run_blocked(code: str, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", BLOCKER + code, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def write(path: Path, proto: onnx.ModelProto) -> Path:
    path.write_bytes(proto.SerializeToString())
    return path


def test_the_onnx_package_is_enough(tmp_path: Path) -> None:
    path = write(tmp_path / "m.onnx", model([node("Softmax")]))
    done = run_blocked("print(check_onnx(sys.argv[1]).findings[0].rule)", str(path))
    assert (done.stdout, done.stderr) == ("softmax-axis\n", "")


def test_samples_need_onnxruntime_and_say_so(tmp_path: Path) -> None:
    path = write(tmp_path / "m.onnx", model(RELU, {"x": (1, 2)}))
    code = """
import numpy
from atlas_hpe.errors import MissingExtraError
try:
    check_onnx(sys.argv[1], inputs={"x": numpy.zeros((1, 2), "float32")})
except MissingExtraError as error:
    print(error.fix)
"""
    done = run_blocked(code, str(path))
    assert (done.stdout, done.stderr) == ("pip install 'atlas-hpe[host]'\n", "")


def test_the_default_model_passes_without_a_word() -> None:
    report = check_onnx(default_model_path())
    assert report.findings == ()
    assert report.opset == 11
    assert sum(report.operators.values()) == report.nodes


def cut(path: Path) -> None:
    path.write_bytes(model(RELU).SerializeToString()[:-9])


def reads_nothing(path: Path) -> None:
    write(path, model([node("Relu", "ghost")]))


def reads_what_comes_later(path: Path) -> None:
    write(path, model([node("Relu", "b", "y"), node("Relu", "x", "b")]))


def made_twice(path: Path) -> None:
    write(path, model([node("Relu"), node("Neg")]))


def gives_out_nothing(path: Path) -> None:
    write(path, model(RELU, outputs=("ghost",)))


def no_opset_for_its_operators(path: Path) -> None:
    write(path, model(RELU, opset=0, others=[("com.microsoft", 1)]))


def weights_that_are_not_there(path: Path) -> None:
    proto = model([node("Mul", "x w")], weights={"w": np.ones((3, 8, 8), np.float32)})
    proto.graph.initializer[0].raw_data = b"1234"
    write(path, proto)


def a_name_that_is_no_text(path: Path) -> None:
    data = model([node("Relu", name="/abcdef/Relu")]).SerializeToString()
    path.write_bytes(data.replace(b"/abcdef/", b"/abc\xff\xff\xff/"))


def weights_from_outside(path: Path) -> None:
    proto = model([node("Mul", "x w")], weights={"w": np.ones(3, np.float32)})
    external(proto, "../secret.bin")
    write(path, proto)


def graphs_without_end(path: Path) -> None:
    inner = helper.make_node("Relu", ["x"], ["t"])
    for depth in range(20):
        branch = helper.make_graph([inner], "body", [], [])
        inner = helper.make_node("If", ["b"], [f"t{depth}"], then_branch=branch)
    write(path, model([inner], {"x": (1,), "b": ()}, outputs=(inner.output[0],)))


def external(proto: onnx.ModelProto, location: str) -> None:
    tensor = proto.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)


BROKEN: Dict[Callable[[Path], object], str] = {
    cut: "damaged",
    reads_nothing: "reads 'ghost', which nothing before it makes",
    reads_what_comes_later: "reads 'b', which nothing before it makes",
    made_twice: "the tensor 'y' is made twice",
    gives_out_nothing: "the list of outputs reads 'ghost'",
    no_opset_for_its_operators: "the opset of ONNX's own operators",
    weights_that_are_not_there: "the constant 'w' of the model is damaged",
    a_name_that_is_no_text: "not UTF-8",
    weights_from_outside: "outside its own folder",
    graphs_without_end: "deep",
}


@pytest.mark.parametrize("write_broken", BROKEN, ids=lambda item: item.__name__)
def test_a_broken_file_is_one_clear_error(
    write_broken: Callable[[Path], object], tmp_path: Path
) -> None:
    path = tmp_path / "broken.onnx"
    write_broken(path)
    with pytest.raises(ModelFileError) as caught:
        check_onnx(path)
    assert BROKEN[write_broken] in str(caught.value)


def test_a_file_that_is_not_there_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        check_onnx(tmp_path / "missing.onnx")


def test_an_empty_model_in_memory_is_refused() -> None:
    with pytest.raises(ModelFileError, match="holds no graph"):
        check_onnx(onnx.ModelProto())


def test_an_onnx_package_with_known_holes_opens_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "m.onnx", model(RELU))
    monkeypatch.setattr(onnx, "__version__", "1.14.0")
    with pytest.raises(MissingExtraError, match=r"1\.14\.0 is too old to open models safely"):
        check_onnx(path)


def test_weights_beside_the_file_are_read_and_pointed_out(tmp_path: Path) -> None:
    proto = model(
        [node("Mul", "x w")], {"x": (1, 2)}, weights={"w": np.array([1e9, 1], np.float32)}
    )
    (tmp_path / "weights.bin").write_bytes(proto.graph.initializer[0].raw_data)
    external(proto, "weights.bin")
    path = write(tmp_path / "m.onnx", proto)
    assert rules_of(check_onnx(path)) == ["fp16-constant-overflow", "external-data"]


def test_weights_elsewhere_of_a_model_in_memory_stay_unknown() -> None:
    proto = model([node("Mul", "x w")], {"x": (1, 2)}, weights={"w": np.ones(2, np.float32)})
    external(proto, "weights.bin")
    assert check_onnx(proto).passed


def test_hostile_files_give_a_report_or_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shapes, "infer_in_child", inference.infer_here)  # 40 processes take long
    harmless = {"shapes_do_not_fit.onnx", "weight_without_a_name.onnx"}
    seen = 0
    for path in hostile_onnx_files(tmp_path):
        seen += 1
        start = time.monotonic()
        try:
            passed = check_onnx(path).passed
        except AtlasHpeError:
            passed = False
        assert not passed or path.name in harmless, path.name
        assert time.monotonic() - start < 5, path.name
    assert seen > 100


@pytest.mark.parametrize("seed", range(2))
def test_damaged_bytes_give_a_report_or_one_error(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    nodes = [constant([1.0, 2.0]), node("Softmax", "x", "h"), node("Mul", "h c")]
    whole = model(nodes, {"x": (1, 3, 4, 2)}).SerializeToString()
    path = tmp_path / "m.onnx"
    for _ in range(15):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 1, 3))):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data[: chance.choice((len(data), chance.randrange(1, len(data))))])
        try:
            lines = describe_check(check_onnx(path))
        except AtlasHpeError as error:
            lines = str(error).splitlines()
        assert lines


@pytest.mark.parametrize(
    "nodes",
    [
        [node("GatherND", "x i", batch_dims=-2)],
        [node("Warp", "x", "h", domain="w"), node("EyeLike", "h", dtype=7)],
        [node("RegexFullMatch", "x"), node("StringConcat", "x x", "z")],
        [node("If", "x")],
        [node("Conv", "x")],
        [node("Resize", "x", mode=3)],
        [node("Softmax", axis=99)],
        [node("Concat", "x x", axis=-99)],
        [node("Split", "x", "y z", split=[-1, 9])],
        [node("Reshape", "x i")],
    ],
)
def test_nodes_that_make_no_sense_bring_nothing_down(nodes: list, tmp_path: Path) -> None:
    others = [("w", 1)]
    proto = model(nodes, weights={"i": np.zeros((1, 1), np.int64)}, opset=12, others=others)
    assert check_onnx(write(tmp_path / "m.onnx", proto)).findings


def test_inference_that_dies_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "m.onnx", model([node("Softmax")]))
    monkeypatch.setattr(inference, "_CHILD", "import os; os.abort()")
    report = check_onnx(path)
    assert rules_of(report) == ["softmax-axis", "no-shapes"]
    assert not report.passed


def test_inference_that_never_ends_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "m.onnx", model(RELU))
    monkeypatch.setattr(inference, "_CHILD", "while True: pass")
    monkeypatch.setattr(inference, "_TIMEOUT_S", 0.2)
    assert rules_of(check_onnx(path)) == ["no-shapes"]


def test_a_file_and_the_model_in_it_give_the_same_report(tmp_path: Path) -> None:
    nodes = [
        node("Shape", "x", "s"),
        node("Gather", "s i", "n"),
        node("Unsqueeze", "n", "m", axes=[0]),
    ]
    nodes += [node("Concat", "m r", "t", axis=0), node("Reshape", "x t", "h"), node("Softmax", "h")]
    weights = {"i": np.array(0), "r": np.array([24, 8])}
    proto = model(nodes, weights=weights)
    assert check_onnx(write(tmp_path / "m.onnx", proto)).findings == check_onnx(proto).findings


def test_control_characters_of_a_file_reach_no_terminal() -> None:
    proto = model([node("Softmax", name="/a\x1b[31m\n" + "b" * 9000)])
    text = "\n".join(describe_check(check_onnx(proto)))
    assert "\x1b" not in text
    assert "\\x1b[31m\\n" in text
    assert len(text) < 2000


def test_large_weights_do_not_go_through_inference(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    real = onnx.shape_inference.infer_shapes

    def measured(proto: onnx.ModelProto, **options: object) -> onnx.ModelProto:
        sizes.append(proto.ByteSize())
        return real(proto, **options)

    monkeypatch.setattr(onnx.shape_inference, "infer_shapes", measured)
    weight = np.ones((64, 64, 3, 3), np.float32)
    nodes = [constant(weight, "k"), node("Conv", "x w", "h"), node("Conv", "h k")]
    proto = model(nodes, {"x": (1, 64, 8, 8)}, weights={"w": weight})
    assert check_onnx(proto).nodes == 3
    assert sizes
    assert max(sizes) < 2000 < proto.ByteSize()


def test_constants_in_all_their_forms_are_known() -> None:
    nodes = [
        node("Constant", "", "a", value_int=1),
        node("Constant", "", "b", value_ints=[1, -1]),
        node("Constant", "", "c", value_float=1e9),
        node("Constant", "", "d", value_floats=[1e9]),
        node("Unsqueeze", "a zero", "e"),
        node("Reshape", "x b", "f"),
        node("Mul", "f c", "g"),
        node("Mul", "g d"),
    ]
    report = check_onnx(model(nodes, weights={"zero": np.array([0])}, opset=13))
    assert rules_of(report) == ["fp16-constant-overflow", "opset-not-official"]
    assert len(report.findings) == 3


def test_sparse_weights_are_constants_of_unknown_value() -> None:
    proto = model([node("Conv", "x w", kernel_shape=[1, 1])])
    values = numpy_helper.from_array(np.ones(1, np.float32), "w")
    indices = numpy_helper.from_array(np.zeros(1, np.int64), "i")
    proto.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [4, 3, 1, 1]))
    assert "computed-input" not in rules_of(check_onnx(proto))


def test_initialisers_that_old_files_list_as_inputs_are_no_inputs() -> None:
    proto = model(
        [node("Mul", "x w")],
        {"x": (1, 3), "w": (1, 3)},
        weights={"w": np.ones((1, 3), np.float32)},
    )
    proto.ir_version = 3
    assert check_onnx(proto).findings == ()
