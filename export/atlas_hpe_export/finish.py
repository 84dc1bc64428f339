"""The last steps of an export: the card, the file, and reading both back."""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Dict, Iterable, Optional, Tuple

import onnx

from atlas_hpe.card import (
    CARD_METADATA_KEY,
    GraphSpec,
    ModelCard,
    Provenance,
    TensorSpec,
    card_to_json,
    load_card,
)
from atlas_hpe.errors import CheckFailedError
from atlas_hpe.nets.spec import NetworkSpec
from atlas_hpe.onnx_file import OnnxSummary, read_onnx_summary
from atlas_hpe.outfile import AtomicFile
from atlas_hpe.targets import Target
from atlas_hpe.version import __version__
from atlas_hpe_export.wording import show_specs

__all__ = [
    "BUILD_METADATA_KEY",
    "build_card",
    "check_interface",
    "hash_graph",
    "read_specs",
    "tool_versions",
    "write_checked",
]

#: Where a file without a card keeps how it was made, as JSON.
BUILD_METADATA_KEY = "atlas_hpe.build"
_TOOLS = ("torch", "onnx", "onnxscript", "onnx-ir", "onnxsim", "onnxruntime", "numpy")


def tool_versions() -> Dict[str, str]:
    """Tool -> version, of what took part in the export."""
    found = {"atlas-hpe": __version__, "python": platform.python_version()}
    for name in _TOOLS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def build_card(spec: NetworkSpec, name: Optional[str], provenance: Provenance) -> ModelCard:
    """Fill a card from a network's specification; the graph is the file that holds the card."""
    return ModelCard(
        name=name or spec.name,
        task=spec.task,
        graphs=(GraphSpec(name="pose", inputs=spec.inputs, outputs=spec.outputs),),
        preprocess=spec.preprocess,
        decode=spec.decode,
        provenance=provenance,
        joint_order=spec.joint_order,
    )


def check_interface(model: onnx.ModelProto, card: ModelCard) -> None:
    """Hold the graph's inputs and outputs against the card.

    Raises:
        CheckFailedError: A name, a shape or an element type differs.
    """
    known = card.graphs[0]
    for kind, expected, infos in (
        ("input", known.inputs, model.graph.input),
        ("output", known.outputs, model.graph.output),
    ):
        found = tuple(_without_layout(item) for item in read_specs(infos))
        wanted = tuple(_without_layout(item) for item in expected)
        if found != wanted:
            raise CheckFailedError(
                f"the graph's {kind}s are not those of '{card.name}'",
                why=f"the graph has {show_specs(found)}; "
                f"the specification says {show_specs(wanted)}",
                fix=f"correct SPEC.{kind}s, or the network",
            )


def hash_graph(model: onnx.ModelProto) -> str:
    """SHA-256 of the graph and its weights, whatever the file's metadata says."""
    return hashlib.sha256(model.graph.SerializeToString(deterministic=True)).hexdigest()


def read_specs(infos: Iterable[onnx.ValueInfoProto]) -> Tuple[TensorSpec, ...]:
    """Inputs or outputs of a graph; an axis that is not fixed is -1."""
    return tuple(_read_spec(info) for info in infos)


def write_checked(
    model: onnx.ModelProto,
    path: Path,
    *,
    card: Optional[ModelCard],
    build: Provenance,
    target: Target,
    force: bool,
) -> OnnxSummary:
    """Write the model with its card, read it back, and only then give it its name.

    The build record is in the card; a file without a card keeps it under ``BUILD_METADATA_KEY``.

    Raises:
        OutputError: The file can't be written.
        CheckFailedError: What was read back is not what the target takes, or not what was written.
    """
    del model.metadata_props[:]
    if card is not None:
        onnx.helper.set_model_props(model, {CARD_METADATA_KEY: card_to_json(card)})
    else:
        record = json.dumps(asdict(build), indent=2, sort_keys=True)
        onnx.helper.set_model_props(model, {BUILD_METADATA_KEY: record})
    with AtomicFile(path, force=force) as file:
        file.write(model.SerializeToString())
        file.flush()
        _check_file(file.temporary, path, card, target)
        return read_onnx_summary(file.temporary)


def _check_file(temporary: Path, path: Path, card: Optional[ModelCard], target: Target) -> None:
    """Everything that is claimed about the file is read from the file."""
    summary = read_onnx_summary(temporary)
    if summary.opsets != {"ai.onnx": target.opset}:
        raise CheckFailedError(
            f"the file is not what {target.name} takes",
            where=path,
            why=f"its opsets are {summary.opsets}, opset {target.opset} alone is taken",
            fix="report this, with the network",
        )
    dynamic = [item.name for item in (*summary.inputs, *summary.outputs) if -1 in item.shape]
    if dynamic:
        raise CheckFailedError(
            "the graph has sizes that are not fixed",
            where=", ".join(dynamic),
            fix="make the network's shapes depend on nothing but the input's shape",
        )
    try:
        onnx.checker.check_model(str(temporary), full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise CheckFailedError(
            "the ONNX checker refuses the graph", where=path, why=str(error).strip()
        ) from error
    if card is not None and load_card(temporary) != card:
        raise CheckFailedError("the card did not come back from the file as written", where=path)


def _read_spec(info: onnx.ValueInfoProto) -> TensorSpec:
    tensor = info.type.tensor_type
    shape = tuple(dim.dim_value if dim.HasField("dim_value") else -1 for dim in tensor.shape.dim)
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    return TensorSpec(info.name, shape, str(dtype), "NCHW" if len(shape) == 4 else "ND")


def _without_layout(spec: TensorSpec) -> TensorSpec:
    return TensorSpec(spec.name, spec.shape, spec.dtype)
