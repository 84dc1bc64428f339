"""ONNX models of others: opsets, symbolic sizes, weights beside the file, and our own card."""

from __future__ import annotations

from pathlib import Path
from typing import List, Sequence, Union

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

import hostile_onnx  # noqa: E402
from hostile_onnx import SHAPE, model, node, weight  # noqa: E402
from onnx import ModelProto, helper  # noqa: E402

from atlas_hpe.card import load_card  # noqa: E402
from atlas_hpe.errors import (  # noqa: E402
    CardError,
    CheckpointError,
    MissingExtraError,
    ModelFileError,
    UsageError,
)
from atlas_hpe_export import onnx_bounds  # noqa: E402
from atlas_hpe_export.inputs import open_input  # noqa: E402

Dim = Union[int, str, None]


def write(path: Path, proto: ModelProto) -> Path:
    path.write_bytes(proto.SerializeToString())
    return path


def symbolic(dims: Sequence[Dim], nodes: Sequence[onnx.NodeProto] = ()) -> ModelProto:
    """Conv and Relu over an input with these sizes."""
    proto = model(list(nodes) or None)
    for info in (proto.graph.input[0], proto.graph.output[0]):
        info.CopyFrom(helper.make_tensor_value_info(info.name, 1, dims))
    return proto


def sizes(info: onnx.ValueInfoProto) -> List[int]:
    return [dim.dim_value for dim in info.type.tensor_type.shape.dim]


def test_a_model_comes_as_it_is_whatever_its_name(tmp_path: Path) -> None:
    path = write(tmp_path / "model.bin", model())
    found = open_input(path)
    assert (found.kind, found.network, found.examples, found.card) == ("onnx", None, (), None)
    assert (found.input_names, found.notes) == (("x",), ())
    assert found.model == model()
    assert open_input(path, input_shapes=["x:1,3,4,4"]).notes == ()


def test_our_own_model_keeps_its_card(repo: Path) -> None:
    path = repo / "atlas_hpe" / "models" / "hand_landmark.onnx"
    found = open_input(path)
    assert found.card == load_card(path)
    assert found.input_names == ("image",)


def test_a_broken_card_is_named(tmp_path: Path) -> None:
    proto = model()
    helper.set_model_props(proto, {"atlas_hpe.card": "{}"})
    with pytest.raises(CardError):
        open_input(write(tmp_path / "m.onnx", proto))


@pytest.mark.parametrize("opset", range(11, 22))
def test_opsets_of_the_ladder_are_taken(opset: int, tmp_path: Path) -> None:
    proto = model(opset=opset)
    proto.ir_version = 10
    found = open_input(write(tmp_path / "m.onnx", proto))
    assert found.model is not None
    assert found.model.opset_import[0].version == opset


@pytest.mark.parametrize("opset", [1, 6, 22, 26])
def test_opsets_beyond_are_refused_with_the_way_out(opset: int, tmp_path: Path) -> None:
    proto = model(opset=opset)
    with pytest.raises(ModelFileError, match=rf"opset {opset}; 7 to 21 are taken[^$]*=18"):
        open_input(write(tmp_path / "m.onnx", proto))


@pytest.mark.parametrize("opset", [7, 8, 9, 10])
def test_an_old_model_that_means_the_same_is_raised(opset: int, tmp_path: Path) -> None:
    found = open_input(write(tmp_path / "m.onnx", model(opset=opset)))
    assert found.model is not None
    assert [item.version for item in found.model.opset_import] == [11]
    assert found.notes == (f"opset {opset} holds at 11 without a change",)


OLD_FORMS = {
    "Clip": (node("Clip", ["x"], ["y"], min=0.0, max=6.0), 10),
    "Pad": (node("Pad", ["x"], ["y"], pads=[0] * 8), 10),
    "Slice": (node("Slice", ["x"], ["y"], starts=[0], ends=[4], axes=[2]), 9),
    "Upsample": (node("Upsample", ["x", "scales"], ["y"]), 9),
    "Resize": (node("Resize", ["x", "scales"], ["y"]), 10),
    "TopK": (node("TopK", ["x"], ["y", "i"], k=4), 9),
    "BatchNormalization": (
        node("BatchNormalization", ["x", "s", "s", "s", "s"], ["y"], spatial=0),
        8,
    ),
}


