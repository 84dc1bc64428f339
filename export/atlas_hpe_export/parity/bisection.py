"""What a bisection found: as data, as text, and as files that show it anywhere."""

from __future__ import annotations

import io
import zipfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Tuple

import numpy as np
import onnx

from atlas_hpe.errors import CheckFailedError, OutputError
from atlas_hpe.outfile import AtomicFile, check_out_path, disk_error
from atlas_hpe.parity.arrays import write_array
from atlas_hpe.parity.report import TensorParity
from atlas_hpe.parity.tolerances import Tolerance
from atlas_hpe_export.parity.intermediates import NodeTensor
from atlas_hpe_export.parity.layers import compare_arrays, exceeds
from atlas_hpe_runtime import open_session

__all__ = [
    "BISECTION_FILES",
    "Bisection",
    "BreakingCase",
    "bisection_to_dict",
    "check_folder",
    "describe_bisection",
    "write_case",
]

#: What is written into the folder.
BISECTION_FILES = ("node.onnx", "inputs.npz", "expected.npz", "README.txt")


@dataclass(frozen=True)
class Bisection:
    """The first node that breaks the tolerance.

    Attributes:
        node: Name of the node.
        op_type: Its operator in the reference.
        module: Path of the PyTorch module, with dots; None when nothing tells.
        tensor: How the output of the written graph differs from the reference.
        limit: Largest difference that is allowed there.
        nodes: Number of nodes in the written graph.
        inputs: Tensors of the reference that are fed to it.
        folder: Where it was written, see ``BISECTION_FILES``.
    """

    node: str
    op_type: str
    module: Optional[str]
    tensor: TensorParity
    limit: float
    nodes: int
    inputs: Tuple[str, ...]
    folder: str


@dataclass(frozen=True, eq=False)
class BreakingCase:
    """A part of the candidate that breaks the tolerance.

    Attributes:
        part: The part; it has one output.
        inputs: What the reference computes in front of it.
        expected: What the reference gives for the output.
        parity: How far the part's own output is from that.
    """

    part: onnx.ModelProto
    inputs: Dict[str, np.ndarray]
    expected: np.ndarray
    parity: TensorParity


def check_folder(folder: Path, *, force: bool) -> None:
    """Tell before any work whether the files can be written.

    Raises:
        OutputError: The folder is something else, lies in something else, holds such files already
            and ``force`` is false, or the system refuses to look.
    """
    try:
        _check_place(folder, force)
    except OSError as error:
        raise disk_error(folder, error) from error


def _check_place(folder: Path, force: bool) -> None:
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not there.is_dir():
        raise OutputError(
            "the output is not a folder", where=there, fix="name a folder, new or existing"
        )
    if there == folder:
        for name in BISECTION_FILES:
            check_out_path(folder / name, [Path(name).suffix], force=force)


def write_case(
    case: BreakingCase, tensor: NodeTensor, tolerance: Tolerance, folder: Path, *, force: bool
) -> Bisection:
    """Write the files, run what was written, and only then give them their names.

    Raises:
        OutputError: The files can't be written.
        CheckFailedError: What was written does not break the tolerance.
    """
    found = Bisection(
        node=tensor.node,
        op_type=tensor.op_type,
        module=tensor.module,
        tensor=case.parity,
        limit=case.parity.limit(tolerance.tensor),
        nodes=len(case.part.graph.node),
        inputs=tuple(case.inputs),
        folder=str(folder),
    )
    contents = {
        "node.onnx": case.part.SerializeToString(),
        "inputs.npz": _to_npz(case.inputs),
        "expected.npz": _to_npz({tensor.name: case.expected}),
        "README.txt": _explain(found).encode(),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(folder, error) from error
    with ExitStack() as stack:
        written: Dict[str, Path] = {}
        for name in BISECTION_FILES:
            file = stack.enter_context(AtomicFile(folder / name, force=force))
            file.write(contents[name])
            file.flush()
            written[name] = file.temporary
        _check_files(written, tensor.name, tolerance)
    return found


def _to_npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    # numpy.savez takes names as keywords, and a tensor may be called "file".
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            write_array(archive, name, array)
    return buffer.getvalue()


def _check_files(written: Mapping[str, Path], name: str, tolerance: Tolerance) -> None:
    with np.load(str(written["inputs.npz"])) as inputs, np.load(
        str(written["expected.npz"])
    ) as expected, open_session(written["node.onnx"], backend="onnxruntime") as session:
        parity = compare_arrays(name, expected[name], session.run(dict(inputs))[name])
    if not exceeds(parity, tolerance):
        raise CheckFailedError("the files of the bisection do not show the difference", where=name)


def _explain(found: Bisection) -> str:
    name = found.tensor.name
    lines = [
        f"The first node that breaks the tolerance: {found.op_type} '{found.node}'.",
        _say_module(found),
        f"'{name}': {_say_difference(found)}.",
        "",
        f"node.onnx: that part of the candidate, {found.nodes} nodes.",
        "inputs.npz: what the reference computes in front of it.",
        f"expected.npz: what the reference gives for '{name}'.",
        "",
        "To see the difference, run this in this folder; numpy and onnxruntime are enough:",
        "",
        "import numpy as np, onnxruntime",
        "session, feeds = onnxruntime.InferenceSession('node.onnx'), dict(np.load('inputs.npz'))",
        f"print(abs(session.run(None, feeds)[0] - np.load('expected.npz')[{name!r}]).max())",
        "",
    ]
    return "\n".join(lines)


def _say_module(found: Bisection) -> str:
    if found.module is None:
        return "Its name does not tell which module it comes from."
    if not found.module:
        return "It comes from the outermost module."
    return f"It comes from the module '{found.module}'."


def _say_difference(found: Bisection) -> str:
    tensor = found.tensor
    text = f"it differs by up to {tensor.max_abs:.3g}, {found.limit:.3g} is allowed"
    if tensor.mismatched_not_finite:
        text += f"; {tensor.mismatched_not_finite} values are NaN or infinite in only one"
    return text


def bisection_to_dict(found: Bisection) -> Dict[str, object]:
    """The result for JSON."""
    return asdict(found)


def describe_bisection(found: Bisection) -> List[str]:
    """The result as lines for a person."""
    return [
        f"first node that breaks the tolerance: {found.op_type} '{found.node}'",
        f"  {_say_module(found)}",
        f"  '{found.tensor.name}': {_say_difference(found)}",
        f"  shown by {found.nodes} nodes in {found.folder}: {', '.join(BISECTION_FILES)}",
    ]
