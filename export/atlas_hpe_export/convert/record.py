"""What is written beside a compiled model: its card, or without one its build record alone."""

from __future__ import annotations

import json
import platform
import shlex
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Dict, Mapping, Optional, Sequence, Tuple

from atlas_hpe.card import BuildRecord, ModelCard, TensorSpec, card_path_of, card_to_json
from atlas_hpe.outfile import AtomicFile, check_out_path

__all__ = [
    "OUTPUT_TYPES",
    "build_path_of",
    "built_card",
    "check_record_path",
    "computes_in_float32",
    "host_name",
    "input_shapes_of",
    "options_of",
    "write_record",
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


def options_of(flags: Sequence[str]) -> Dict[str, str]:
    """Flags of atc, ``--name=value`` each, as name -> value; the last one of a name counts."""
    pairs = (flag.lstrip("-").partition("=") for flag in flags)
    return {name: value or "true" for name, _, value in pairs}


def input_shapes_of(text: str) -> Dict[str, Tuple[int, ...]]:
    """The shapes in ``--input_shape``, by input.

    Raises:
        ValueError: Not of the form ``name:1,3,256,256;name:...``.
    """
    found = {}
    for item in filter(None, text.split(";")):
        name, _, axes = item.rpartition(":")
        found[name] = tuple(int(axis) for axis in axes.split(","))
    return found


def computes_in_float32(options: Mapping[str, str]) -> bool:
    """Whether atc is told to keep single precision (ascend.md section 3.2)."""
    modes = (options.get("precision_mode"), options.get("precision_mode_v2"))
    return any(mode in _FLOAT32_MODES for mode in modes)


def host_name() -> str:
    """Processor and system of this machine, for ``BuildRecord.host``."""
    return f"{platform.machine()} {platform.system()}".strip() or "unknown"


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


def build_path_of(om: Path) -> Path:
    """Where the build record of a model without a card is: ``hand.om`` -> ``hand.om.build.json``.

    Under the card's own name it would be taken for one.
    """
    return om.with_name(om.name + ".build.json")


def check_record_path(om: Path, card: Optional[ModelCard], *, force: bool) -> Path:
    """Tell before any work whether the record can be written; where it will be.

    A card that an earlier model of that name left would be taken for this one's, so it must not
    stay either.

    Raises:
        OutputError: As for ``check_out_path``.
    """
    path = card_path_of(om)
    if card is None and not path.exists():
        path = build_path_of(om)
    check_out_path(path, [".json"], force=force)
    return card_path_of(om) if card is not None else build_path_of(om)


def write_record(
    om: Path,
    record: BuildRecord,
    card: Optional[ModelCard],
    command: Optional[Sequence[str]] = None,
    *,
    force: bool = False,
) -> Path:
    """Write what belongs beside a model, and remove what an earlier one left in its place.

    Args:
        om: The model.
        record: How it was compiled.
        card: ``built_card``'s; None when the ONNX file has none.
        command: atc's whole command line, None when it did not run.
        force: Replace files that exist.

    Returns:
        The card ``<om>.json``, or the record alone, ``<om>.build.json``.

    Raises:
        OutputError: A file exists, or can't be written.
    """
    path = check_record_path(om, card, force=force)
    if card is None:
        line = None if command is None else " ".join(map(shlex.quote, command))
        document = {"atc_command": line, "build": asdict(record)}
        text = json.dumps(document, indent=2, sort_keys=True) + "\n"
    else:
        text = card_to_json(card)
    other = build_path_of(om) if card is not None else card_path_of(om)
    with AtomicFile(path, force=force) as file:
        file.write(text.encode("utf-8"))
        with suppress(FileNotFoundError):
            other.unlink()
    return path