@pytest.mark.parametrize("name", OLD_FORMS)
def test_an_operator_that_was_said_otherwise_is_not_guessed(name: str, tmp_path: Path) -> None:
    made, opset = OLD_FORMS[name]
    ones = onnx.numpy_helper.from_array(np.ones(4, np.float32), "scales")
    thirds = onnx.numpy_helper.from_array(np.ones(3, np.float32), "s")
    proto = model([made], [ones, thirds], opset=opset)
    with pytest.raises(ModelFileError, match="something in it was said otherwise then") as caught:
        open_input(write(tmp_path / "m.onnx", proto))
    assert name in str(caught.value)


def test_another_domain_may_be_along(tmp_path: Path) -> None:
    proto = model([node("Inverse", ["x"], ["y"], domain="com.microsoft")], [], opset=18)
    proto.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    proto.ir_version = 8
    assert open_input(write(tmp_path / "m.onnx", proto)).kind == "onnx"


@pytest.mark.parametrize("dims", [["N", 3, "H", "W"], [None, 3, None, None], [0, 3, -1, 4]])
def test_symbolic_sizes_are_fixed(dims: Sequence[Dim], tmp_path: Path) -> None:
    path = write(tmp_path / "m.onnx", symbolic(dims))
    with pytest.raises(UsageError, match="does not say how large its inputs are") as caught:
        open_input(path)
    assert "--input-shape x:" in str(caught.value)
    found = open_input(path, input_shapes=["1,3,8,4"])
    assert found.model is not None
    assert sizes(found.model.graph.input[0]) == [1, 3, 8, 4]
    assert sizes(found.model.graph.output[0]) == [1, 3, 8, 4]
    assert found.notes == ("input 'x' was fixed at 1,3,8,4",)


def test_sizes_inside_the_graph_that_are_out_of_date_are_derived_anew(tmp_path: Path) -> None:
    proto = symbolic(["N", 3, "H", "W"])
    proto.graph.value_info.append(helper.make_tensor_value_info("a", 1, [1, 3, 99, 99]))
    found = open_input(write(tmp_path / "m.onnx", proto), input_shapes=["1,3,8,4"])
    assert found.model is not None
    assert [(info.name, sizes(info)) for info in found.model.graph.value_info] == [
        ("a", [1, 3, 8, 4])
    ]


def test_shapes_that_contradict_the_model_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "m.onnx", symbolic(["N", 3, "H", 4]))
    for text in ("1,4,8,4", "1,3,8,5", "1,3,8", "1,3,8,4,1"):
        with pytest.raises(UsageError, match=r"the model says \?,3,\?,4, given is"):
            open_input(path, input_shapes=[text])
    with pytest.raises(UsageError, match="there is no input 'picture'"):
        open_input(path, input_shapes=["picture:1,3,8,4"])
    with pytest.raises(UsageError, match="in order, the inputs are: x"):
        open_input(path, input_shapes=["1,3,8,4", "1"])


def test_sizes_at_which_the_graph_breaks_are_refused(tmp_path: Path) -> None:
    fifths = helper.make_node("Split", ["x"], ["y", "z"], axis=2, split=[2, 2])
    path = write(tmp_path / "m.onnx", symbolic(["N", 3, "H", 4], [fifths]))
    assert open_input(path, input_shapes=["1,3,4,4"]).kind == "onnx"
    with pytest.raises(UsageError, match="the model does not work at these input sizes"):
        open_input(path, input_shapes=["1,3,5,4"])


def test_only_inputs_without_sizes_need_a_shape(tmp_path: Path) -> None:
    proto = model([node("Add", ["a", "b"], ["y"])], [], inputs=("a", "b"))
    proto.graph.input[1].type.tensor_type.shape.dim[0].dim_param = "N"
    path = write(tmp_path / "m.onnx", proto)
    for shapes in (["1,3,4,4"], ["b:1,3,4,4"], ["b:1,3,4,4", "a:1,3,4,4"], ["1,3,4,4"] * 2):
        assert open_input(path, input_shapes=shapes).notes == ("input 'b' was fixed at 1,3,4,4",)
    with pytest.raises(UsageError, match=r"why: b: \?,3,4,4\n  fix: .* b:SIZE,3,4,4"):
        open_input(path, input_shapes=["a:1,3,4,4"])


