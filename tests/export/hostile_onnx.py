"""ONNX files that are broken, lie, or attack: name -> how to write it.

Every reader has to refuse each of them with one clear error.
"""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence, Union

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from tiny_onnx import bytes_field, number_field, varint

Write = Callable[[Path], None]
SHAPE = [1, 3, 4, 4]


def field(number: int, value: Union[int, str, bytes]) -> bytes:
    return number_field(number, value) if isinstance(value, int) else bytes_field(number, value)


def message(fields: Dict[int, Union[int, str, bytes]]) -> bytes:
    return b"".join(field(*item) for item in fields.items())


def weight(name: str = "w", **changes: object) -> TensorProto:
    """A weight of 3x3x1x1; ``changes`` replaces its fields."""
    tensor = numpy_helper.from_array(np.ones((3, 3, 1, 1), np.float32), name)
    for key, value in changes.items():
        tensor.ClearField(key)  # type: ignore[arg-type]
        if isinstance(value, list):
            getattr(tensor, key).extend(value)
        elif value is not None:
            setattr(tensor, key, value)
    return tensor


def external(location: str, **entries: str) -> TensorProto:
    tensor = weight(raw_data=None, data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def model(
    nodes: Optional[Sequence[NodeProto]] = None,
    weights: Optional[Sequence[TensorProto]] = None,
    *,
    opset: int = 11,
    outputs: Sequence[str] = ("y",),
    inputs: Sequence[str] = ("x",),
) -> ModelProto:
    """Conv and Relu; the opset comes last in the file, so that no part of it is a whole model."""
    nodes = nodes or [
        helper.make_node("Conv", ["x", "w"], ["a"], name="conv"),
        helper.make_node("Relu", ["a"], ["y"], name="relu"),
    ]
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info(name, 1, SHAPE) for name in inputs],
        [helper.make_tensor_value_info(name, 1, SHAPE) for name in outputs],
        [weight()] if weights is None else list(weights),
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=6)


def node(op_type: str, inputs: Sequence[str], outputs: Sequence[str], **extra: object) -> NodeProto:
    return helper.make_node(op_type, list(inputs), list(outputs), **extra)


def hostile_models() -> Dict[str, Write]:
    """All of them."""
    found: Dict[str, Write] = {}
    for family in (cut_short, wire_damage, lying_tensors, broken_graphs, bad_headers, functions):
        found.update({name: _writer(data) for name, data in family().items()})
    found.update({name: _writer(data) for name, data in nested().items()})
    found.update(outside_weights())
    return found


def _writer(data: bytes) -> Write:
    def write(path: Path) -> None:
        path.write_bytes(data)

    return write


