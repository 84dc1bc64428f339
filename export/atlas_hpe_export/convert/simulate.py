"""A model for the simulator from what atc would be told, in place of an .om.

What atc makes of a flag is in ascend.md sections 3.1 and 3.2, what the simulator makes of it in
``SimulatedModel``. The same graph and flags give the same bytes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Tuple

from atlas_hpe.aipp import AippSettings, AippSpec, read_aipp_config
from atlas_hpe.errors import ModelFileError, OutputError, UsageError
from atlas_hpe.files import read_bytes
from atlas_hpe.onnx_file import OnnxSummary
from atlas_hpe.simulated_file import SIMULATED_SUFFIX, is_simulated_name
from atlas_hpe.targets import DEFAULT_SOC
from atlas_hpe.version import __version__
from atlas_hpe_export.convert.job import ConvertJob
from atlas_hpe_export.convert.record import (
    OUTPUT_TYPES,
    computes_in_float32,
    input_shapes_of,
)
from atlas_hpe_export.convert.request.command import AtcCommand
from atlas_hpe_runtime.simulator.mdl.compile import compile_program
from atlas_hpe_runtime.simulator.model_file import simulated_content
from atlas_hpe_runtime.simulator.model_spec import SimulatedModel
from atlas_hpe_runtime.simulator.onnx_edit import parse_graph

__all__ = ["SIMULATED_BY", "Simulation", "check_simulated_path", "simulate_om", "simulated_model"]

#: ``BuildRecord.compiler`` of a simulated model.
SIMULATED_BY = f"atlas-hpe {__version__}, simulated"

# What changes nothing that a program sees of a model.
_NO_PART = ("enable_small_channel", "framework", "log")
_STOOD_FOR = (
    "soc_version",
    "precision_mode",
    "precision_mode_v2",
    "input_format",
    "input_shape",
    "insert_op_conf",
    "dynamic_batch_size",
    "dynamic_image_size",
    "dynamic_dims",
    "input_fp16_nodes",
    "output_type",
)
# Flags that give the .om other inputs or outputs: without them it would be another model.
_REFUSED = (
    "input_shape_range",
    "is_input_adjust_hw_layout",
    "is_output_adjust_hw_layout",
    "out_nodes",
    "singleop",
)
_FP16_MODES = ("force_fp16", "fp16")


@dataclass(frozen=True)
class Simulation:
    """A model for the simulator.

    Attributes:
        model: The model.
        notes: What the simulator can't stand for, a sentence each.
    """

    model: SimulatedModel
    notes: Tuple[str, ...]


def check_simulated_path(out: Path) -> None:
    """Make sure that a simulated model is called one.

    Raises:
        OutputError: The name does not end in ``.simulated.om``.
    """
    if not is_simulated_name(out):
        stem = out.name[:-3] if out.suffix.lower() == ".om" else out.stem
        raise OutputError(
            "the name of a simulated model must say that it is one",
            where=out,
            why=f"no board takes the file; its name ends in {SIMULATED_SUFFIX}",
            fix=f"--out {out.with_name(stem + SIMULATED_SUFFIX)}",
        )


def simulated_model(onnx: bytes, command: AtcCommand, summary: OnnxSummary) -> Simulation:
    """What atc would make of a graph, for the simulator.

    Args:
        onnx: The ONNX file, weights included.
        command: What atc would be told.
        summary: What ``read_onnx_summary`` says of the file.

    Raises:
        UsageError: A flag with a value that atc does not take, or one that makes another model
            than the simulator can stand for.
        InputError: A file that a flag names can't be read.
    """
    options = command.values
    shapes = {spec.name: spec.shape for spec in summary.inputs}
    for name in _REFUSED:
        if name in options:
            raise UsageError(
                f"the simulator can't stand for a model with --{name}",
                why="it gives the .om other inputs or outputs than the graph has",
                fix="leave it out, or compile with atc",
            )
    try:
        given = input_shapes_of(options.get("input_shape", ""))
        model = SimulatedModel(
            onnx=onnx,
            soc=options.get("soc_version", SimulatedModel.soc),
            precision="fp32" if computes_in_float32(options) else "fp16",
            input_format=options.get("input_format", SimulatedModel.input_format),
            input_shapes=given,
            aipp=_read_aipp(command, {**shapes, **given}),
            dynamic_batch=_numbers(options.get("dynamic_batch_size", "")),
            dynamic_image_size=tuple(map(_size, _parts(options, "dynamic_image_size"))),
            dynamic_dims=tuple(map(_numbers, _parts(options, "dynamic_dims"))),
            fp16_inputs=_parts(options, "input_fp16_nodes"),
            output_dtypes=_read_output_types(options.get("output_type"), onnx, summary),
        )
    except ValueError as error:
        raise UsageError(
            "a flag of atc has a value that atc does not take",
            why=str(error),
            fix="see the values in atc --help",
        ) from error
    return Simulation(model, tuple(_find_notes(options)))


def _find_notes(options: Mapping[str, str]) -> List[str]:
    known = (*_NO_PART, *_STOOD_FOR)
    notes = [
        f"--{name}={value} is ignored: the simulator has nothing for it to change"
        for name, value in options.items()
        if name not in known
    ]
    mode = options.get("precision_mode", options.get("precision_mode_v2"))
    if mode not in (None, *_FP16_MODES) and not computes_in_float32(options):
        notes.append(f"{mode} is simulated as fp16: which operators keep fp32 is atc's choice")
    soc = options.get("soc_version", DEFAULT_SOC)
    if soc != DEFAULT_SOC:
        notes.append(f"it loads where ATLAS_HPE_SIM_SOC={soc} says that the simulator is this chip")
    return notes


def _parts(options: Mapping[str, str], name: str) -> Tuple[str, ...]:
    return tuple(filter(None, options.get(name, "").split(";")))


def _numbers(text: str) -> Tuple[int, ...]:
    try:
        return tuple(map(int, filter(None, text.split(","))))
    except ValueError:
        raise ValueError(f"'{text}' is no list of whole numbers with commas between") from None


def _size(text: str) -> Tuple[int, int]:
    numbers = _numbers(text)
    if len(numbers) != 2:
        raise ValueError(f"'{text}' is no HEIGHT,WIDTH")
    return numbers[0], numbers[1]


def _read_aipp(
    command: AtcCommand, shapes: Mapping[str, Tuple[int, ...]]
) -> Dict[str, AippSettings]:
    """The settings in the AIPP configuration, by input."""
    options = command.values
    name = options.get("insert_op_conf")
    if name is None:
        return {}
    names, found = list(shapes), {}
    for index, aipp in read_aipp_config(command.files[name]).items():
        if index >= len(names):
            raise ValueError(f"the AIPP configuration is for input {index}, which there is not")
        found[names[index]] = _with_size(aipp, shapes[names[index]], options)
    return found


def _with_size(
    aipp: AippSettings, shape: Tuple[int, ...], options: Mapping[str, str]
) -> AippSettings:
    """A size that is left out is that of the model's input (ascend.md section 4.1)."""
    place = 1 if options.get("input_format") == "NHWC" else 2
    size = shape[place : place + 2] if len(shape) == 4 else ()
    if isinstance(aipp, AippSpec) and not aipp.src_width_px and size and min(size) > 0:
        return replace(aipp, src_height_px=size[0], src_width_px=size[1])
    return aipp