def test_weights_that_are_listed_as_inputs_are_none(tmp_path: Path) -> None:
    proto = model()
    proto.graph.input.append(helper.make_tensor_value_info("w", 1, [3, 3, 1, 1]))
    assert open_input(write(tmp_path / "m.onnx", proto)).input_names == ("x",)


def test_an_input_that_is_no_tensor_is_refused(tmp_path: Path) -> None:
    proto = model([node("SequenceAt", ["x", "i"], ["y"])], [])
    proto.graph.initializer.append(onnx.numpy_helper.from_array(np.array(0), "i"))
    proto.graph.input[0].CopyFrom(helper.make_tensor_sequence_value_info("x", 1, SHAPE))
    with pytest.raises(ModelFileError, match="an input of the model is no tensor"):
        open_input(write(tmp_path / "m.onnx", proto))


def test_weights_in_the_folder_are_loaded(tmp_path: Path) -> None:
    values = np.arange(9, dtype=np.float32).tobytes()
    (tmp_path / "data.bin").write_bytes(bytes(16) + values)
    inside = hostile_onnx.external("data.bin", offset="16", length="36")
    constant = node("Constant", [], ["c"], value=inside)
    proto = model([constant, node("Conv", ["x", "c"], ["y"])], [])
    found = open_input(write(tmp_path / "m.onnx", proto))
    assert found.model is not None
    assert found.model.graph.node[0].attribute[0].t.raw_data == values
    found = open_input(write(tmp_path / "n.onnx", model(weights=[inside])))
    assert found.model is not None
    assert found.model.graph.initializer[0].raw_data == values


def test_functions_of_the_model_are_counted_where_they_are_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    twice = hostile_onnx.function("twice", ["Relu", "Relu"])
    four = hostile_onnx.function("four", ["twice", "twice"])
    proto = model([node("four", ["x"], ["y"], domain="own")], [weight()], opset=18)
    proto.ir_version = 8
    proto.opset_import.append(helper.make_opsetid("own", 1))
    proto.functions.extend([four, twice])
    path = write(tmp_path / "m.onnx", proto)
    monkeypatch.setattr(onnx_bounds, "_MAX_NODES", 4)
    assert open_input(path).kind == "onnx"
    monkeypatch.setattr(onnx_bounds, "_MAX_NODES", 3)
    with pytest.raises(ModelFileError, match="4 nodes once its functions are in place, 3 are"):
        open_input(path)


def test_a_file_too_large_for_protobuf_is_not_read(tmp_path: Path) -> None:
    path = write(tmp_path / "m.onnx", model())
    with path.open("ab") as stream:
        stream.truncate(1 << 31)
    with pytest.raises(ModelFileError, match="larger than an ONNX file can be"):
        open_input(path)


def test_an_old_onnx_opens_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "m.onnx", model())
    monkeypatch.setattr(onnx, "__version__", "1.20.1")
    with pytest.raises(MissingExtraError, match=r"pip install 'onnx>=1\.21'"):
        open_input(path)


def test_a_model_brings_its_own_network(tmp_path: Path) -> None:
    path = write(tmp_path / "m.onnx", model())
    with pytest.raises(UsageError, match="--arch is for a file of weights"):
        open_input(path, arch="shallow_unet")


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x1aE\xdf\xa3" + bytes(60), "a Matroska or WebM video"),
        (b"\x1c\0\0\0TFL3" + bytes(60), "a TensorFlow Lite model"),
        (b"\x89HDF\r\n" + bytes(60), "an HDF5 file (Keras)"),
        (b"epoch,loss\n", "text"),
    ],
)
def test_other_files_are_called_by_their_name(head: bytes, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(head)
    with pytest.raises(CheckpointError) as caught:
        open_input(path)
    assert f"it looks like {kind}" in str(caught.value)
