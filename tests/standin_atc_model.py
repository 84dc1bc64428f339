"""What the stand-in makes of an ONNX file: the rules of its parser and kernels, and the .om.

Written after ascend.md sections 3.6, 3.7 and 4.6. The operators come from the data of the check
package, read here anew; none of its code is used.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Sequence, Set, Tuple

import om_files
from atlas_hpe.errors import AtlasHpeError
from atlas_hpe.onnx_file import OnnxSummary, read_onnx_summary
from atlas_hpe.protowire import read_fields
from standin_atc_aipp import AippInput, apply_config
from standin_atc_flags import (
    DYNAMIC,
    Flags,
    Refusal,
    bad_value,
    parse_input_shape,
    parse_profiles,
)

Shape = Tuple[int, ...]
_PROFILE_KINDS = {"dynamic_batch_size": 2, "dynamic_image_size": 3, "dynamic_dims": 4}


@dataclass(frozen=True)
class Node:
    name: str
    op_type: str
    domain: str
    inputs: Tuple[str, ...]


@dataclass(frozen=True)
class Graph:
    """What is read; ``opsets`` as they stand, ``constants`` are short lists of integers."""

    summary: OnnxSummary
    nodes: List[Node]
    opsets: List[Tuple[str, int]]
    constants: Dict[str, Shape]


def read_graph(path: Path) -> Graph:
    try:
        summary = read_onnx_summary(path)
    except AtlasHpeError as error:
        if "holds no graph" in (error.why or ""):
            raise Refusal("E16004", f"No graph is in the model [{path}].") from error
        text = f"Failed to read or parse the model [{path}]."
        raise Refusal("E19021", text, [str(error.why)]) from error
    graph = Graph(summary, [], [], {})
    for number, value in read_fields(memoryview(path.read_bytes())):
        if number == 7 and isinstance(value, memoryview):
            for key, item in read_fields(value):
                if key == 1 and isinstance(item, memoryview):
                    graph.nodes.append(_node(item))
                elif key == 5 and isinstance(item, memoryview):
                    graph.constants.update(_constant(item))
        elif number == 8 and isinstance(value, memoryview):
            entry = dict(read_fields(value))
            graph.opsets.append((_text(entry.get(1, b"")) or "ai.onnx", int(entry.get(2, 0))))
    return graph


def _text(value: object) -> str:
    return bytes(value).decode("utf-8")  # type: ignore[call-overload]


def _node(message: memoryview) -> Node:
    texts, inputs = {3: "", 4: "", 7: ""}, []
    for number, value in read_fields(message):
        if number in texts:
            texts[number] = _text(value)
        elif number == 1:
            inputs.append(_text(value))
    return Node(texts[3], texts[4], texts[7], tuple(inputs))


def _constant(tensor: memoryview) -> Dict[str, Shape]:
    """A TensorProto of few int64 numbers."""
    fields = dict(read_fields(tensor))
    raw = fields.get(9, b"")
    if fields.get(2) != 7 or isinstance(raw, int) or not 0 < len(raw) <= 64:
        return {}
    return {_text(fields[8]): struct.unpack(f"<{len(raw) // 8}q", bytes(raw))}


def _opsets(text: str) -> Set[int]:
    found: Set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


def registered(row: Mapping[str, object], cann: str) -> Set[int]:
    """Opsets at which a release's parser finds an operator.

    CANN 5.0: the source of February 2021, and 9 to 13 (those that the source of June 2022 has too,
    if it has any) when the document of 5.0.4 lists it. 5.1 and 6.0: the source of June 2022. Later:
    that of August 2026.
    """
    opsets = {key: _opsets(text) for key, text in row.get("opsets", {}).items()}  # type: ignore
    middle = opsets.get("2022-06", set())
    if cann.startswith(("5.1", "6.")):
        return middle
    if not cann.startswith("5."):
        return opsets.get("2026-08", set())
    listed = "5.0.4" in (row.get("documented") or [])  # type: ignore[operator]
    known = set(range(9, 14)) & (middle or set(range(9, 14))) if listed else set()
    return opsets.get("2021-02", set()) | known


def check_operators(graph: Graph, cann: str) -> None:
    """The rules of the parser, then whether the chip has a kernel."""
    nodes, opsets = graph.nodes, graph.opsets
    if len(opsets) > 1 and any(not node.domain for node in nodes):
        text = f"The model has {len(opsets)} opset_import, but a node without a domain needs one."
        raise Refusal("E16005", text)
    table = json.loads(_operator_file().read_text(encoding="utf-8"))
    rows, kernels, versions = table["operators"], table["kernels"], dict(opsets)
    unknown = []
    for node in nodes:
        domain = node.domain or "ai.onnx"
        version = versions.get(domain, 0)
        row = rows.get(node.op_type) if domain == "ai.onnx" else None
        if row is None or version not in registered(row, cann):
            key = f"{domain}::{version}::{node.op_type}"
            unknown.append(f"No parser is registered for Op [{node.name}, optype [{key}]].")
    if unknown:
        raise Refusal("E19010", unknown[0], unknown[1:])
    for node in nodes:
        row = rows[node.op_type]
        missing = [name for name in row.get("ir") or () if kernels[name] == "none"]
        if missing and not row.get("resolved"):
            names = f"[{node.name}], optype [{missing[0]}]"
            raise Refusal("EZ3003", f"No supported Ops kernel and engine are found for {names}.")


def _operator_file() -> Path:
    """Beside the tests, or where the package is installed; importing the package needs onnx."""
    inside = Path("atlas_hpe_export", "check", "operators_ascend310.json")
    import importlib.util

    here = Path(__file__).resolve().parent.parent / "export" / inside
    spec = importlib.util.find_spec("atlas_hpe_export")
    if here.is_file() or spec is None or spec.origin is None:
        return here
    return Path(spec.origin).parent / "check" / inside.name


@dataclass(frozen=True)
class Interface:
    """Inputs with the shapes that the flags give them, outputs, and the profiles."""

    names: Tuple[str, ...]
    shapes: List[Shape]
    profiles: Optional[Tuple[str, List[Tuple[int, ...]]]]


def read_interface(summary: OnnxSummary, flags: Flags) -> Interface:
    if not summary.inputs:
        raise Refusal("E16001", "The model has no input node.")
    for spec in summary.inputs:
        if spec.dtype not in ("float32", "float16", "uint8"):
            raise Refusal("E19999", "Inner Error!", [f"data type {spec.dtype} of [{spec.name}]"])
    given = parse_input_shape(flags["input_shape"]) if "input_shape" in flags else {}
    names = tuple(spec.name for spec in summary.inputs)
    for name in given:
        if name not in names:
            raise _not_found(name, "input_shape")
    shapes = []
    for spec in summary.inputs:
        shape = given.get(spec.name, spec.shape)
        if len(shape) != len(spec.shape):
            text = f"Dimension count [{len(shape)}] of [--input_shape] does not match [{spec.name}]"
            raise Refusal("E10049", f"{text}, which has {len(spec.shape)}.")
        shapes.append(shape)
    dynamic = next((name for name in DYNAMIC if name in flags), None)
    if dynamic is None:
        if any(size < 1 for shape in shapes for size in shape):
            text = "An input has an axis of -1, and [--dynamic_batch_size], "
            raise Refusal(
                "E10012", text + "[--dynamic_image_size] and [--dynamic_dims] are not set."
            )
        return Interface(names, shapes, None)
    if dynamic == "input_shape_range":
        raise bad_value(dynamic, flags[dynamic], "the stand-in has no ranges")
    if all(-1 not in shape for shape in given.values()):
        raise Refusal("E10040", f"[--{dynamic}] is set, but [--input_shape] has no axis of -1.")
    profiles = parse_profiles(flags)
    _check_axes(dynamic, shapes, profiles)
    return Interface(names, shapes, (dynamic, profiles))


def _not_found(name: str, flag: str) -> Refusal:
    text = f"Opname [{name}] specified in [--{flag}] is not found in the model. "
    return Refusal("E10016", text + "Confirm whether this node name exists.")


def _check_axes(flag: str, shapes: List[Shape], profiles: List[Tuple[int, ...]]) -> None:
    for shape in shapes:
        free = [axis for axis, size in enumerate(shape) if size == -1]
        if flag == "dynamic_batch_size" and free not in ([], [0]):
            raise Refusal("E10018", f"Value [{shape}] is invalid: only the batch may be -1.")
        if flag == "dynamic_image_size" and free not in ([], [2, 3]):
            raise Refusal("E10019", "Only the height and width may be -1 in [--input_shape].")
    free_axes = sum(shape.count(-1) for shape in shapes)
    if flag == "dynamic_dims" and free_axes != len(profiles[0]):
        raise Refusal(
            "E10045", f"[--input_shape] has {free_axes} axes of -1, a profile another count."
        )


def check_side_files(flags: Flags, interface: Interface, nodes: Sequence[Node]) -> None:
    """Names in side files and name lists must be names of the model."""
    known = {node.name for node in nodes} | set(interface.names)
    if "keep_dtype" in flags:
        for line in Path(flags["keep_dtype"]).read_text(encoding="utf-8").splitlines():
            if line.strip() and not line.startswith("OpType::") and line.strip() not in known:
                raise _not_found(line.strip(), "keep_dtype")
    halves = flags.get("input_fp16_nodes", "").split(";")
    for name in filter(None, halves):
        if name not in interface.names:
            raise Refusal(
                "E10017", f"Input Op [{name}] specified in [--input_fp16_nodes] is invalid."
            )
    for entry in filter(None, flags.get("out_nodes", "").split(";")):
        if entry.rpartition(":")[0] not in known:
            raise _not_found(entry, "out_nodes")


def check_batch(graph: Graph, interface: Interface) -> None:
    """Another batch than the graph's does not go through a Reshape to fixed sizes."""
    for spec, shape in zip(graph.summary.inputs, interface.shapes):
        if not shape or shape[0] == spec.shape[0]:
            continue
        for node in graph.nodes:
            sizes = graph.constants.get(node.inputs[1], ()) if node.op_type == "Reshape" else ()
            if sizes and all(size > 0 for size in sizes):
                text = f"Call InferShapeAndType for node:{node.name}(Reshape) failed[FUNC:Infer]"
                raise Refusal("EZ9999", "Inner Error!", [text])


