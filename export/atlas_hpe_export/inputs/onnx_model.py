"""ONNX models of others: read within bounds, checked, and with sizes for every input.

Opsets 11 to 21 are taken, because the lowering goes from 21 down to the board's 11. Opsets 7 to 10
are taken when the ONNX checker accepts the graph at 11 as it stands: every operator whose meaning
changed between 7 and 11 changed its attributes or the number of its inputs too (BatchNormalization,
Clip, Pad, Resize, Scatter, Slice, TopK, Upsample), so what the checker accepts means the same. What
it refuses has to be exported again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Tuple

import onnx
from google.protobuf.message import DecodeError

from atlas_hpe.card import CARD_METADATA_KEY, ModelCard, card_from_json
from atlas_hpe.errors import CheckpointError, ModelFileError
from atlas_hpe.files import sha256_of
from atlas_hpe.onnx_file import OnnxSummary
from atlas_hpe_export.inputs.export_input import ExportInput
from atlas_hpe_export.inputs.kinds import describe_head, find_magic
from atlas_hpe_export.inputs.onnx_shapes import fix_inputs
from atlas_hpe_export.inputs.options import InputOptions
from atlas_hpe_export.model_file import load_onnx

__all__ = ["open_onnx"]

_LEAST_OPSET, _DEVICE_OPSET, _LAST_OPSET = 7, 11, 21
#: A model begins with one of the fields of ModelProto; nearly always with the first, ir_version.
_FIRST_BYTES = frozenset(b"\x08\x12\x1a\x22\x28\x32\x3a\x42\x72")
_CHECK_ERRORS = (
    onnx.checker.ValidationError,
    onnx.shape_inference.InferenceError,
    RuntimeError,
    ValueError,
    TypeError,
    IndexError,
    DecodeError,
)


def open_onnx(path: Path, options: InputOptions) -> ExportInput:
    """Read an ONNX model, hold it against the standard and fix its inputs.

    Raises:
        ModelFileError: Damaged, unsafe, not valid, or of an opset that is not taken.
        CheckpointError: The file is nothing that an export starts from.
        UsageError: Inputs without sizes and no shapes for them, or shapes that do not fit.
    """
    _refuse_other_files(path)
    options.refuse_network("an ONNX model")
    summary, model = load_onnx(path)
    opset = _opset_of(path, model)
    notes: Tuple[str, ...] = ()
    if opset < _DEVICE_OPSET:
        _raise_opset(path, model, opset)
        notes = (f"opset {opset} holds at {_DEVICE_OPSET} without a change",)
    _check_valid(path, model, f"at opset {max(opset, _DEVICE_OPSET)}")
    notes += fix_inputs(path, model, options.shapes)
    initialisers = {item.name for item in model.graph.initializer}
    return ExportInput(
        kind="onnx",
        path=path,
        sha256=sha256_of(path),
        model=model,
        input_names=tuple(i.name for i in model.graph.input if i.name not in initialisers),
        card=_find_card(path, summary),
        notes=notes,
    )


def _refuse_other_files(path: Path) -> None:
    with path.open("rb") as stream:
        first = stream.read(1)
    may_be_onnx = first[0] in _FIRST_BYTES or path.suffix.lower() == ".onnx"
    if find_magic(path) is not None or not may_be_onnx:
        raise CheckpointError(
            "the file is nothing that an export starts from",
            where=path,
            why=f"it looks like {describe_head(path)}",
            fix="give weights (torch.save, .safetensors), a TorchScript archive, a .pt2 of "
            "torch.export, or an ONNX model",
        )


def _opset_of(path: Path, model: onnx.ModelProto) -> int:
    versions = {item.version for item in model.opset_import if item.domain in ("", "ai.onnx")}
    opset = max(versions, default=0)
    if len(versions) == 1 and _LEAST_OPSET <= opset <= _LAST_OPSET:
        return opset
    found = " and ".join(str(version) for version in sorted(versions)) or "none"
    raise ModelFileError(
        f"the model is of opset {found}; {_LEAST_OPSET} to {_LAST_OPSET} are taken",
        where=path,
        fix="export it again: torch.onnx.export(..., opset_version=18)",
    )


def _raise_opset(path: Path, model: onnx.ModelProto, opset: int) -> None:
    """Say 11 where the file says less, when the graph means the same at 11."""
    for item in model.opset_import:
        if item.domain in ("", "ai.onnx"):
            item.version = _DEVICE_OPSET
    try:
        onnx.checker.check_model(model, full_check=True)
    except _CHECK_ERRORS as error:
        raise ModelFileError(
            f"the model is of opset {opset}, and something in it was said otherwise then",
            where=path,
            why=_reason(error),
            fix=f"export it again at opset {_DEVICE_OPSET} or above: "
            "torch.onnx.export(..., opset_version=18)",
        ) from error


def _check_valid(path: Path, model: onnx.ModelProto, where: str) -> None:
    try:
        onnx.checker.check_model(model, full_check=True)
    except _CHECK_ERRORS as error:
        raise ModelFileError(
            f"the ONNX checker refuses the model {where}",
            where=path,
            why=_reason(error),
            fix="export the model again",
        ) from error


def _reason(error: BaseException) -> str:
    """What the checker says, with the node that it names, in one line."""
    return " ".join(str(error).split())[:300] or type(error).__name__


def _find_card(path: Path, summary: OnnxSummary) -> Optional[ModelCard]:
    text = summary.metadata.get(CARD_METADATA_KEY)
    return None if text is None else card_from_json(text, str(path))
