"""What is said of a compiled model: how it was built, and its card."""

from __future__ import annotations

import hashlib
import platform
import shlex
from dataclasses import replace
from typing import Dict, Mapping, Optional, Sequence, Tuple

from atlas_hpe.card import BuildRecord, ModelCard, TensorSpec
from atlas_hpe_export.convert.job import ConvertJob

__all__ = [
    "OUTPUT_TYPES",
    "built_card",
    "computes_in_float32",
    "input_shapes_of",
    "make_record",
]

#: Element types of --output_type -> NumPy name.
OUTPUT_TYPES: Dict[str, str] = {
    "FP32": "float32",
    "FP16": "float16",
    "INT32": "int32",
    "UINT8": "uint8",
    "INT8": "int8",
}
# Modes that keep an fp32 graph in fp32; the others, atc's default too, compute in fp16
# (ascend.md section 3.2).
_FLOAT32_MODES = ("force_fp32", "must_keep_origin_dtype", "origin")


def make_record(
    job: ConvertJob,
    om: bytes,
    compiler: str,
    duration_s: float,
    *,
    peak_memory_mb: Optional[float] = None,
    simulated: bool = False,
) -> BuildRecord:
    """How an .om was made, for its card."""
    return BuildRecord(
        compiler=compiler,
        simulated=simulated,
        options=job.recorded_options,
        onnx_sha256=job.onnx_sha256,
        om_sha256=hashlib.sha256(om).hexdigest(),
        duration_s=round(duration_s, 3),
        peak_memory_mb=None if peak_memory_mb is None else round(peak_memory_mb, 1),
        host=f"{platform.machine()} {platform.system()}".strip() or "unknown",
    )


def input_shapes_of(text: str) -> Dict[str, Tuple[int, ...]]:
    """The shapes in ``--input_shape``, by input.

    Raises:
        ValueError: Not of the form ``name:1,3,256,256;name:...``.
    """
    found = {}
    for item in filter(None, text.split(";")):
        name, _, axes = item.rpartition(":")
        try:
            found[name] = tuple(int(axis) for axis in axes.split(","))
        except ValueError:
            raise ValueError(f"'{item}' is no NAME:SIZE,SIZE,...") from None
    return found


def computes_in_float32(options: Mapping[str, str]) -> bool:
    """Whether atc is told to keep single precision (ascend.md section 3.2)."""
    modes = (options.get("precision_mode"), options.get("precision_mode_v2"))
    return any(mode in _FLOAT32_MODES for mode in modes)


def built_card(
    card: ModelCard, record: BuildRecord, file: str, command: Optional[Sequence[str]] = None
) -> ModelCard:
    """The card of what came out of the compiler.

    Args:
        card: The ONNX file's card, with AIPP already in it where the model has it.
        record: How it was compiled.
        file: Name of what came out.
        command: atc's whole command line, None when it did not run.
    """
    options = record.options
    pose = card.graphs[0]
    try:
        shapes = input_shapes_of(options.get("input_shape", ""))
    except ValueError:  # ranges, which newer releases take: the card keeps its own sizes
        shapes = {}
    halves = options.get("input_fp16_nodes", "").split(";")
    inputs = tuple(_as_built(spec, shapes.get(spec.name, ()), halves) for spec in pose.inputs)
    output_type = OUTPUT_TYPES.get(options.get("output_type", ""))
    outputs = tuple(replace(spec, dtype=output_type or spec.dtype) for spec in pose.outputs)
    preprocess = card.preprocess
    if preprocess.aipp is None and pose.inputs[0].name in halves:
        preprocess = replace(preprocess, dtype="float16")
    provenance = replace(
        card.provenance,
        soc=options.get("soc_version", card.provenance.soc),
        precision=card.provenance.precision if computes_in_float32(options) else "float16",
        atc_command=None if command is None else " ".join(map(shlex.quote, command)),
        build=record,
    )
    graph = replace(pose, inputs=inputs, outputs=outputs, file=file)
    return replace(
        card,
        graphs=(graph, *card.graphs[1:]),
        preprocess=preprocess,
        provenance=provenance,
    )


def _as_built(spec: TensorSpec, shape: Tuple[int, ...], halves: Sequence[str]) -> TensorSpec:
    """An input with the shape and type that atc was given; a profile's axes stay the card's."""
    dtype = "float16" if spec.name in halves and spec.dtype == "float32" else spec.dtype
    if spec.dtype == "uint8" and shape:  # AIPP's: the batch is all that is left of the shape
        shape = (shape[0], *spec.shape[1:])
    if len(shape) == len(spec.shape):
        known = tuple(new if new > 0 else old for new, old in zip(shape, spec.shape))
        return replace(spec, dtype=dtype, shape=known)
    return replace(spec, dtype=dtype)