def aipp_inputs(flags: Flags, interface: Interface) -> Dict[int, AippInput]:
    if "insert_op_conf" not in flags:
        return {}
    text = Path(flags["insert_op_conf"]).read_text(encoding="utf-8")
    images = interface.profiles is not None and interface.profiles[0] == "dynamic_image_size"
    inputs = apply_config(text, interface.shapes, dynamic_image_size=images)
    halves = flags.get("input_fp16_nodes", "").split(";")
    for item in inputs:
        if interface.names[item.rank] in halves:
            name = interface.names[item.rank]
            raise Refusal(
                "E10034", f"Nodes (for example, [{name}]) connected to AIPP must not be fp16."
            )
    return {item.rank: item for item in inputs}


def build(flags: Flags, command: str, cann: str) -> bytes:
    """The .om, after every check."""
    graph = read_graph(Path(flags["model"]))
    summary = graph.summary
    check_operators(graph, cann)
    interface = read_interface(summary, flags)
    check_side_files(flags, interface, graph.nodes)
    check_batch(graph, interface)
    aipp = aipp_inputs(flags, interface)
    inputs = []
    for rank, (spec, shape) in enumerate(zip(summary.inputs, interface.shapes)):
        if rank in aipp and not aipp[rank].dynamic:
            made = aipp[rank]
            settings = {**made.settings, "aipp_mode": 1}
            inputs.append(om_files.Port(spec.name, made.shape, "uint8", "NHWC", aipp=settings))
        else:
            inputs.append(om_files.Port(spec.name, shape, spec.dtype))
    for made in aipp.values():
        if made.dynamic:
            name = "ascend_dynamic_aipp_data"
            inputs.append(om_files.Port(name, made.shape, "uint8", "ND", op_type="AippData"))
    batch = interface.shapes[0][0] if interface.shapes[0] else 1
    images = interface.profiles is not None and interface.profiles[0] != "dynamic_batch_size"
    outputs = [
        om_files.Port(spec.name, _output_shape(spec.shape, batch, images), _dtype(spec.dtype), "ND")
        for spec in summary.outputs
    ]
    attributes = om_files.typical_attributes(flags["soc_version"], command)
    attributes["stand_in"] = f"written by the tests' stand-in for atc of CANN {cann}"
    attributes["attr_model_out_nodes_name"] = [f"{spec.name}:0" for spec in summary.outputs]
    kind, profiles = interface.profiles or ("", [])
    model = om_files.Model(
        name=Path(flags["output"]).name,
        inputs=inputs,
        outputs=outputs,
        operators={name: count for name, count in summary.operators.items() if name != "Constant"},
        attributes=attributes,
        weights=bytes(2 * summary.weights),
        profiles=(_PROFILE_KINDS[kind], profiles) if profiles else None,
    )
    return om_files.build_om([model])


def _output_shape(shape: Shape, batch: int, open_axes: bool) -> Shape:
    """The batch goes through; other open axes become 1, as the stand-in infers no shapes."""
    rest = tuple(size if size > 0 else (-1 if open_axes else 1) for size in shape[1:])
    return (batch, *rest) if shape and shape[0] in (-1, 1) else shape


def _dtype(dtype: str) -> str:
    """int64 outputs come back as int32 (section 3.2)."""
    return "int32" if dtype == "int64" else dtype
