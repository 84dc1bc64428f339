"""What an ONNX file says about itself, read without the onnx package.

Field numbers follow onnx.proto (ONNX IR version 3 and later).
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Counter as CounterType
from typing import Dict, List, Set, Tuple, Union

from atlas_hpe.card.spec import TensorSpec
from atlas_hpe.errors import ModelFileError
from atlas_hpe.files import read_bytes
from atlas_hpe.protowire import WireError, read_fields, read_varints, to_signed
from atlas_hpe.simulated_file import SIMULATED_WORDS

__all__ = ["OnnxSummary", "parse_onnx", "read_onnx_summary"]

_EXTERNAL = 1  # TensorProto.DataLocation
_MAX_ELEMENTS = (1 << 63) - 1  # what an int64 counts
_MAX_DEPTH = 16  # nested If/Loop bodies; real models have at most a few
_DTYPES = {
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    8: "string",
    9: "bool",
    10: "float16",
    11: "float64",
    16: "bfloat16",
}


@dataclass(frozen=True)
class OnnxSummary:
    """The parts of an ONNX file that a reader asks for first.

    Attributes:
        ir_version: Version of the file format.
        producer: Name and version of the program that wrote it.
        opsets: Domain -> opset version; the default domain is ``"ai.onnx"``.
        inputs: Graph inputs that are not initialisers; a symbolic dimension is -1.
        outputs: Graph outputs.
        operators: Operator type -> number of nodes, bodies of If and Loop included.
        weights: Number of elements in all initialisers.
        metadata: The metadata properties.
        external_files: Files that hold weights outside the .onnx.
    """

    ir_version: int
    producer: str
    opsets: Dict[str, int]
    inputs: Tuple[TensorSpec, ...]
    outputs: Tuple[TensorSpec, ...]
    operators: Dict[str, int]
    weights: int
    metadata: Dict[str, str]
    external_files: Tuple[str, ...]


@dataclass
class _Found:
    """What the walk over the file has gathered so far."""

    ir_version: int = 0
    producer: List[str] = field(default_factory=lambda: ["", ""])
    opsets: Dict[str, int] = field(default_factory=dict)
    inputs: List[TensorSpec] = field(default_factory=list)
    outputs: List[TensorSpec] = field(default_factory=list)
    operators: CounterType[str] = field(default_factory=Counter)
    initialisers: Set[str] = field(default_factory=set)  # of the outermost graph
    weights: int = 0
    metadata: Dict[str, str] = field(default_factory=dict)
    external_files: List[str] = field(default_factory=list)
    has_graph: bool = False


def read_onnx_summary(path: Union[str, Path]) -> OnnxSummary:
    """Read an ONNX file's summary and refuse weights from outside its folder.

    Raises:
        InputError: The file can't be read.
        ModelFileError: Not an ONNX file, damaged, or it asks for external data outside its folder.
    """
    return parse_onnx(read_bytes(path), Path(path))


def parse_onnx(content: bytes, path: Path) -> OnnxSummary:
    """Read the summary from the content of a file; see ``read_onnx_summary``.

    Args:
        content: All of it.
        path: Where it came from; weights outside the file may come from its folder.

    Raises:
        ModelFileError: As for ``read_onnx_summary``.
    """
    found = _Found()
    try:
        _read_model(memoryview(content), found)
    except (WireError, UnicodeDecodeError, TypeError) as error:
        raise _not_onnx_error(content, path, error) from error
    if not found.has_graph or not found.opsets:
        why = "it holds no graph" if not found.has_graph else "it names no opset"
        raise ModelFileError(
            "the file is not an ONNX model",
            where=path,
            why=why,
            fix="export or copy the model again",
        )
    for name in found.external_files:
        _check_external_file(path, name)
    return OnnxSummary(
        ir_version=found.ir_version,
        producer=" ".join(part for part in found.producer if part),
        opsets=found.opsets,
        inputs=tuple(spec for spec in found.inputs if spec.name not in found.initialisers),
        outputs=tuple(found.outputs),
        operators=dict(sorted(found.operators.items())),
        weights=found.weights,
        metadata=found.metadata,
        external_files=tuple(sorted(set(found.external_files))),
    )


def _not_onnx_error(content: bytes, path: Path, error: Exception) -> ModelFileError:
    from atlas_hpe.om_file import looks_like_om  # only for this mistake

    is_om = looks_like_om(content)
    if is_om or content.startswith(SIMULATED_WORDS):
        kind = "an .om, compiled for a device" if is_om else "a simulated model"
        return ModelFileError(
            f"this is {kind}, and not an ONNX model",
            where=path,
            fix="give the .onnx that it was made from",
        )
    return ModelFileError(
        "the file is not an ONNX model, or it is damaged",
        where=path,
        why=str(error),
        fix="export or copy the model again",
    )


def _check_external_file(path: Path, name: str) -> None:
    """Weights may come from the model's own folder only (onnx, CVE-2022-25882, CVE-2024-27318)."""
    folder = Path(os.path.realpath(str(path.parent)))
    try:
        target = Path(os.path.realpath(str(folder / name)))
        is_file = target.is_file()
    except (OSError, ValueError) as error:  # too long, or with a zero byte inside
        raise ModelFileError(
            "the model names a file for its weights that can't exist",
            where=path,
            why=f"external data location {name[:40]!r}: {str(error)[:60]}",
            fix="do not use the file unless you trust its source",
        ) from error
    if Path(name).is_absolute() or folder not in target.parents:
        raise ModelFileError(
            "the model asks for weights outside its own folder",
            where=path,
            why=f"external data location '{name}'",
            fix="do not use the file unless you trust its source; save it again in one piece",
        )
    if not is_file:
        raise ModelFileError(
            "a file with weights of the model is missing",
            where=path,
            why=f"external data location '{name}'",
            fix="copy it into the folder of the model",
        )


