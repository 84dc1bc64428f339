"""Shape inference until nothing more is learnt; for files of strangers in a process of its own.

ONNX's inference is C++ that does not guard itself: with onnx 1.23 about one in some ten thousand
graphs of random nodes brings the process down. What that costs is then one finding, not the caller.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Optional

import onnx
from google.protobuf.message import DecodeError, EncodeError

from atlas_hpe_export.check.fold import fold_arithmetic

__all__ = ["infer_here", "infer_in_child"]

#: Each round may make a shape known that the next one's arithmetic needs.
_MAX_ROUNDS = 32
_TIMEOUT_S = 60
_FAILURES = (
    onnx.shape_inference.InferenceError,
    onnx.defs.SchemaError,
    EncodeError,
    RuntimeError,
    ValueError,
    TypeError,
    IndexError,
)
_CHILD = """
import sys
sys.path[:] = sys.argv[1:]
import onnx
from atlas_hpe_export.check.inference import infer_here
known = infer_here(onnx.ModelProto.FromString(sys.stdin.buffer.read()))
sys.stdout.buffer.write(b"" if known is None else known.SerializeToString())
"""


def infer_here(model: onnx.ModelProto) -> Optional[onnx.ModelProto]:
    """Infer in this process.

    Args:
        model: It imports ONNX's own domain under its short name. Changed in place: arithmetic on
            shapes becomes constants.

    Returns:
        The model with what is known, None when inference failed from the start.
    """
    opset = max(item.version for item in model.opset_import if not item.domain)
    known: Optional[onnx.ModelProto] = None
    for _ in range(_MAX_ROUNDS):
        try:
            known = onnx.shape_inference.infer_shapes(model, data_prop=True)
        except _FAILURES:
            break
        if not fold_arithmetic(model.graph, known.graph, opset):
            break
    return known


def infer_in_child(model: onnx.ModelProto) -> Optional[onnx.ModelProto]:
    """The same in a process of its own, None also when that did not come back.

    Args:
        model: Left as it is.
    """
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter and a constant
            [sys.executable, "-c", _CHILD, *sys.path],
            input=model.SerializeToString(),
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
        known: onnx.ModelProto = onnx.ModelProto.FromString(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired, EncodeError, DecodeError):
        return None
    return None if done.returncode or not done.stdout else known