def cut_short() -> Dict[str, bytes]:
    whole = model().SerializeToString()
    cuts = sorted({max(1, len(whole) * part // 40) for part in range(40)})
    return {f"cut_at_{cut}": whole[:cut] for cut in cuts}


def wire_damage() -> Dict[str, bytes]:
    head, opset = message({1: 6, 2: "toy"}), field(8, message({1: "", 2: 11}))
    graph = model().graph.SerializeToString()
    lengths = {"one_more": len(graph) + len(opset) + 1, "huge": 1 << 40, "endless": (1 << 63) - 1}
    found = {
        f"graph_claims_{name}": head + b"\x3a" + varint(size) + graph + opset
        for name, size in lengths.items()
    }
    found.update(
        {
            "group_tags": head + b"\x3b" + graph + b"\x3c" + opset,
            "field_number_zero": head + b"\x00\x01" + field(7, graph) + opset,
            "number_without_end": head + b"\x08" + b"\xff" * 12 + field(7, graph) + opset,
            "text_for_a_graph": head + field(7, "a graph, honestly") + opset,
            "number_for_a_graph": head + field(7, 5) + opset,
            "number_for_a_node": head + field(7, field(1, 5)) + opset,
            "number_for_a_tensor": head + field(7, field(5, 5)) + opset,
            "name_is_not_utf8": head + field(7, field(5, field(8, b"\xff\xfe\xfd"))) + opset,
            "operator_is_not_utf8": head + field(7, field(1, field(4, b"\xff\xfe"))) + opset,
            "zeros": bytes(4096),
            "no_graph": head + opset,
            "no_opset": head + field(7, graph),
            "two_graphs_in_one": head + field(7, graph) + field(7, graph) + opset,
        }
    )
    return found


def lying_tensors() -> Dict[str, bytes]:
    tensors = {
        "one_huge_size": weight(dims=[1 << 40]),
        "sizes_beyond_int64": weight(dims=[1 << 62, 1 << 62]),
        "a_million_sizes": weight(dims=[1 << 30] * 100_000),
        "negative_size": weight(dims=[3, 3, 1, -1]),
        "too_few_bytes": weight(raw_data=bytes(20)),
        "no_bytes": weight(raw_data=b""),
        "no_data_at_all": weight(raw_data=None),
        "two_kinds_of_data": weight(float_data=[1.0] * 9),
        "too_few_floats": weight(raw_data=None, float_data=[1.0]),
        "type_99": weight(data_type=99),
        "type_undefined": weight(data_type=0),
        "type_negative": weight(data_type=-5),
        "strings_for_floats": weight(raw_data=None, string_data=[b"a"] * 9),
    }
    found = {f"weight_{name}": model(weights=[item]) for name, item in tensors.items()}
    found.update(
        {
            f"constant_{name}": model(
                [node("Constant", [], ["c"], value=item), node("Conv", ["x", "c"], ["y"])],
                weights=[],
            )
            for name, item in tensors.items()
            if name not in ("two_kinds_of_data", "a_million_sizes")
        }
    )
    return {name: item.SerializeToString() for name, item in found.items()}


def broken_graphs() -> Dict[str, bytes]:
    relu = node("Relu", ["x"], ["y"])
    wrong_attribute = node("Relu", ["x"], ["y"])
    wrong_attribute.attribute.add(name="alpha", f=1.0, type=1)
    wrong_kind = node("Conv", ["x", "w"], ["y"])
    wrong_kind.attribute.add(name="strides", s=b"2,2", type=3)
    no_kind = node("Conv", ["x", "w"], ["y"])
    no_kind.attribute.add(name="strides", ints=[1, 1])
    models = {
        "cycle_of_two": [node("Add", ["x", "b"], ["a"]), node("Add", ["a", "x"], ["b"]), relu],
        "node_feeds_itself": [node("Add", ["x", "y"], ["y"])],
        "cycle_of_hundred": [
            node("Add", ["x", f"v{(i + 99) % 100}"], [f"v{i}"]) for i in range(100)
        ]
        + [relu],
        "out_of_order": [node("Relu", ["a"], ["y"]), node("Relu", ["x"], ["a"])],
        "missing_weight": [node("Conv", ["x", "nowhere"], ["y"])],
        "missing_input": [node("Relu", ["nowhere"], ["y"])],
        "output_twice": [relu, relu],
        "output_is_a_weight": [relu, node("Relu", ["x"], ["w"])],
        "output_is_an_input": [relu, node("Relu", ["y"], ["x"])],
        "nobody_makes_the_output": [node("Relu", ["x"], ["a"])],
        "unknown_operator": [node("Relyou", ["x"], ["y"])],
        "unknown_domain": [node("Relu", ["x"], ["y"], domain="com.stranger")],
        "unknown_attribute": [wrong_attribute],
        "attribute_of_another_kind": [wrong_kind],
        "attribute_without_a_kind": [no_kind],
        "too_many_inputs": [node("Relu", ["x", "x", "x"], ["y"])],
        "too_few_inputs": [node("Conv", ["x"], ["y"])],
        "no_operator": [node("", ["x"], ["y"])],
        "if_without_bodies": [node("If", ["x"], ["y"])],
        "shapes_do_not_fit": [node("Reshape", ["x", "w"], ["y"])],
        "ranks_do_not_fit": [node("Conv", ["w", "x"], ["a"]), node("MatMul", ["a", "a"], ["y"])],
    }
    found = {name: model(nodes) for name, nodes in models.items()}
    found["input_twice"] = model([relu], inputs=("x", "x"))
    found["weight_twice"] = model(weights=[weight(), weight()])
    found["weight_without_a_name"] = model([relu], weights=[weight("")])
    return {name: item.SerializeToString() for name, item in found.items()}


def bad_headers() -> Dict[str, bytes]:
    ir = model()
    ir.ir_version = 0
    future = model()
    future.ir_version = 999
    nameless = model()
    nameless.graph.name = ""
    twice = model()
    twice.opset_import.append(helper.make_opsetid("", 12))
    untyped = model()
    untyped.graph.input[0].ClearField("type")
    sequence = model([node("SequenceLength", ["x"], ["n"]), node("Relu", ["z"], ["y"])])
    sequence.graph.input[0].CopyFrom(
        helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, SHAPE)
    )
    found = {
        "ir_version_0": ir,
        "ir_version_999": future,
        "graph_without_a_name": nameless,
        "opset_twice": twice,
        "input_without_a_type": untyped,
        "input_is_a_sequence": sequence,
        "opset_0": model(opset=0),
        "opset_huge": model(opset=(1 << 62)),
        "opset_negative": model(opset=-3),
    }
    return {name: item.SerializeToString() for name, item in found.items()}


def function(name: str, calls: Sequence[str]) -> onnx.FunctionProto:
    values = ["x", *(f"v{i}" for i in range(len(calls) - 1)), "y"]
    nodes = [
        node(call, [values[i]], [values[i + 1]], domain="" if call == "Relu" else "own")
        for i, call in enumerate(calls)
    ]
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    return helper.make_function("own", name, ["x"], ["y"], nodes, opsets)


def functions() -> Dict[str, bytes]:
    families: Dict[str, List[onnx.FunctionProto]] = {
        "function_calls_itself": [function("f0", ["f0"])],
        "functions_in_a_circle": [function("f0", ["f1"]), function("f1", ["f0"])],
        "billion_nodes": [
            *(function(f"f{i}", [f"f{i + 1}"] * 10) for i in range(9)),
            function("f9", ["Relu"] * 10),
        ],
    }
    found = {}
    for name, items in families.items():
        proto = model([node("f0", ["x"], ["y"], domain="own")], opset=18)
        proto.ir_version = 8
        proto.opset_import.append(helper.make_opsetid("own", 1))
        proto.functions.extend(items)
        found[name] = proto.SerializeToString()
    return found


def nested() -> Dict[str, bytes]:
    """Bodies of If in bodies of If."""
    found = {}
    head, opset = message({1: 6, 2: "toy"}), field(8, message({1: "", 2: 11}))
    for depth in (20, 500, 5000):
        graph = message({1: message({4: "Relu"})})
        for _ in range(depth):
            attribute = message({1: "then_branch", 6: graph, 20: 5})
            graph = message({1: message({4: "If", 5: attribute})})
        found[f"nested_{depth}_deep"] = head + field(7, graph) + opset
    return found


def outside_weights() -> Dict[str, Write]:
    """Weights in other files; those inside the folder are written too."""
    windows = {
        "offset_beyond_the_end": {"offset": "4000"},
        "length_beyond_the_end": {"length": "99999999999"},
        "offset_negative": {"offset": "-4", "length": "36"},
        "offset_is_text": {"offset": "four"},
        "length_is_text": {"length": "0x24"},
        "length_too_short": {"length": "8"},
        "offset_of_forty_digits": {"offset": "9" * 40},
    }
    locations = {
        "parent_folder": "../secret.bin",
        "far_parent_folder": "a/../../../../../../etc/passwd",
        "absolute": "/etc/passwd",
        "empty": "",
        "the_folder": ".",
        "missing": "not_there.bin",
        "zero_byte": "data\0.bin",
        "too_long": "d" * 5000,
        "link": "link.bin",
        "a_model_itself_as_folder": "model.onnx/../../secret.bin",
    }
    found: Dict[str, Write] = {}
    for name, location in locations.items():
        found[f"weights_at_{name}"] = _beside(model(weights=[external(location)]))
    for name, entries in windows.items():
        found[f"weights_{name}"] = _beside(model(weights=[external("data.bin", **entries)]))
    found["weights_of_a_constant_outside"] = _beside(
        model(
            [node("Constant", [], ["c"], value=external("/etc/passwd")), node("Relu", ["x"], ["y"])]
        )
    )
    many = [external("large.bin") for _ in range(40)]
    for index, tensor in enumerate(many):
        tensor.name = f"w{index}"
    found["weights_share_one_large_file"] = _beside(
        model([node("Relu", ["x"], ["y"])], weights=many), large=True
    )
    return found


def _beside(proto: ModelProto, *, large: bool = False) -> Write:
    def write(path: Path) -> None:
        folder = path.parent
        (folder / "data.bin").write_bytes(np.ones(100, np.float32).tobytes())
        secret = folder.parent / "secret.bin"
        secret.write_bytes(bytes(400))
        if not (folder / "link.bin").is_symlink():
            (folder / "link.bin").symlink_to(secret)
        if large:
            with (folder / "large.bin").open("wb") as stream:
                stream.truncate(100 << 20)  # takes no room on the disk
        path.write_bytes(proto.SerializeToString())

    return write