def _text(value: Union[int, memoryview]) -> str:
    if isinstance(value, int):
        raise WireError("a number where text is due")
    return bytes(value).decode("utf-8")


def _body(value: Union[int, memoryview]) -> memoryview:
    if isinstance(value, int):
        raise WireError("a number where a message is due")
    return value


def _number(value: Union[int, memoryview]) -> int:
    if not isinstance(value, int):
        raise WireError("a message where a number is due")
    return value


def _read_model(message: memoryview, found: _Found) -> None:
    for number, value in read_fields(message):
        if number == 1:
            found.ir_version = _number(value)
        elif number in (2, 3):
            found.producer[number - 2] = _text(value)
        elif number == 7:
            found.has_graph = True
            _read_graph(_body(value), found, depth=0)
        elif number == 8:
            domain, version = "ai.onnx", 0
            for key, item in read_fields(_body(value)):
                if key == 1:
                    domain = _text(item) or "ai.onnx"
                elif key == 2:
                    version = _number(item)
            found.opsets[domain] = version
        elif number == 14:
            key_text, value_text = _read_entry(_body(value))
            found.metadata[key_text] = value_text
        elif number == 20:  # TrainingInfoProto
            for key, item in read_fields(_body(value)):
                if key in (1, 2):  # initialization, algorithm
                    _read_graph(_body(item), found, depth=1)
        elif number == 25:  # FunctionProto
            for key, item in read_fields(_body(value)):
                if key == 7:
                    _read_node(_body(item), found, depth=0)
                elif key == 11:  # attributes with a default value
                    _read_attribute(_body(item), found, depth=0)


def _read_entry(message: memoryview) -> Tuple[str, str]:
    """A StringStringEntryProto."""
    parts = {1: "", 2: ""}
    for number, value in read_fields(message):
        if number in parts:
            parts[number] = _text(value)
    return parts[1], parts[2]


def _read_graph(message: memoryview, found: _Found, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise WireError(f"graphs nested more than {_MAX_DEPTH} deep")
    for number, value in read_fields(message):
        if number == 1:
            _read_node(_body(value), found, depth)
        elif number == 5:
            _read_initialiser(_read_tensor(_body(value), found), found, depth)
        elif number == 15:
            for tensor in _read_sparse_tensor(_body(value), found):
                _read_initialiser(tensor, found, depth)
        elif number == 11 and depth == 0:
            found.inputs.append(_read_value_info(_body(value)))
        elif number == 12 and depth == 0:
            found.outputs.append(_read_value_info(_body(value)))


def _read_node(message: memoryview, found: _Found, depth: int) -> None:
    for number, value in read_fields(message):
        if number == 4:
            found.operators[_text(value)] += 1
        elif number == 5:
            _read_attribute(_body(value), found, depth)


def _read_attribute(message: memoryview, found: _Found, depth: int) -> None:
    """An AttributeProto: weights may hide in any of its tensors and graphs."""
    for number, value in read_fields(message):
        if number in (5, 10):  # t, tensors
            _read_tensor(_body(value), found)
        elif number in (6, 11):  # g, graphs
            _read_graph(_body(value), found, depth + 1)
        elif number in (22, 23):  # sparse_tensor, sparse_tensors
            _read_sparse_tensor(_body(value), found)


def _read_initialiser(tensor: Tuple[str, int], found: _Found, depth: int) -> None:
    name, elements = tensor
    found.weights += elements
    if depth == 0:
        found.initialisers.add(name)


def _read_sparse_tensor(message: memoryview, found: _Found) -> List[Tuple[str, int]]:
    """A SparseTensorProto: name and number of its values; its indices are only checked."""
    values = []
    for number, value in read_fields(message):
        if number in (1, 2):
            tensor = _read_tensor(_body(value), found)
            if number == 1:
                values.append(tensor)
    return values


def _read_tensor(message: memoryview, found: _Found) -> Tuple[str, int]:
    """A TensorProto: its name and number of elements."""
    name, elements, location, external = "", 1, 0, []  # type: str, int, int, List[str]
    for number, value in read_fields(message):
        if number == 1:
            for dim in read_varints(value):
                elements *= dim
                # Checked at every step: a product of a million factors takes hours.
                if elements > _MAX_ELEMENTS:
                    raise WireError(f"a tensor of more than {_MAX_ELEMENTS} elements")
        elif number == 8:
            name = _text(value)
        elif number == 13:
            key, text = _read_entry(_body(value))
            external += [text] if key == "location" else []
        elif number == 14:
            location = _number(value)
    # Every location counts: readers differ in whether the first or the last one holds.
    found.external_files += external or ([""] if location == _EXTERNAL else [])
    return name, elements


def _read_value_info(message: memoryview) -> TensorSpec:
    name, dtype, shape = "", "unknown", []  # type: str, str, List[int]
    for number, value in read_fields(message):
        if number == 1:
            name = _text(value)
        elif number == 2:
            for key, item in read_fields(_body(value)):
                if key == 1:  # TypeProto.tensor_type
                    dtype, shape = _read_tensor_type(_body(item))
    return TensorSpec(name=name, shape=tuple(shape), dtype=dtype)


def _read_tensor_type(message: memoryview) -> Tuple[str, List[int]]:
    dtype, shape = "unknown", []  # type: str, List[int]
    for number, value in read_fields(message):
        if number == 1:
            dtype = _DTYPES.get(_number(value), "unknown")
        elif number == 2:
            for key, dim in read_fields(_body(value)):
                if key == 1:
                    sizes = [to_signed(_number(v)) for n, v in read_fields(_body(dim)) if n == 1]
                    shape.append(sizes[0] if sizes else -1)
    return dtype, shape
