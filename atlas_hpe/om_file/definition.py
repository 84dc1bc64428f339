"""MODEL_DEF: inputs, outputs, operators and attributes of a model (ascend.md sections 6.3, 6.4)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Counter as CounterType
from typing import Dict, List, Mapping, Optional, Tuple

from atlas_hpe.om_file.attributes import Attribute, Names, TextList, read_attributes
from atlas_hpe.om_file.message import Message, as_text
from atlas_hpe.om_file.spec import AippValue, OmAipp, OmTensor
from atlas_hpe.om_file.tensors import count_bytes, read_tensor

__all__ = ["Definition", "read_definition"]

_INPUT_TYPES = ("Data", "AippData")
_OUTPUT_TYPE = "NetOutput"
_TEXTS = (
    "atc_cmdline",
    "atc_version",
    "opp_version",
    "soc_version",
    "framework_type",
    "target_type",
)
_MEMORY = "memory_size"
_OUT_NAMES = "attr_model_out_nodes_name"
_NAME_TABLES = ("attr_name_enum", "attr_value_enum", "attrs_use_string_value")
# How AIPP, its mode and the order of the inputs stand on an input, from GE's ge_attr_define.cc,
# ge_aipp_op.cc and multi_batch_copy_graph.cc; section 6.4 names "aipp" only.
_AIPP, _AIPP_MODE = "aipp", "_data_related_aipp_mode"
_INDEX, _OPEN_SHAPE = "index", "_mbatch_origin_input_dims"
_AIPP_MODES = {
    "static_aipp": "static",
    "dynamic_aipp": "dynamic",
    "dynamic_aipp_conf": "parameters",
    1: "static",
    2: "dynamic",
}
_AIPP_FORMATS = {
    1: "YUV420SP_U8",
    2: "XRGB8888_U8",
    3: "RGB888_U8",
    4: "YUV400_U8",
    7: "ARGB8888_U8",
    8: "YUYV_U8",
    9: "YUV422SP_U8",
    10: "AYUV444_U8",
}


@dataclass
class Definition:
    """What MODEL_DEF says.

    Attributes:
        name: Name of the model.
        inputs: In the order in which they are fed.
        outputs: In order.
        operators: Type -> number, in all graphs.
        texts: Text attributes of the model that a summary shows.
        memory_bytes: Device memory that it works in.
    """

    name: str = ""
    inputs: List[OmTensor] = field(default_factory=list)
    outputs: List[OmTensor] = field(default_factory=list)
    operators: CounterType[str] = field(default_factory=Counter)
    texts: Dict[str, str] = field(default_factory=dict)
    memory_bytes: Optional[int] = None


def read_definition(message: Message) -> Definition:
    """Read MODEL_DEF.

    Raises:
        DamageError: It is not well-formed, or holds more than a model does.
    """
    found = Definition()
    attributes = read_attributes(message, 11, (*_TEXTS, _MEMORY, _OUT_NAMES, *_NAME_TABLES))
    for name in _TEXTS:
        text = attributes[name].text() if name in attributes else None
        if text:
            found.texts[name] = text
    found.memory_bytes = attributes[_MEMORY].number() if _MEMORY in attributes else None
    names = Names(*(attributes[key].values if key in attributes else None for key in _NAME_TABLES))
    out_names = attributes[_OUT_NAMES].texts() if _OUT_NAMES in attributes else TextList()
    fed: List[Tuple[Optional[int], OmTensor]] = []
    for number, value in message.fields():
        if number == 1:
            found.name = as_text(value, "the name of the model")
    for index, graph in enumerate(message.messages(7)):
        # The first graph is the model, the others are branches inside it.
        _read_graph(graph, index == 0, names, found, fed)
    found.outputs = [
        replace(port, name=out_names.get(index) or port.name)
        for index, port in enumerate(found.outputs)
    ]
    found.inputs = _in_order(fed)
    return found


def _in_order(fed: List[Tuple[Optional[int], OmTensor]]) -> List[OmTensor]:
    """Inputs by their index where each has its own, else as they stand in the file."""
    indices = [index for index, _ in fed if index is not None]
    if len(set(indices)) == len(fed):
        fed = sorted(fed, key=lambda item: item[0] or 0)
    return [port for _, port in fed]


def _read_graph(
    graph: Message,
    is_model: bool,
    names: Names,
    found: Definition,
    fed: List[Tuple[Optional[int], OmTensor]],
) -> None:
    for op in graph.messages(6):
        name, op_type = "", ""
        for number, value in op.fields():
            if number == 1:
                name = as_text(value, "the name of an operator")
            elif number == 2:
                op_type = as_text(value, "the type of an operator")
        if op_type not in found.operators:
            op.budget.keep("operator types")
        found.operators[op_type] += 1
        if is_model and op_type in _INPUT_TYPES:
            op.budget.keep("inputs")
            fed.append(_read_input(op, name, names))
        elif is_model and op_type == _OUTPUT_TYPE:
            found.outputs += _read_outputs(op)


def _read_input(op: Message, name: str, names: Names) -> Tuple[Optional[int], OmTensor]:
    wanted = (_AIPP, _AIPP_MODE, _INDEX, _OPEN_SHAPE)
    attributes = read_attributes(op, 10, wanted, names)
    described: Dict[int, OmTensor] = {}
    for number, value in op.fields():
        if number in (33, 34) and number not in described and not isinstance(value, int):
            described[number] = read_tensor(value, name)
    port = described.get(34) or described.get(33) or OmTensor(name, "unknown", "", ())
    # What is fed is the operator's own input: the buffer, which AIPP makes smaller than the shape
    # says (section 4.6), and without the padding of its output.
    stated = described[33].size_bytes if 33 in described else None
    open_shape = attributes[_OPEN_SHAPE].numbers() if _OPEN_SHAPE in attributes else []
    return attributes[_INDEX].number() if _INDEX in attributes else None, replace(
        port,
        shape=tuple(open_shape) or port.shape,
        size_bytes=stated or count_bytes(port) or port.size_bytes,
        aipp=_read_aipp(attributes),
    )


def _read_outputs(op: Message) -> List[OmTensor]:
    outputs, sources = [], []
    for number, value in op.fields():
        if number == 24:
            op.budget.keep("names of outputs")
            sources.append(as_text(value, "the name of an output"))
        elif number == 33 and not isinstance(value, int):
            op.budget.keep("outputs")
            outputs.append(read_tensor(value, ""))
    sources += [""] * (len(outputs) - len(sources))
    return [
        replace(port, name=source, size_bytes=count_bytes(port) or port.size_bytes)
        for port, source in zip(outputs, sources)
    ]


def _read_aipp(attributes: Mapping[str, Attribute]) -> Optional[OmAipp]:
    if _AIPP not in attributes and _AIPP_MODE not in attributes:
        return None
    settings = attributes[_AIPP].settings() if _AIPP in attributes else {}
    said: Optional[AippValue] = attributes[_AIPP_MODE].text() if _AIPP_MODE in attributes else None
    if said not in _AIPP_MODES:
        said = settings.get("aipp_mode")
    settings.pop("aipp_mode", None)
    picture = settings.get("input_format")
    if isinstance(picture, int):
        settings["input_format"] = _AIPP_FORMATS.get(picture, f"format {picture}")
    mode = _AIPP_MODES.get(said, "unknown") if isinstance(said, (int, str)) else "unknown"
    return OmAipp(mode, settings)
