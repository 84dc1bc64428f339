"""From the file that stands for an .om to what runs: the part of atc that a program can see."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Dict, List, Mapping, Tuple

import numpy as np

from atlas_hpe.aipp import AippSpec, DynamicAipp
from atlas_hpe.errors import ModelFileError, UsageError
from atlas_hpe_runtime.host.library import failure_types
from atlas_hpe_runtime.simulator.engine import open_engine
from atlas_hpe_runtime.simulator.half import half_graph
from atlas_hpe_runtime.simulator.mdl.aipp_record import record_size
from atlas_hpe_runtime.simulator.mdl.constants import AIPP_DATA, MBATCH_DATA, ND, ONNX_DTYPES
from atlas_hpe_runtime.simulator.mdl.ports import (
    FORMATS,
    Port,
    Shape,
    aipp_port,
    fill_shape,
    size_of,
)
from atlas_hpe_runtime.simulator.mdl.program import DataInput, Profile, Program, picture_spec
from atlas_hpe_runtime.simulator.model_spec import SimulatedModel
from atlas_hpe_runtime.simulator.onnx_edit import OnnxGraph, OnnxValue, parse_graph

if TYPE_CHECKING:
    import onnxruntime

__all__ = ["UndeterminedShapeError", "compile_program"]

_MAX_BYTES = 1 << 30  # of an input: more is a mistake, and would take the host down


class UndeterminedShapeError(ModelFileError):
    """A graph with free axes and nothing that fills them."""


def compile_program(model: SimulatedModel) -> Program:
    """Make a model ready to run.

    Every profile runs once with zeros, which tells its output shapes.

    Raises:
        MissingExtraError: onnxruntime is not installed.
        UndeterminedShapeError: Free axes that neither ``input_shapes`` nor a profile fills.
        ModelFileError: A damaged graph, or settings that do not fit it.
    """
    graph = parse_graph(model.onnx)
    data = _read_inputs(graph, model)
    dtypes = _output_dtypes(graph, model)
    engine = open_engine(_encode(graph, data, model))
    try:
        profiles = [_measure(engine, data, values, model) for values in model.profiles or ((),)]
        largest = max(profiles, key=lambda profile: sum(map(np.prod, profile.inputs)))
        data, inputs = _describe_inputs(data, largest, model)
        outputs = _describe_outputs(graph, dtypes, profiles, largest, model)
    except UsageError as error:
        raise ModelFileError(error.what, where=error.where, why=error.why) from error
    profiles = [_with_sizes(profile, inputs, outputs, data, model) for profile in profiles]
    by_values = {profile.values: profile for profile in profiles}
    moved = sum(port.size for port in (*inputs, *outputs))
    return Program(
        data=data,
        inputs=inputs,
        outputs=outputs,
        profiles=by_values,
        largest=by_values[largest.values],
        kind=model.profile_kind,
        layout=model.input_format,
        weight_bytes=_weigh(graph, model),
        work_bytes=2 * moved,
        engine=engine,
    )


def _read_inputs(graph: OnnxGraph, model: SimulatedModel) -> Tuple[DataInput, ...]:
    weights = {tensor.name for tensor in graph.tensors}
    names = [name for name in graph.inputs if name not in weights]
    for name in (*model.input_shapes, *model.aipp, *model.fp16_inputs):
        if name not in names:
            raise ModelFileError(f"the graph has no input '{name}'", why="it has " + str(names))
    found = []
    for name in names:
        declared = graph.inputs[name]
        shape = model.input_shapes.get(name, declared.shape)
        if shape is None or (-1 in shape and name not in model.input_shapes):
            raise UndeterminedShapeError(
                f"the input '{name}' has free axes",
                why="atc needs a size for each, or profiles that name them",
                fix="export it with a fixed batch, or give --input_shape",
            )
        if declared.shape is not None and len(shape) != len(declared.shape):
            raise ModelFileError(f"the shape {list(shape)} does not fit the input '{name}'")
        if declared.dtype not in ONNX_DTYPES:
            raise ModelFileError(f"the device has no type for the input '{name}'")
        dtype = ONNX_DTYPES[declared.dtype]
        aipp = model.aipp.get(name)
        if aipp is not None and (len(shape) != 4 or dtype not in ("float32", "float16")):
            raise ModelFileError(f"the input '{name}' takes no AIPP: it is {dtype} {list(shape)}")
        if name in model.fp16_inputs and dtype not in ("float32", "float16"):
            raise ModelFileError(f"the input '{name}' is {dtype}, and can't be float16")
        any_size = bool(model.dynamic_image_size) and -1 in shape
        found.append(DataInput(name, dtype, tuple(shape), aipp, any_size=any_size))
    return tuple(found)


def _output_dtypes(graph: OnnxGraph, model: SimulatedModel) -> Dict[str, str]:
    for name in model.output_dtypes:
        if name not in graph.outputs:
            raise ModelFileError(f"the graph has no output '{name}'")
    dtypes = {}
    for name, value in graph.outputs.items():
        if value.dtype not in ONNX_DTYPES:
            raise ModelFileError(f"the device has no type for the output '{name}'")
        dtype = ONNX_DTYPES[value.dtype]
        dtypes[name] = model.output_dtypes.get(name, "int32" if dtype == "int64" else dtype)
    return dtypes


def _encode(graph: OnnxGraph, data: Tuple[DataInput, ...], model: SimulatedModel) -> bytes:
    inputs = dict(graph.inputs)
    for source in data:
        inputs[source.name] = OnnxValue(graph.inputs[source.name].dtype, source.shape)
    # What a declared shape says of an output may be wrong for another batch.
    outputs = {name: OnnxValue(value.dtype, None) for name, value in graph.outputs.items()}
    onnx = replace(graph, inputs=inputs, outputs=outputs).encode()
    return half_graph(onnx) if model.precision == "fp16" else onnx


def _measure(
    engine: onnxruntime.InferenceSession,
    data: Tuple[DataInput, ...],
    values: Shape,
    model: SimulatedModel,
) -> Profile:
    """A profile with its output shapes; the sizes follow when the ports are known."""
    shapes: List[Shape] = []
    rest = values
    for source in data:
        filled, rest = fill_shape(source.shape, rest if model.profile_kind == "dims" else values)
        shapes.append(filled)
    for source, shape in zip(data, shapes):
        if size_of(shape, source.dtype) > _MAX_BYTES:
            raise ModelFileError(f"the shape {list(shape)} of '{source.name}' is too large")
    feeds = {source.name: np.zeros(shape, source.dtype) for source, shape in zip(data, shapes)}
    try:
        arrays = engine.run(None, feeds)
    except failure_types() as error:
        raise ModelFileError(
            "the model does not run with the shapes it was compiled for",
            where=", ".join(f"{source.name} {list(n)}" for source, n in zip(data, shapes)),
            why=str(error).strip(),
        ) from error
    return Profile(values, tuple(shapes), tuple(array.shape for array in arrays), (), ())


def _describe_inputs(
    data: Tuple[DataInput, ...], largest: Profile, model: SimulatedModel
) -> Tuple[Tuple[DataInput, ...], Tuple[Port, ...]]:
    """The ports, hidden ones last, and the inputs that now know where their settings come from."""
    ports, hidden, sources = [], [], []  # type: List[Port], List[Port], List[DataInput]
    for source, shape in zip(data, largest.inputs):
        dtype = "float16" if source.name in model.fp16_inputs else source.dtype
        layout = FORMATS[model.input_format] if len(shape) == 4 else ND
        size = size_of(shape, dtype)
        port = Port(source.name, dtype, layout, source.shape, size, source.shape)
        if isinstance(source.aipp, AippSpec):
            spec = picture_spec(source, shape, model.input_format)
            _check_picture(source, spec, shape, model)
            port = aipp_port(port, spec, shape, model.input_format)
        elif isinstance(source.aipp, DynamicAipp):
            port = replace(port, dtype="uint8", size=source.aipp.max_image_bytes)
            source = replace(source, record=len(data) + len(hidden))
            name = AIPP_DATA + (f"_{len(hidden)}" if hidden else "")
            size = record_size(shape[0])
            hidden.append(Port(name, "uint8", ND, (size,), size, (size,)))
        ports.append(port)
        sources.append(source)
    if model.profile_kind:
        count = len(largest.values)
        hidden.append(Port(MBATCH_DATA, "int64", ND, (count,), 8 * count, (count,)))
    return tuple(sources), (*ports, *hidden)


def _check_picture(source: DataInput, spec: AippSpec, shape: Shape, model: SimulatedModel) -> None:
    """What AIPP makes has to be what the graph takes."""
    left, right, top, bottom = spec.padding
    width, height = spec.crop[2:] if spec.crop else (spec.src_width_px, spec.src_height_px)
    picture = (len(spec.mean), height + top + bottom, width + left + right)
    wanted = (shape[3], *shape[1:3]) if model.input_format == "NHWC" else shape[1:]
    if picture != wanted:
        raise ModelFileError(
            f"AIPP does not fit the input '{source.name}'",
            why=f"it makes channels, height and width {picture}, the graph takes {wanted}",
        )


def _describe_outputs(
    graph: OnnxGraph,
    dtypes: Mapping[str, str],
    profiles: List[Profile],
    largest: Profile,
    model: SimulatedModel,
) -> Tuple[Port, ...]:
    makers = {
        name: f"{node.name or f'{node.op_type}_{place}'}:{index}:{name}"
        for place, node in enumerate(graph.nodes)
        for index, name in enumerate(node.outputs)
    }
    ports = []
    for index, name in enumerate(graph.outputs):
        shape = largest.outputs[index]
        layout = FORMATS[model.input_format] if len(shape) == 4 else ND
        size = max(size_of(profile.outputs[index], dtypes[name]) for profile in profiles)
        full = makers.get(name, f"{name}:0:{name}")
        ports.append(Port(full, dtypes[name], layout, shape, size, shape))
    return tuple(ports)


def _with_sizes(
    profile: Profile,
    inputs: Tuple[Port, ...],
    outputs: Tuple[Port, ...],
    data: Tuple[DataInput, ...],
    model: SimulatedModel,
) -> Profile:
    sizes = []
    for source, port, shape in zip(data, inputs, profile.inputs):
        if isinstance(source.aipp, AippSpec):
            spec = picture_spec(source, shape, model.input_format)
            sizes.append(shape[0] * size_of(spec.buffer_shape, "uint8"))
        else:
            sizes.append(0 if source.aipp is not None else size_of(shape, port.dtype))
    sizes += [port.size for port in inputs[len(data) :]]
    made = zip(profile.outputs, outputs)
    results = tuple(size_of(shape, port.dtype) for shape, port in made)
    return replace(profile, input_sizes=tuple(sizes), output_sizes=results)


def _weigh(graph: OnnxGraph, model: SimulatedModel) -> int:
    total = 0
    for tensor in graph.tensors:
        dtype = ONNX_DTYPES.get(tensor.dtype, "float32")
        halved = dtype == "float32" and model.precision == "fp16"
        total += size_of(tensor.dims, "float16" if halved else dtype)
    return total