def _read_output_types(text: Optional[str], onnx: bytes, summary: OnnxSummary) -> Dict[str, str]:
    """``FP16`` for all outputs, or ``node:0:FP16;...``."""
    if text is None:
        return {}
    if ":" not in text:
        return {spec.name: _find_output_type(text) for spec in summary.outputs}
    made = {
        f"{node.name}:{index}": name
        for node in parse_graph(onnx).nodes
        for index, name in enumerate(node.outputs)
    }
    found = {}
    for item in filter(None, text.split(";")):
        place, _, kind = item.rpartition(":")
        if place not in made:
            raise ValueError(f"--output_type names '{place}', which the graph has not")
        found[made[place]] = _find_output_type(kind)
    return found


def _find_output_type(name: str) -> str:
    if name not in OUTPUT_TYPES:
        known = ", ".join(OUTPUT_TYPES)
        raise ValueError(f"--output_type '{name}' is none of {known}")
    return OUTPUT_TYPES[name]


def simulate_om(job: ConvertJob) -> Tuple[bytes, Tuple[str, ...]]:
    """A simulated model, once the simulator has loaded it.

    Args:
        job: What would be compiled.

    Returns:
        The file's content, and what the simulator can't stand for.

    Raises:
        UsageError: As for ``simulated_model``.
        InputError: The model, or a file that a flag names, can't be read.
        ModelFileError: The graph does not load with these settings.
        MissingExtraError: onnxruntime is not installed.
    """
    _refuse_outside_weights(job.model, job.summary)
    onnx = read_bytes(job.model)
    job.check_unchanged(hashlib.sha256(onnx).hexdigest())
    simulation = simulated_model(onnx, job.command, job.summary)
    _check_loads(job.model, simulation.model)
    return simulated_content(simulation.model), simulation.notes


def _refuse_outside_weights(model: Path, summary: OnnxSummary) -> None:
    if summary.external_files:
        raise ModelFileError(
            "a simulated model holds its weights itself, and the graph has them in other files",
            where=model,
            why="it names " + ", ".join(summary.external_files[:3]),
            fix="export it with its weights inside: atlas-hpe export MODEL --out FILE.onnx",
        )


def _check_loads(model: Path, simulated: SimulatedModel) -> None:
    """What does not load now would be found out in the first program that uses it."""
    try:
        compile_program(simulated)
    except ModelFileError as error:
        raise ModelFileError(
            "the graph does not load on the simulator: " + error.what,
            where=model,
            why=error.why,
            fix=error.fix
            or "leave out the sizes that the graph was not exported for, or look at "
            f"it with: atlas-hpe check {model}",
        ) from error
